import { randomUUID } from 'node:crypto';
import { useApp, type TestPerson } from '../support/app.js';
import { makeContacts } from '../support/people.js';

const app = useApp();

const search = (by: TestPerson, query: string, more = '') =>
  by.http.get<{ id: string; name: string; relationship: string }[]>(
    `/api/contacts/search?query=${encodeURIComponent(query)}${more}`,
  );

const idsFound = async (by: TestPerson, query: string): Promise<string[]> =>
  (await search(by, query)).data.map(({ id }) => id);

/** Letters that no other name in this file begins with. */
const uniqueName = (): string => `n${randomUUID().replaceAll('-', '')}`;

describe('the search for people', () => {
  it('finds by the beginning of a name, without regard to case, accents and forms', async () => {
    const me = await app.registerUser();
    const tag = uniqueName();
    const jose = await app.registerUser({ name: `José ${tag}` });
    const joseph = await app.registerUser({ name: `JOSEPH ${tag}` });
    await app.registerUser({ name: `Ann José ${tag}` });

    const found = await search(me, `jose`);

    expect(found.status).toBe(200);
    const ids = found.data.map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining([jose.id, joseph.id]));
    expect(found.data.every(({ name }) => /^jos/i.test(name))).toBe(true);
    expect(await idsFound(me, `JOSÉ ${tag.toUpperCase()}`)).toEqual([jose.id]);
    expect(await idsFound(me, `ｊｏｓｅ ${tag}`)).toEqual([jose.id]);
    expect(found.data.find(({ id }) => id === jose.id)).toEqual({
      id: jose.id,
      name: `José ${tag}`,
      profilePic: null,
      bio: null,
      online: false,
      lastSeenAt: null,
      relationship: 'NONE',
    });
  });

  it('finds by a whole e-mail address in any case, and by no part of one', async () => {
    const me = await app.registerUser();
    const name = uniqueName();
    const ben = await app.registerUser({ email: `Ben.${name}@Example.com` });

    expect(await idsFound(me, `ben.${name}@example.COM`)).toEqual([ben.id]);
    expect(await idsFound(me, `ben.${name}`)).toEqual([]);
    expect(await idsFound(me, `ben.${name}@example.co`)).toEqual([]);
  });

  it('finds by a whole phone number however it is written, and by no part of one', async () => {
    const me = await app.registerUser();
    const ben = await app.registerUser({ phone: '+49 30 901820' });

    for (const query of ['+4930901820', '+49 (30) 90 18 20'])
      expect(await idsFound(me, query)).toEqual([ben.id]);
    expect(await idsFound(me, '+493090182')).toEqual([]);
    expect(await idsFound(me, '30901820')).toEqual([]);
  });

  it('takes signs that mean something to a pattern as they are', async () => {
    const me = await app.registerUser();
    const tag = uniqueName();
    const percent = await app.registerUser({ name: `%_\\${tag}` });
    await app.registerUser({ name: tag });

    expect(await idsFound(me, `%_\\${tag}`)).toEqual([percent.id]);
    for (const query of [`%${tag}`, `_${tag.slice(1)}`, `${tag.slice(0, -1)}_`, `.*${tag}`]) {
      expect(await idsFound(me, query)).toEqual([]);
    }
  });

  it('never finds the caller', async () => {
    const name = uniqueName();
    const me = await app.registerUser({ name, phone: '+442079460018' });
    for (const query of [name, me.email, '+442079460018']) expect(await idsFound(me, query)).toEqual([]);
  });

  it('says what each person is to the caller', async () => {
    const tag = uniqueName();
    const me = await app.registerUser();
    const named = (suffix: string): Promise<TestPerson> => app.registerUser({ name: `${tag} ${suffix}` });
    const stranger = await named('a');
    const asked = await named('b');
    const asking = await named('c');
    const friend = await named('d');
    const blocked = await named('e');
    await me.http.post('/api/contacts/request', { userId: asked.id });
    await asking.http.post('/api/contacts/request', { userId: me.id });
    await makeContacts(friend, me);
    await makeContacts(me, blocked);
    await me.http.post('/api/contacts/block', { userId: blocked.id });

    const found = (await search(me, tag)).data.map(({ id, relationship }) => [id, relationship]);

    expect(found).toEqual([
      [stranger.id, 'NONE'],
      [asked.id, 'PENDING_OUT'],
      [asking.id, 'PENDING_IN'],
      [friend.id, 'ACCEPTED'],
      [blocked.id, 'BLOCKED'],
    ]);
  });

  it('does not find who has blocked the caller, in no way', async () => {
    const name = uniqueName();
    const me = await app.registerUser();
    const blocker = await app.registerUser({ name, phone: '+33142685300' });
    expect(await idsFound(me, name)).toEqual([blocker.id]);

    await blocker.http.post('/api/contacts/block', { userId: me.id });
    // Blocking back must not give it away either.
    await me.http.post('/api/contacts/block', { userId: blocker.id });

    for (const query of [name, blocker.email, '+33142685300']) expect(await idsFound(me, query)).toEqual([]);
    await blocker.http.patch(`/api/contacts/unblock/${me.id}`);
    expect(await idsFound(me, name)).toEqual([blocker.id]);
  });

  it('pages through equal names without losing or repeating one', async () => {
    const me = await app.registerUser();
    const tag = uniqueName();
    const names = [`${tag} b`, `${tag} a`, `${tag} b`, `${tag} b`, tag, `${tag} a`, `${tag} é`];
    const people = await Promise.all(names.map((name) => app.registerUser({ name })));
    const seen: { id: string; name: string }[] = [];
    let cursor = '';
    do {
      const page = await search(me, tag, `&limit=2${cursor && `&cursor=${cursor}`}`);
      expect(page.data.length).toBeLessThanOrEqual(2);
      seen.push(...page.data);
      cursor = page.page.nextCursor ?? '';
    } while (cursor);

    expect(seen.map(({ id }) => id).sort()).toEqual(people.map(({ id }) => id).sort());
    expect(seen.map(({ name }) => name)).toEqual([
      tag,
      `${tag} a`,
      `${tag} a`,
      `${tag} b`,
      `${tag} b`,
      `${tag} b`,
      `${tag} é`,
    ]);
  });

  it('goes on after somebody who matched by something else than the name', async () => {
    const me = await app.registerUser();
    const email = `${uniqueName()}@example.com`;
    // The query is both this person's address and the beginning of the others' names.
    const owner = await app.registerUser({ name: 'Aaron', email });
    const others = await Promise.all(['x', 'y'].map((end) => app.registerUser({ name: `${email}${end}` })));

    const first = await search(me, email, '&limit=1');
    const second = await search(me, email, `&limit=5&cursor=${first.page.nextCursor ?? ''}`);

    expect(first.data.map(({ id }) => id)).toEqual([owner.id]);
    expect(second.data.map(({ id }) => id)).toEqual(others.map(({ id }) => id));
    expect(second.page.nextCursor).toBeNull();
  });

  it('refuses a query that is empty, white space, too long or missing, and a cursor of another one', async () => {
    const me = await app.registerUser();
    for (const query of ['', '  ', 'x'.repeat(101)]) {
      const answer = await search(me, query);
      expect(answer).toMatchObject({ status: 400, code: 'VALIDATION_FAILED' });
      expect(answer.body.details[0].field).toBe('query');
    }
    expect(await me.http.get('/api/contacts/search')).toMatchObject({ status: 400 });
    expect((await search(me, '👋'.repeat(100))).status).toBe(200);
    // Accents alone fold to nothing, with which every name would begin.
    expect(await search(me, '\u0301')).toMatchObject({ status: 200, data: [] });

    const tag = uniqueName();
    await Promise.all([app.registerUser({ name: `${tag}1` }), app.registerUser({ name: `${tag}2` })]);
    const { nextCursor } = (await search(me, tag, '&limit=1')).page;
    const other = await app.registerUser();
    for (const answer of [
      await search(me, `${tag}1`, `&cursor=${nextCursor ?? ''}`),
      await search(other, tag, `&cursor=${nextCursor ?? ''}`),
      await search(me, tag, '&cursor=abc.def'),
    ]) {
      expect(answer).toMatchObject({ status: 400, code: 'INVALID_CURSOR' });
    }
  });
});

describe('the limit on searches', () => {
  const limited = useApp({ env: { RATE_LIMITS: 'on' } });

  it('is 60 a minute, told in the headers', async () => {
    const me = await limited.registerUser();
    const first = await search(me, 'nobody');
    expect(first.headers['ratelimit-policy']).toBe('"searches";q=60;w=60');
    const answers = await Promise.all(Array.from({ length: 60 }, () => search(me, 'nobody')));
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(1);
  });
});
