import { useApp, type TestPerson } from '../support/app.js';
import { PNG } from '../support/pictures.js';
import { createGroup, historyOf, makeCrowd, makeFriends, textsOf } from './group-support.js';

const app = useApp();
const UNKNOWN = '00000000-0000-4000-8000-000000000000';
const PICTURE = { name: 'image', fileName: 'group.png', content: PNG, type: 'image/png' };

/** An image of the person's own, by its id. */
async function uploadOf(person: TestPerson): Promise<string> {
  await person.http.multipart('PUT', '/api/auth/update-profile', {}, [{ ...PICTURE, name: 'profilePic' }]);
  const [row] = await app.sql<{ id: string }>('SELECT picture_id AS id FROM app_user WHERE id = $1', [
    person.id,
  ]);
  return row!.id;
}

function create(person: TestPerson, body: object) {
  return person.http.post('/api/chats', { type: 'GROUP', ...body });
}

describe('creating a group', () => {
  it('answers 201 with the group as its owner sees it, and tells every member', async () => {
    const [ann, ben, cid] = await makeFriends(app, ['Ann', 'Ben', 'Cid']);
    const sockets = await Promise.all([ann, ben, cid].map((person) => app.connect(person)));
    const { status, data } = await create(ann, { name: 'Garden 🌱', participantIds: [ben.id, cid.id] });
    expect(status).toBe(201);
    expect(data).toMatchObject({
      type: 'GROUP',
      name: 'Garden 🌱',
      image: null,
      createdById: ann.id,
      lastSeq: 0,
      lastMessage: null,
      unreadCount: 0,
      memberCount: 3,
      others: { deliveredSeq: 0, readSeq: 0 },
      my: { role: 'OWNER', firstSeq: 1, readSeq: 0, deliveredSeq: 0 },
    });
    expect(data.members[0]).toMatchObject({ user: { id: ann.id }, role: 'OWNER' });
    expect(data.members.slice(1)).toEqual(
      expect.arrayContaining(
        [ben, cid].map(({ id }) => expect.objectContaining({ user: expect.objectContaining({ id }) })),
      ),
    );
    for (const socket of sockets) {
      expect((await socket.next('new-chat')).chat).toMatchObject({ id: data.id, name: 'Garden 🌱' });
      socket.disconnect();
    }
    const bens = await ben.http.get(`/api/chats/${data.id}`);
    expect(bens.data).toMatchObject({ name: 'Garden 🌱', my: { role: 'MEMBER', firstSeq: 1 } });
    expect(bens.data.members[0].user.id).toBe(ben.id);
    const first = await cid.http.post(`/api/chats/${data.id}/messages`, { text: 'hello' });
    expect(first.data.seq).toBe(1);
    expect((await ann.http.get('/api/chats')).data[0]).toMatchObject({
      id: data.id,
      unreadCount: 1,
      lastMessage: { text: 'hello', senderId: cid.id },
    });
  });

  it('makes a new one each time, and does not mind the caller among the participants', async () => {
    const [ann, ben] = await makeFriends(app, ['Ann', 'Ben']);
    const one = await create(ann, { name: 'One', participantIds: [ben.id, ann.id] });
    const other = await create(ann, { name: 'One', participantIds: [ben.id] });
    expect(one).toMatchObject({ status: 201, data: { memberCount: 2 } });
    expect(other.status).toBe(201);
    expect(other.data.id).not.toBe(one.data.id);
  });

  it.each([
    ['no name', { participantIds: [UNKNOWN] }, 'name'],
    ['null as its name', { name: null, participantIds: [UNKNOWN] }, 'name'],
    ['an empty name', { name: '', participantIds: [UNKNOWN] }, 'name'],
    ['a blank name', { name: ' \u200b\n', participantIds: [UNKNOWN] }, 'name'],
    ['a name of 101 characters', { name: '🌱'.repeat(101), participantIds: [UNKNOWN] }, 'name'],
    ['a name that is none', { name: 7, participantIds: [UNKNOWN] }, 'name'],
    ['a name with U+0000', { name: 'a\u0000b', participantIds: [UNKNOWN] }, 'name'],
    ['nobody else', { name: 'Garden', participantIds: [] }, 'participantIds'],
    ['no list', { name: 'Garden', participantIds: UNKNOWN }, 'participantIds'],
    ['somebody twice', { name: 'Garden', participantIds: [UNKNOWN, UNKNOWN] }, 'participantIds'],
    ['an image that is none', { name: 'Garden', participantIds: [UNKNOWN], image: {} }, 'image'],
    ['a field nobody knows', { name: 'Garden', participantIds: [UNKNOWN], topic: 'x' }, 'topic'],
  ])('with %s is refused, and the field named', async (_name, body, field) => {
    const ann = await app.registerUser();
    const answer = await create(ann, body);
    expect(answer).toMatchObject({ status: 400, code: 'VALIDATION_FAILED' });
    expect(answer.body.details.map((detail: { field: string }) => detail.field)).toContain(field);
  });

  it('of the caller alone is refused, and names of 100 characters are not', async () => {
    const [ann, ben] = await makeFriends(app, ['Ann', 'Ben']);
    expect(await create(ann, { name: 'Me', participantIds: [ann.id] })).toMatchObject({ status: 400 });
    const name = '🌱'.repeat(100);
    expect(await create(ann, { name, participantIds: [ben.id] })).toMatchObject({
      status: 201,
      data: { name },
    });
  });

  it('keeps what a PRIVATE chat takes as it was', async () => {
    const [ann, ben] = await makeFriends(app, ['Ann', 'Ben']);
    const named = { type: 'PRIVATE', name: 'x', participantIds: [ben.id] };
    expect(await ann.http.post('/api/chats', named)).toMatchObject({
      status: 400,
      body: { details: [{ field: 'name' }] },
    });
    const unknown = await ann.http.post('/api/chats', { type: 'CHANNEL', participantIds: [ben.id] });
    expect(unknown.body.details).toMatchObject([{ field: 'type' }]);
  });

  it('takes accepted contacts alone, and nobody with a block on either side: then there is no group', async () => {
    const [ann, ben, cid, dan] = await makeFriends(app, ['Ann', 'Ben', 'Cid', 'Dan']);
    const [asked, stranger] = await Promise.all([app.registerUser(), app.registerUser()]);
    await ann.http.post('/api/contacts/request', { userId: asked.id });
    await cid.http.post('/api/contacts/block', { userId: ann.id });
    await ann.http.post('/api/contacts/block', { userId: dan.id });
    const withOne = (id: string) => create(ann, { name: 'Garden', participantIds: [ben.id, id] });
    for (const { id } of [asked, stranger]) {
      expect(await withOne(id)).toMatchObject({ status: 403, code: 'NOT_A_CONTACT' });
    }
    for (const { id } of [cid, dan]) {
      expect(await withOne(id)).toMatchObject({ status: 403, code: 'BLOCKED' });
    }
    for (const id of [UNKNOWN, 'nobody']) {
      expect(await withOne(id)).toMatchObject({ status: 404, code: 'USER_NOT_FOUND' });
    }
    const named = await withOne(stranger.id);
    expect(named.body.details).toEqual([
      { field: 'participantIds', message: `${stranger.id} is not a contact of yours` },
    ]);
    expect((await ben.http.get('/api/chats')).data).toEqual([]);
    await ann.http.patch(`/api/contacts/unblock/${dan.id}`);
    expect((await withOne(dan.id)).status).toBe(201);
  });

  it('loses to a block that is made at the same time, or comes before it', async () => {
    const [ann, ben] = await makeFriends(app, ['Ann', 'Ben']);
    for (let round = 0; round < 10; round++) {
      const [created] = await Promise.all([
        create(ann, { name: `Round ${round}`, participantIds: [ben.id] }),
        ben.http.post('/api/contacts/block', { userId: ann.id }),
      ]);
      expect([201, 403]).toContain(created.status);
      expect((await create(ann, { name: 'Late', participantIds: [ben.id] })).code).toBe('BLOCKED');
      await ben.http.patch(`/api/contacts/unblock/${ann.id}`);
    }
  });

  it('holds 1,024 people and no more', async () => {
    const ann = await app.registerUser();
    const crowd = await makeCrowd(app, ann, 1024);
    expect(await create(ann, { name: 'Too many', participantIds: crowd })).toMatchObject({
      status: 422,
      code: 'GROUP_FULL',
    });
    const [last = '', ...others] = crowd;
    const full = await create(ann, { name: 'Full', participantIds: others });
    expect(full).toMatchObject({ status: 201, data: { memberCount: 1024 } });
    expect(full.data.members).toHaveLength(50);
    expect(full.data.members[0].user.id).toBe(ann.id);
    const addLast = () => ann.http.post(`/api/chats/${full.data.id}/members`, { userIds: [last] });
    expect(await addLast()).toMatchObject({ status: 422, code: 'GROUP_FULL' });
    expect((await ann.http.delete(`/api/chats/${full.data.id}/members/${others[0]}`)).status).toBe(200);
    expect(await addLast()).toMatchObject({ status: 201, data: { memberCount: 1024, lastSeq: 2 } });
    const sent = await ann.http.post(`/api/chats/${full.data.id}/messages`, { text: 'all of you' });
    expect(sent.data.seq).toBe(3);
  });
});

