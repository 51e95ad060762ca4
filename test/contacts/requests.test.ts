import { randomUUID } from 'node:crypto';
import { useApp } from '../support/app.js';
import { makeContacts } from '../support/people.js';

const app = useApp();

describe('a contact request', () => {
  it('is shown to both sides, each as they see it, and told to every device of the other', async () => {
    const [ann, ben] = [await app.registerUser({ name: 'Ann' }), await app.registerUser({ name: 'Ben' })];
    const [phone, laptop, own] = [await app.connect(ben), await app.connect(ben), await app.connect(ann)];

    const asked = await ann.http.post('/api/contacts/request', { userId: ben.id });

    expect(asked.status).toBe(201);
    expect(asked.data).toEqual({
      id: asked.data.id,
      user: { id: ben.id, name: 'Ben', profilePic: null, bio: null, online: true, lastSeenAt: null },
      status: 'PENDING',
      requestedByMe: true,
      createdAt: app.clock.now().toISOString(),
    });
    for (const device of [phone, laptop]) {
      const { contact } = await device.next('new-contact-request');
      expect(contact).toMatchObject({
        id: asked.data.id,
        user: { id: ann.id, name: 'Ann' },
        status: 'PENDING',
        requestedByMe: false,
      });
    }
    await own.expectNone('new-contact-request');
    expect((await ann.http.get('/api/contacts/pending')).data).toEqual([asked.data]);
    expect((await ben.http.get('/api/contacts/pending')).data).toMatchObject([
      { id: asked.data.id, user: { id: ann.id }, requestedByMe: false },
    ]);
    expect((await ann.http.get('/api/contacts')).data).toEqual([]);
  });

  it('is accepted by the addressee alone, once, and the requester is told', async () => {
    const [ann, ben, eve] = await Promise.all([app.registerUser(), app.registerUser(), app.registerUser()]);
    const [annsDevice, bensDevice] = [await app.connect(ann), await app.connect(ben)];
    const { data: request } = await ann.http.post('/api/contacts/request', { userId: ben.id });
    const path = `/api/contacts/request/${request.id}/accept`;

    expect(await ann.http.patch(path)).toMatchObject({ status: 403, code: 'FORBIDDEN' });
    expect(await eve.http.patch(path)).toMatchObject({ status: 404, code: 'CONTACT_NOT_FOUND' });
    const accepted = await ben.http.patch(path);

    expect(accepted.status).toBe(200);
    expect(accepted.data).toMatchObject({
      id: request.id,
      user: { id: ann.id },
      status: 'ACCEPTED',
      requestedByMe: false,
      createdAt: request.createdAt,
    });
    const { contact } = await annsDevice.next('contact-request-accepted');
    expect(contact).toMatchObject({
      id: request.id,
      user: { id: ben.id },
      status: 'ACCEPTED',
      requestedByMe: true,
    });
    await bensDevice.expectNone('contact-request-accepted');
    expect(await ben.http.patch(path)).toMatchObject({ status: 409, code: 'CONFLICT' });
    for (const [one, other] of [
      [ann, ben],
      [ben, ann],
    ] as const) {
      expect((await one.http.get('/api/contacts')).data).toMatchObject([
        { id: request.id, user: { id: other.id } },
      ]);
      expect((await one.http.get('/api/contacts/pending')).data).toEqual([]);
    }
  });

  it('is declined by the addressee alone, the requester is told, and may ask again', async () => {
    const [ann, ben, eve] = await Promise.all([app.registerUser(), app.registerUser(), app.registerUser()]);
    const annsDevice = await app.connect(ann);
    const { data: request } = await ann.http.post('/api/contacts/request', { userId: ben.id });
    const path = `/api/contacts/request/${request.id}/reject`;

    expect(await ann.http.delete(path)).toMatchObject({ status: 403, code: 'FORBIDDEN' });
    expect(await eve.http.delete(path)).toMatchObject({ status: 404, code: 'CONTACT_NOT_FOUND' });
    expect(await ben.http.delete(path)).toMatchObject({ status: 200, data: null });

    expect(await annsDevice.next('contact-request-rejected')).toEqual({
      requestId: request.id,
      receiverId: ben.id,
    });
    expect(await ben.http.delete(path)).toMatchObject({ status: 404, code: 'CONTACT_NOT_FOUND' });
    expect((await ann.http.get('/api/contacts/pending')).data).toEqual([]);
    expect((await ann.http.post('/api/contacts/request', { userId: ben.id })).status).toBe(201);
  });

  it('back to a pending requester accepts, answers 200 and tells the first requester', async () => {
    const [ann, ben] = await Promise.all([app.registerUser(), app.registerUser()]);
    const [annsDevice, bensDevice] = [await app.connect(ann), await app.connect(ben)];
    const { data: request } = await ann.http.post('/api/contacts/request', { userId: ben.id });
    await bensDevice.next('new-contact-request');

    const back = await ben.http.post('/api/contacts/request', { userId: ann.id });

    expect(back.status).toBe(200);
    expect(back.data).toMatchObject({ id: request.id, status: 'ACCEPTED', requestedByMe: false });
    expect((await annsDevice.next('contact-request-accepted')).contact).toMatchObject({
      id: request.id,
      user: { id: ben.id },
      requestedByMe: true,
    });
    await annsDevice.expectNone('new-contact-request');
  });

  it('is refused when there is one already, whatever its state', async () => {
    const [ann, ben] = await Promise.all([app.registerUser(), app.registerUser()]);
    const ask = (): Promise<unknown> => ann.http.post('/api/contacts/request', { userId: ben.id });
    const contactId = (await ann.http.post('/api/contacts/request', { userId: ben.id })).data.id;

    expect(await ask()).toMatchObject({ status: 409, code: 'CONTACT_EXISTS' });
    await ben.http.patch(`/api/contacts/request/${contactId}/accept`);
    expect(await ask()).toMatchObject({ status: 409, code: 'CONTACT_EXISTS' });
    const back = await ben.http.post('/api/contacts/request', { userId: ann.id });
    expect(back).toMatchObject({ status: 409, code: 'CONTACT_EXISTS' });
  });

  it('is refused to oneself and to nobody', async () => {
    const ann = await app.registerUser();
    const ask = (body: unknown): Promise<unknown> => ann.http.post('/api/contacts/request', body);

    expect(await ask({ userId: ann.id })).toMatchObject({ status: 422, code: 'UNPROCESSABLE' });
    for (const userId of [randomUUID(), 'nobody', randomUUID().toUpperCase()]) {
      expect(await ask({ userId })).toMatchObject({ status: 404, code: 'USER_NOT_FOUND' });
    }
    for (const body of [
      {},
      { userId: '' },
      { userId: 7 },
      { userId: 'x'.repeat(201) },
      { userId: [ann.id] },
    ]) {
      expect(await ask(body)).toMatchObject({ status: 400, code: 'VALIDATION_FAILED' });
    }
    const extra = await ann.http.post('/api/contacts/request', { userId: ann.id, note: 'hi' });
    expect(extra.body.details).toMatchObject([{ field: 'note' }]);
  });

  it('that nobody made is not found, and neither is an id of another form', async () => {
    const ann = await app.registerUser();
    for (const id of [randomUUID(), 'not-an-id']) {
      const answers = await Promise.all([
        ann.http.patch(`/api/contacts/request/${id}/accept`),
        ann.http.delete(`/api/contacts/request/${id}/reject`),
        ann.http.delete(`/api/contacts/${id}`),
      ]);
      for (const answer of answers) expect(answer).toMatchObject({ status: 404, code: 'CONTACT_NOT_FOUND' });
    }
  });
});

