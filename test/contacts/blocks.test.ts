import { randomUUID } from 'node:crypto';
import { useApp, type TestPerson } from '../support/app.js';
import { makeContacts, makePair } from '../support/people.js';

const app = useApp();

const block = (by: TestPerson, whom: TestPerson) => by.http.post('/api/contacts/block', { userId: whom.id });
const unblock = (by: TestPerson, whom: TestPerson) => by.http.patch(`/api/contacts/unblock/${whom.id}`);

describe('a block', () => {
  it('works without a contact, once however often it is asked for, and tells the other', async () => {
    const [ann, ben] = [await app.registerUser(), await app.registerUser({ name: 'Ben' })];
    const [bensDevice, annsDevice] = [await app.connect(ben), await app.connect(ann)];

    const first = await block(ann, ben);
    app.clock.advance(1000);
    const second = await block(ann, ben);

    expect(first.status).toBe(200);
    expect(first.data).toMatchObject({
      user: { id: ben.id, name: 'Ben' },
      blockedAt: new Date(app.clock.nowMs() - 1000).toISOString(),
    });
    expect(second.status).toBe(200);
    expect(second.data).toEqual(first.data);
    expect(await bensDevice.next('blocked-by-contact')).toEqual({ blockerId: ann.id });
    await bensDevice.barrier();
    expect(bensDevice.all('blocked-by-contact')).toHaveLength(1);
    await annsDevice.expectNone('blocked-by-contact');
    expect((await ann.http.get('/api/contacts/blocked')).data).toEqual([first.data]);
    expect((await ben.http.get('/api/contacts/blocked')).data).toEqual([]);
  });

  it('hides the contact from both and gives it back with the unblock', async () => {
    const [ann, ben] = await Promise.all([app.registerUser(), app.registerUser()]);
    const contactId = await makeContacts(ann, ben);
    const before = (await ann.http.get('/api/contacts')).data;
    const bensDevice = await app.connect(ben);

    await block(ann, ben);
    for (const one of [ann, ben]) expect((await one.http.get('/api/contacts')).data).toEqual([]);

    expect(await unblock(ann, ben)).toMatchObject({ status: 200, data: null });
    expect(await bensDevice.next('unblocked-by-contact')).toEqual({ unblockerId: ann.id });
    expect((await ann.http.get('/api/contacts')).data).toMatchObject([
      { id: contactId, createdAt: before[0].createdAt },
    ]);
    expect((await ben.http.get('/api/contacts')).data).toMatchObject([{ id: contactId, status: 'ACCEPTED' }]);
  });

  it('keeps a pending request from being seen or answered, and gives it back with the unblock', async () => {
    for (const blockedBy of ['requester', 'addressee']) {
      const [ann, ben] = await Promise.all([app.registerUser(), app.registerUser()]);
      const { data: request } = await ann.http.post('/api/contacts/request', { userId: ben.id });
      const [blocker, other] = blockedBy === 'requester' ? [ann, ben] : [ben, ann];

      await block(blocker, other);

      for (const one of [ann, ben]) expect((await one.http.get('/api/contacts/pending')).data).toEqual([]);
      const accept = await ben.http.patch(`/api/contacts/request/${request.id}/accept`);
      expect(accept).toMatchObject({ status: 404, code: 'CONTACT_NOT_FOUND' });
      const reject = await ben.http.delete(`/api/contacts/request/${request.id}/reject`);
      expect(reject).toMatchObject({ status: 404, code: 'CONTACT_NOT_FOUND' });

      await unblock(blocker, other);
      expect((await ben.http.patch(`/api/contacts/request/${request.id}/accept`)).status).toBe(200);
    }
  });

  it('makes each unknown to the requests of the other', async () => {
    const [ann, ben] = await Promise.all([app.registerUser(), app.registerUser()]);
    await block(ann, ben);
    for (const [from, to] of [
      [ann, ben],
      [ben, ann],
    ] as const) {
      const asked = await from.http.post('/api/contacts/request', { userId: to.id });
      expect(asked).toMatchObject({ status: 404, code: 'USER_NOT_FOUND' });
    }
    await unblock(ann, ben);
    expect((await ben.http.post('/api/contacts/request', { userId: ann.id })).status).toBe(201);
  });

  it('silences a private chat both ways until it is taken back, and leaves its history', async () => {
    const { ann, ben, chatId } = await makePair(app);
    const send = (by: TestPerson) => by.http.post(`/api/chats/${chatId}/messages`, { text: 'hello' });
    expect((await send(ann)).status).toBe(201);

    await block(ben, ann);

    for (const one of [ann, ben]) {
      expect(await send(one)).toMatchObject({ status: 403, code: 'BLOCKED' });
      expect((await one.http.get(`/api/chats/${chatId}/messages`)).data).toMatchObject([{ text: 'hello' }]);
    }
    await unblock(ben, ann);
    for (const one of [ann, ben]) expect((await send(one)).status).toBe(201);
  });

  it('keeps a private chat from being made', async () => {
    const [ann, ben] = await Promise.all([app.registerUser(), app.registerUser()]);
    await makeContacts(ann, ben);
    await block(ann, ben);
    for (const [from, to] of [
      [ann, ben],
      [ben, ann],
    ] as const) {
      const made = await from.http.post('/api/chats', { type: 'PRIVATE', participantIds: [to.id] });
      expect(made).toMatchObject({ status: 403, code: 'BLOCKED' });
    }
  });

  it('of each by the other ends only when both take theirs back', async () => {
    const { ann, ben, chatId } = await makePair(app);
    const send = () => ann.http.post(`/api/chats/${chatId}/messages`, { text: 'hello' });
    await block(ann, ben);
    await block(ben, ann);
    expect((await ben.http.get('/api/contacts/blocked')).data).toMatchObject([{ user: { id: ann.id } }]);

    await unblock(ann, ben);
    expect(await send()).toMatchObject({ status: 403, code: 'BLOCKED' });
    await unblock(ben, ann);
    expect((await send()).status).toBe(201);
  });

  it('is refused of oneself and of nobody', async () => {
    const ann = await app.registerUser();
    expect(await block(ann, ann)).toMatchObject({ status: 422, code: 'UNPROCESSABLE' });
    for (const userId of [randomUUID(), 'nobody']) {
      const answer = await ann.http.post('/api/contacts/block', { userId });
      expect(answer).toMatchObject({ status: 404, code: 'USER_NOT_FOUND' });
    }
  });

  it('cannot be taken back where there is none', async () => {
    const [ann, ben] = await Promise.all([app.registerUser(), app.registerUser()]);
    await block(ben, ann);
    const bensDevice = await app.connect(ben);
    for (const userId of [ben.id, ann.id, randomUUID(), 'nobody']) {
      const answer = await ann.http.patch(`/api/contacts/unblock/${userId}`);
      expect(answer).toMatchObject({ status: 404, code: 'USER_NOT_FOUND' });
    }
    await bensDevice.expectNone('unblocked-by-contact');
  });

  it('does not keep the contact from being ended', async () => {
    const [ann, ben] = await Promise.all([app.registerUser(), app.registerUser()]);
    const contactId = await makeContacts(ann, ben);
    await block(ann, ben);
    expect((await ann.http.delete(`/api/contacts/${contactId}`)).status).toBe(200);
    await unblock(ann, ben);
    expect((await ann.http.get('/api/contacts')).data).toEqual([]);
  });

  it('goes with the account of either person', async () => {
    const [ann, ben, cem] = await Promise.all([app.registerUser(), app.registerUser(), app.registerUser()]);
    await block(ann, cem);
    await block(cem, ben);

    await cem.http.delete('/api/auth/delete-profile', { password: cem.password });

    expect((await ann.http.get('/api/contacts/blocked')).data).toEqual([]);
    expect(await app.sql('SELECT 1 FROM block WHERE $1 IN (blocker_id, blocked_id)', [cem.id])).toEqual([]);
  });
});
