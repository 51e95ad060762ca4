import { randomUUID } from 'node:crypto';
import { useApp, type TestPerson } from '../support/app.js';
import { makeContacts, makePair } from '../support/people.js';

const app = useApp();

async function pages(by: TestPerson, path: string, limit: number): Promise<unknown[][]> {
  const all: unknown[][] = [];
  let cursor = '';
  do {
    const answer = await by.http.get<unknown[]>(`${path}?limit=${limit}${cursor && `&cursor=${cursor}`}`);
    expect(answer.status).toBe(200);
    all.push(answer.data);
    cursor = answer.page.nextCursor ?? '';
  } while (cursor);
  return all;
}

const userIdsOf = (items: unknown[]): string[] =>
  (items as { user: { id: string } }[]).map(({ user }) => user.id);

describe('the lists of contacts, requests and blocks', () => {
  it('come in pages, newest first, also where times are equal', async () => {
    const me = await app.registerUser();
    const people = await Promise.all(Array.from({ length: 5 }, () => app.registerUser()));
    for (const [index, person] of people.entries()) {
      if (index !== 2) app.clock.advance(1000);
      await makeContacts(person, me);
    }
    const newestFirst = people.map(({ id }) => id).reverse();

    const shown = await pages(me, '/api/contacts', 2);

    expect(shown.map((page) => page.length)).toEqual([2, 2, 1]);
    const ids = userIdsOf(shown.flat());
    expect([...ids].sort()).toEqual([...newestFirst].sort());
    expect([ids[0], ids[1], ids[4]]).toEqual([newestFirst[0], newestFirst[1], newestFirst[4]]);

    for (const person of people) {
      app.clock.advance(1000);
      await me.http.post('/api/contacts/block', { userId: person.id });
    }
    expect(userIdsOf((await pages(me, '/api/contacts/blocked', 2)).flat())).toEqual(newestFirst);
    expect(await pages(me, '/api/contacts', 2)).toEqual([[]]);
  });

  it('of requests holds both directions', async () => {
    const [me, first, second] = await Promise.all([
      app.registerUser(),
      app.registerUser(),
      app.registerUser(),
    ]);
    await me.http.post('/api/contacts/request', { userId: first.id });
    app.clock.advance(1);
    await second.http.post('/api/contacts/request', { userId: me.id });

    const shown = (await pages(me, '/api/contacts/pending', 1)).flat();

    expect(shown).toMatchObject([
      { user: { id: second.id }, requestedByMe: false, status: 'PENDING' },
      { user: { id: first.id }, requestedByMe: true, status: 'PENDING' },
    ]);
  });

  it('keep their place while rows come and go', async () => {
    const me = await app.registerUser();
    const people = await Promise.all(Array.from({ length: 4 }, () => app.registerUser()));
    const contactIds: string[] = [];
    for (const person of people) {
      app.clock.advance(1000);
      contactIds.push(await makeContacts(person, me));
    }
    const first = await me.http.get('/api/contacts?limit=2');
    app.clock.advance(1000);
    await makeContacts(await app.registerUser(), me);
    await me.http.delete(`/api/contacts/${contactIds[2]}`);

    const second = await me.http.get(`/api/contacts?limit=2&cursor=${first.page.nextCursor ?? ''}`);

    expect(userIdsOf(second.data)).toEqual([people[1]?.id, people[0]?.id]);
    expect(second.page.nextCursor).toBeNull();
  });

  it('refuse a cursor that is changed or of another list, and a bad limit', async () => {
    const [me, other] = await Promise.all([app.registerUser(), app.registerUser()]);
    await makeContacts(me, await app.registerUser());
    await makeContacts(me, await app.registerUser());
    const { nextCursor } = (await me.http.get('/api/contacts?limit=1')).page;
    const cursor = nextCursor ?? '';
    for (const [by, path, bad] of [
      [me, '/api/contacts', `x${cursor}`],
      [me, '/api/contacts/pending', cursor],
      [me, '/api/contacts/blocked', cursor],
      [other, '/api/contacts', cursor],
    ] as const) {
      expect(await by.http.get(`${path}?cursor=${bad}`)).toMatchObject({
        status: 400,
        code: 'INVALID_CURSOR',
      });
    }
    for (const limit of ['0', '101', 'many', '1.5']) {
      expect(await me.http.get(`/api/contacts?limit=${limit}`)).toMatchObject({ status: 400 });
    }
  });
});

describe('people by id', () => {
  const lookUp = (by: TestPerson, ids: readonly string[]) =>
    by.http.get<{ id: string }[]>(`/api/users?ids=${ids.join(',')}`);

  it('are those one shares a chat, a contact or a request with, and oneself', async () => {
    const { ann, ben, chatId } = await makePair(app);
    const [asked, asking, stranger] = await Promise.all([
      app.registerUser(),
      app.registerUser(),
      app.registerUser(),
    ]);
    await ann.http.post('/api/contacts/request', { userId: asked.id });
    await asking.http.post('/api/contacts/request', { userId: ann.id });
    const all = [stranger.id, asking.id, asked.id, ben.id, ann.id, randomUUID(), 'no-id', ben.id];

    const found = await lookUp(ann, all);

    expect(found.status).toBe(200);
    expect(found.data.map(({ id }) => id)).toEqual([asking.id, asked.id, ben.id, ann.id]);
    expect(found.data[2]).toEqual({
      id: ben.id,
      name: 'Ben',
      profilePic: null,
      bio: null,
      online: false,
      lastSeenAt: null,
    });
    expect((await lookUp(stranger, [ann.id, ben.id])).data).toEqual([]);

    // The chat alone keeps them known.
    const [contact] = (await ann.http.get('/api/contacts')).data;
    await ann.http.delete(`/api/contacts/${contact.id}`);
    expect((await ann.http.get(`/api/chats/${chatId}`)).status).toBe(200);
    expect((await lookUp(ann, [ben.id])).data).toMatchObject([{ id: ben.id }]);
  });

  it('stay readable past a block, without their presence', async () => {
    const { ann, ben } = await makePair(app);
    await app.connect(ben);
    expect((await lookUp(ann, [ben.id])).data).toMatchObject([{ id: ben.id, online: true }]);
    await ben.http.post('/api/contacts/block', { userId: ann.id });
    expect((await lookUp(ann, [ben.id])).data).toMatchObject([
      { id: ben.id, online: false, lastSeenAt: null },
    ]);
  });

  it('are refused above a hundred, and when none is named', async () => {
    const me = await app.registerUser();
    expect(
      (
        await lookUp(
          me,
          Array.from({ length: 100 }, () => randomUUID()),
        )
      ).status,
    ).toBe(200);
    for (const path of [
      `/api/users?ids=${Array.from({ length: 101 }, () => randomUUID()).join(',')}`,
      '/api/users',
      '/api/users?ids=',
      `/api/users?ids=${me.id},`,
    ]) {
      const answer = await me.http.get(path);
      expect(answer).toMatchObject({ status: 400, code: 'VALIDATION_FAILED' });
      expect(answer.body.details[0].field).toBe('ids');
    }
  });
});