describe('a contact', () => {
  it('is ended by either side, and nobody else', async () => {
    const eve = await app.registerUser();
    for (const endedBy of ['requester', 'addressee']) {
      const [ann, ben] = await Promise.all([app.registerUser(), app.registerUser()]);
      const contactId = await makeContacts(ann, ben);
      const bensDevice = await app.connect(ben);

      expect(await eve.http.delete(`/api/contacts/${contactId}`)).toMatchObject({ status: 404 });
      const ended = await (endedBy === 'requester' ? ann : ben).http.delete(`/api/contacts/${contactId}`);

      expect(ended).toMatchObject({ status: 200, data: null });
      for (const one of [ann, ben]) expect((await one.http.get('/api/contacts')).data).toEqual([]);
      expect(await ann.http.delete(`/api/contacts/${contactId}`)).toMatchObject({ status: 404 });
      await bensDevice.expectNone('contact-request-rejected');
    }
  });

  it('that was never accepted is withdrawn by its requester without a word to the other', async () => {
    const [ann, ben] = await Promise.all([app.registerUser(), app.registerUser()]);
    const { data: request } = await ann.http.post('/api/contacts/request', { userId: ben.id });
    const annsDevice = await app.connect(ann);

    expect((await ann.http.delete(`/api/contacts/${request.id}`)).status).toBe(200);

    expect((await ben.http.get('/api/contacts/pending')).data).toEqual([]);
    expect(await ben.http.patch(`/api/contacts/request/${request.id}/accept`)).toMatchObject({ status: 404 });
    await annsDevice.expectNone('contact-request-rejected');
  });

  it('that was never accepted and is deleted by its addressee counts as declined', async () => {
    const [ann, ben] = await Promise.all([app.registerUser(), app.registerUser()]);
    const { data: request } = await ann.http.post('/api/contacts/request', { userId: ben.id });
    const annsDevice = await app.connect(ann);

    expect((await ben.http.delete(`/api/contacts/${request.id}`)).status).toBe(200);

    expect(await annsDevice.next('contact-request-rejected')).toEqual({
      requestId: request.id,
      receiverId: ben.id,
    });
  });

  it('is what a private chat needs', async () => {
    const [ann, ben] = await Promise.all([app.registerUser(), app.registerUser()]);
    const open = (userId: string): Promise<unknown> =>
      ann.http.post('/api/chats', { type: 'PRIVATE', participantIds: [userId] });

    expect(await open(randomUUID())).toMatchObject({ status: 404, code: 'USER_NOT_FOUND' });
    expect(await open(ben.id)).toMatchObject({ status: 403, code: 'NOT_A_CONTACT' });
    const { data: request } = await ann.http.post('/api/contacts/request', { userId: ben.id });
    expect(await open(ben.id)).toMatchObject({ status: 403, code: 'NOT_A_CONTACT' });
    await ben.http.patch(`/api/contacts/request/${request.id}/accept`);
    expect(await open(ben.id)).toMatchObject({ status: 201 });
  });

  it('goes with the account of either person', async () => {
    const [ann, ben, cem] = await Promise.all([app.registerUser(), app.registerUser(), app.registerUser()]);
    await makeContacts(ann, ben);
    await makeContacts(cem, ann);
    await cem.http.post('/api/contacts/request', { userId: ben.id });

    expect((await cem.http.delete('/api/auth/delete-profile', { password: cem.password })).status).toBe(200);

    expect((await ann.http.get('/api/contacts')).data).toMatchObject([{ user: { id: ben.id } }]);
    expect((await ben.http.get('/api/contacts/pending')).data).toEqual([]);
    const rows = await app.sql('SELECT 1 FROM contact WHERE $1 IN (requester_id, addressee_id)', [cem.id]);
    expect(rows).toEqual([]);
  });
});
