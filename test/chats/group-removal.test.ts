import { useApp, type TestPerson } from '../support/app.js';
import { createGroup, expectNoGaps, makeCrowd, makeFriends, membersOf, textsOf } from './group-support.js';

const app = useApp();

async function deleteAccount(person: TestPerson): Promise<void> {
  const { status } = await person.http.delete('/api/auth/delete-profile', { password: person.password });
  expect(status).toBe(200);
}

function setRole(person: TestPerson, chatId: string, other: { id: string }, role: string) {
  return person.http.patch(`/api/chats/${chatId}/members/${other.id}`, { role });
}

async function ownerOf(chatId: string): Promise<string[]> {
  const members = await membersOf(app, chatId);
  return members.filter((member) => member.role === 'OWNER').map((member) => member.userId);
}

describe('deleting an account', () => {
  it('passes an owned group to the oldest admin, and says so without the name of who is gone', async () => {
    const [ann, ben, cid, dan] = await makeFriends(app, ['Ann', 'Ben', 'Cid', 'Dan']);
    const chatId = await createGroup(ann, [ben.id]);
    for (const person of [cid, dan]) {
      app.clock.advance(1000);
      await ann.http.post(`/api/chats/${chatId}/members`, { userIds: [person.id] });
    }
    for (const person of [dan, cid]) await setRole(ann, chatId, person, 'ADMIN');
    await ann.http.post(`/api/chats/${chatId}/messages`, { text: 'farewell' });
    const sockets = await Promise.all([ben, cid].map((person) => app.connect(person)));
    await deleteAccount(ann);

    expect(await ownerOf(chatId)).toEqual([cid.id]);
    const said = 'A member deleted their account. Cid is the owner now.';
    expect((await textsOf(ben, chatId)).slice(-2)).toEqual(['farewell', said]);
    for (const socket of sockets) {
      const { message } = await socket.next('new-message', ({ message }) => message.text === said);
      expect(message).toMatchObject({ type: 'SYSTEM', senderId: null });
      socket.disconnect();
    }
    const last = await expectNoGaps(app, chatId);
    expect((await cid.http.get(`/api/chats/${chatId}`)).data).toMatchObject({
      createdById: null,
      memberCount: 3,
      my: { role: 'OWNER' },
      lastSeq: last,
    });
    const [row] = await app.sql(
      `SELECT c.members_seq, m.left_seq FROM chat c JOIN member m ON m.chat_id = c.id
       WHERE c.id = $1 AND m.user_id = $2`,
      [chatId, ann.id],
    );
    expect(row).toEqual({ members_seq: last, left_seq: last - 1 });
    expect((await setRole(cid, chatId, ben, 'ADMIN')).status).toBe(200);
  });

  it('passes it to the oldest member where there is no admin, and leaves an empty one without an owner', async () => {
    const [ann, ben, cid] = await makeFriends(app, ['Ann', 'Ben', 'Cid']);
    const chatId = await createGroup(ann, [cid.id]);
    app.clock.advance(1000);
    await ann.http.post(`/api/chats/${chatId}/members`, { userIds: [ben.id] });
    await deleteAccount(ann);
    expect(await ownerOf(chatId)).toEqual([cid.id]);
    await deleteAccount(cid);
    expect(await ownerOf(chatId)).toEqual([ben.id]);
    await deleteAccount(ben);
    expect(await membersOf(app, chatId)).toEqual([]);
    await expectNoGaps(app, chatId);
  });

  it('of a member changes no roles, and their mark stops counting', async () => {
    const [ann, ben, cid] = await makeFriends(app, ['Ann', 'Ben', 'Cid']);
    const chatId = await createGroup(ann, [ben.id, cid.id]);
    await ann.http.post(`/api/chats/${chatId}/messages`, { text: 'one' });
    await ben.http.post(`/api/chats/${chatId}/messages/read`, {});
    expect((await ann.http.get(`/api/chats/${chatId}`)).data.others.readSeq).toBe(0);
    await deleteAccount(cid);
    expect(await ownerOf(chatId)).toEqual([ann.id]);
    const { data } = await ann.http.get(`/api/chats/${chatId}`);
    expect(data).toMatchObject({ memberCount: 2, others: { readSeq: 1 } });
    expect(await textsOf(ann, chatId)).toEqual(['one', 'A member deleted their account.']);
  });

  it('leaves private chats without a SYSTEM message', async () => {
    const [ann, ben] = await makeFriends(app, ['Ann', 'Ben']);
    const chat = await ann.http.post('/api/chats', { type: 'PRIVATE', participantIds: [ben.id] });
    await ann.http.post(`/api/chats/${chat.data.id}/messages`, { text: 'one' });
    await deleteAccount(ann);
    expect(await textsOf(ben, chat.data.id as string)).toEqual(['one']);
  });

  it('is done in groups of 1,024 and in 50 groups at once', async () => {
    const ann = await app.registerUser({ name: 'Ann' });
    const crowd = await makeCrowd(app, ann, 1023);
    const large = await createGroup(ann, crowd);
    const chatIds = [large];
    for (let i = 0; i < 50; i++) chatIds.push(await createGroup(ann, crowd.slice(i, i + 3)));
    await deleteAccount(ann);
    for (const chatId of chatIds) {
      const [owner, ...more] = await ownerOf(chatId);
      expect(crowd).toContain(owner);
      expect(more).toEqual([]);
      expect(await expectNoGaps(app, chatId)).toBe(1);
    }
  });

  it('keeps an owner while the others leave, hand over and delete their accounts too', async () => {
    for (let round = 0; round < 5; round++) {
      const [ann, ben, cid, dan] = await makeFriends(app, ['Ann', 'Ben', 'Cid', 'Dan']);
      const chatId = await createGroup(ann, [ben.id, cid.id, dan.id]);
      await setRole(ann, chatId, ben, 'ADMIN');
      await Promise.all([
        deleteAccount(ann),
        deleteAccount(ben),
        setRole(ann, chatId, ben, 'OWNER').catch(() => null),
        cid.http.post(`/api/chats/${chatId}/messages`, { text: 'what is going on?' }),
        ...(round % 2 === 0 ? [cid.http.post(`/api/chats/${chatId}/leave`)] : []),
      ]);
      expect(await ownerOf(chatId)).toHaveLength(1);
      expect((await membersOf(app, chatId)).map(({ userId }) => userId)).toEqual(
        [...(round % 2 === 0 ? [] : [cid.id]), dan.id].sort(),
      );
      await expectNoGaps(app, chatId);
    }
  });

  it('does not bring back who is added at the same time', async () => {
    const [ann, ben, cid] = await makeFriends(app, ['Ann', 'Ben', 'Cid']);
    const chatId = await createGroup(ann, [ben.id]);
    const [added] = await Promise.all([
      ann.http.post(`/api/chats/${chatId}/members`, { userIds: [cid.id] }),
      deleteAccount(cid),
    ]);
    expect([201, 403, 404]).toContain(added.status);
    expect((await membersOf(app, chatId)).map(({ userId }) => userId)).toEqual([ann.id, ben.id].sort());
  });
});