describe('the picture of a group', () => {
  it('is an image that the creator has uploaded, and signed for each reader', async () => {
    const [ann, ben] = await makeFriends(app, ['Ann', 'Ben']);
    const image = await uploadOf(ann);
    const { status, data } = await create(ann, { name: 'Garden', participantIds: [ben.id], image });
    expect(status).toBe(201);
    const bens = await ben.http.get(`/api/chats/${data.id}`);
    for (const [chat, person] of [
      [data, ann],
      [bens.data, ben],
    ] as const) {
      expect(chat.image).toMatch(new RegExp(`^/api/media/${image}\\?reader=${person.id}&`));
      expect((await app.http().get(chat.image)).status).toBe(200);
    }
  });

  it('comes with a form too', async () => {
    const [ann, ben, cid] = await makeFriends(app, ['Ann', 'Ben', 'Cid']);
    const fields = { type: 'GROUP', name: 'Garden', participantIds: JSON.stringify([ben.id, cid.id]) };
    const { status, data } = await ann.http.multipart('POST', '/api/chats', fields, [PICTURE]);
    expect(status).toBe(201);
    expect(data.memberCount).toBe(3);
    const picture = await app.http().get(data.image);
    expect(picture).toMatchObject({ status: 200, headers: { 'content-type': 'image/webp' } });
  });

  it('comes with a form that names each person in a field of their own', async () => {
    const [ann, ben] = await makeFriends(app, ['Ann', 'Ben']);
    const fields = { type: 'GROUP', name: 'Garden', participantIds: ben.id };
    const { status, data } = await ann.http.multipart('POST', '/api/chats', fields, [PICTURE]);
    expect(status).toBe(201);
    expect(data.memberCount).toBe(2);
  });

  it('is refused when it is another’s, no image, or no picture at all', async () => {
    const [ann, ben] = await makeFriends(app, ['Ann', 'Ben']);
    const own = await uploadOf(ann);
    const others = await uploadOf(ben);
    const withImage = (image: string) => create(ann, { name: 'Garden', participantIds: [ben.id], image });
    for (const image of [others, UNKNOWN, 'no id']) {
      expect(await withImage(image)).toMatchObject({ status: 404, code: 'MEDIA_NOT_FOUND' });
    }
    await app.sql(`UPDATE media SET kind = 'DOCUMENT' WHERE id = $1`, [own]);
    expect(await withImage(own)).toMatchObject({ status: 422, code: 'UNPROCESSABLE' });
    const fields = { type: 'GROUP', name: 'Garden', participantIds: JSON.stringify([ben.id]) };
    const noPicture = { ...PICTURE, content: Buffer.from('no picture') };
    expect((await ann.http.multipart('POST', '/api/chats', fields, [noPicture])).status).toBe(415);
    expect((await ann.http.get('/api/chats')).data).toEqual([]);
  });
});

describe('changing a group', () => {
  it('renames it, with a SYSTEM message that the changer has read', async () => {
    const [ann, ben] = await makeFriends(app, ['Ann', 'Ben']);
    const chatId = await createGroup(ann, [ben.id]);
    const socket = await app.connect(ben);
    const renamed = await ann.http.patch(`/api/chats/${chatId}`, { name: 'Kitchen' });
    expect(renamed).toMatchObject({
      status: 200,
      data: { name: 'Kitchen', lastSeq: 1, unreadCount: 0, my: { readSeq: 1, deliveredSeq: 1 } },
    });
    const { message } = await socket.next('new-message');
    expect(message).toMatchObject({
      type: 'SYSTEM',
      senderId: null,
      seq: 1,
      text: 'Ann named the group “Kitchen”.',
    });
    expect((await ben.http.get(`/api/chats/${chatId}`)).data).toMatchObject({
      name: 'Kitchen',
      unreadCount: 1,
      lastMessage: { type: 'SYSTEM', text: 'Ann named the group “Kitchen”.' },
    });
    socket.disconnect();
  });

  it('changes nothing and says nothing when there is nothing new', async () => {
    const [ann, ben] = await makeFriends(app, ['Ann', 'Ben']);
    const chatId = await createGroup(ann, [ben.id], 'Garden');
    for (const body of [{}, { name: 'Garden' }, { image: null }]) {
      expect(await ann.http.patch(`/api/chats/${chatId}`, body)).toMatchObject({
        status: 200,
        data: { name: 'Garden', lastSeq: 0 },
      });
    }
  });

  it('gives it a picture, another, and none', async () => {
    const [ann, ben] = await makeFriends(app, ['Ann', 'Ben']);
    const chatId = await createGroup(ann, [ben.id]);
    const image = await uploadOf(ann);
    const first = await ann.http.patch(`/api/chats/${chatId}`, { image });
    expect(first.data.image).toContain(image);
    const second = await ann.http.multipart('PATCH', `/api/chats/${chatId}`, { name: 'Kitchen' }, [PICTURE]);
    expect(second).toMatchObject({ status: 200, data: { name: 'Kitchen', lastSeq: 3 } });
    expect(second.data.image).not.toContain(image);
    expect((await app.http().get(second.data.image)).status).toBe(200);
    const none = await ann.http.patch(`/api/chats/${chatId}`, { image: null });
    expect(none.data.image).toBeNull();
    expect(await textsOf(ben, chatId)).toEqual([
      'Ann changed the picture of the group.',
      'Ann named the group “Kitchen”.',
      'Ann changed the picture of the group.',
      'Ann removed the picture of the group.',
    ]);
  });

  it('keeps nothing of a picture that comes from somebody who may not', async () => {
    const [ann, ben] = await makeFriends(app, ['Ann', 'Ben']);
    const chatId = await createGroup(ann, [ben.id]);
    const refused = await ben.http.multipart('PATCH', `/api/chats/${chatId}`, {}, [PICTURE]);
    expect(refused).toMatchObject({ status: 403, code: 'NOT_A_GROUP_ADMIN' });
    expect(await app.sql('SELECT id FROM media WHERE owner_id = $1', [ben.id])).toEqual([]);
  });

  it.each([
    [{ name: '' }, 'name'],
    [{ name: null }, 'name'],
    [{ name: 'x'.repeat(101) }, 'name'],
    [{ image: 7 }, 'image'],
    [{ type: 'PRIVATE' }, 'type'],
  ])('refuses %j and names the field', async (body, field) => {
    const [ann, ben] = await makeFriends(app, ['Ann', 'Ben']);
    const chatId = await createGroup(ann, [ben.id]);
    const answer = await ann.http.patch(`/api/chats/${chatId}`, body);
    expect(answer).toMatchObject({ status: 400, code: 'VALIDATION_FAILED' });
    const fields = answer.body.details.map((detail: { field: string }) => detail.field);
    expect([...new Set(fields)]).toEqual([field]);
    expect(await historyOf(ann, chatId)).toEqual([]);
  });

  it('renames of many at once leave one SYSTEM message each, without a gap', async () => {
    const [ann, ben] = await makeFriends(app, ['Ann', 'Ben']);
    const chatId = await createGroup(ann, [ben.id]);
    await Promise.all(
      Array.from({ length: 20 }, (_, i) => ann.http.patch(`/api/chats/${chatId}`, { name: `Name ${i}` })),
    );
    const history = (await historyOf(ben, chatId)) ?? [];
    expect(history.map((message) => message.seq)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    const { data } = await ben.http.get(`/api/chats/${chatId}`);
    expect(history.at(-1)?.text).toBe(`Ann named the group “${data.name}”.`);
  });
});
