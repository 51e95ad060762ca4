import { useApp, type TestPerson } from '../support/app.js';
import type { Answer } from '../support/http.js';
import { makeContacts, makePair, makePrivateChat } from '../support/people.js';

const app = useApp();

interface Found {
  id: string;
  chatId: string;
  seq: number;
  text: string;
}

function path(query: string, rest: Record<string, string | number> = {}): string {
  const parameters = new URLSearchParams({ query });
  for (const [name, value] of Object.entries(rest)) parameters.set(name, String(value));
  return `/api/chats/messages/search?${parameters.toString()}`;
}

async function search(
  person: TestPerson,
  query: string,
  rest: Record<string, string | number> = {},
): Promise<Found[]> {
  const answer = await person.http.get<Found[]>(path(query, rest));
  expect(answer.status).toBe(200);
  return answer.data;
}

async function texts(person: TestPerson, query: string, rest: Record<string, string | number> = {}) {
  return (await search(person, query, rest)).map((message) => message.text);
}

async function send(person: TestPerson, chatId: string, text: string): Promise<Found> {
  const answer = await person.http.post<Found>(`/api/chats/${chatId}/messages`, { text });
  expect(answer.status).toBe(201);
  app.clock.advance(1_000);
  return answer.data;
}

describe('what is found', () => {
  let ann: TestPerson;
  let ben: TestPerson;
  let cid: TestPerson;
  let withBen: string;
  let withCid: string;

  beforeAll(async () => {
    ({ ann, ben, chatId: withBen } = await makePair(app));
    cid = await app.registerUser();
    withCid = await makePrivateChat(ann, cid);
    await send(ann, withBen, 'See you in the CAFÉ');
    await send(ben, withBen, 'The café is closed; 明天在东京见面');
    await send(cid, withCid, 'café? いいね、日本語で');
    await send(ann, withCid, 'Nothing of interest');
  });

  it('is in all chats, newest first, as the history shows it', async () => {
    const found = await search(ann, 'cafe');
    expect(found.map(({ chatId, seq }) => [chatId, seq])).toEqual([
      [withCid, 1],
      [withBen, 2],
      [withBen, 1],
    ]);
    const history = await Promise.all(
      [withCid, withBen].map((id) => ann.http.get<Found[]>(`/api/chats/${id}/messages`)),
    );
    const shown = history.flatMap((answer) => answer.data);
    for (const message of found) expect(shown).toContainEqual(message);
  });

  it('is in one chat alone when one is named', async () => {
    expect(await texts(ann, 'café', { chatId: withCid })).toEqual(['café? いいね、日本語で']);
  });

  it('has every word, the last perhaps not whole', async () => {
    expect(await texts(ann, 'the caf')).toEqual([
      'The café is closed; 明天在东京见面',
      'See you in the CAFÉ',
    ]);
    expect(await texts(ann, 'clos the')).toEqual([]);
    expect(await texts(ann, 'closed the')).toHaveLength(1);
  });

  it.each(['东', '面', '东京', '在东京见', 'the 东京', '日', '本語で', 'ね'])(
    'is found by %s too',
    async (query) => {
      expect(await search(ann, query)).toHaveLength(1);
    },
  );

  it('is nothing for what has no term, and for what looks like the index or its language', async () => {
    const prefix = `${withBen.slice(0, 8)}0:cafe`;
    for (const query of ['?!', '…', '%', "'", "':*", 'zebra', `${prefix}x`, "zebra' | 'the", '!cafe & zebra'])
      expect([query, await texts(ann, query)]).toEqual([query, []]);
  });

  it('is found by operators and quotes as if they were spaces', async () => {
    for (const query of ["'cafe'", 'cafe:*', 'cafe & the', '"café" | the', "\\cafe\\'", 'cafe <-> closed'])
      expect([query, (await texts(ann, query)).length > 0]).toEqual([query, true]);
  });

  it('is refused with the field named when the query cannot be one', async () => {
    for (const query of ['', '  ', 'x'.repeat(201), 'x'.repeat(1_000), 'a\u0000b']) {
      const answer = await ann.http.get(path(query));
      expect([query.length, answer.status, answer.code]).toEqual([query.length, 400, 'VALIDATION_FAILED']);
      expect(answer.body.details[0].field).toBe('query');
    }
    expect(await ann.http.get('/api/chats/messages/search')).toMatchObject({ status: 400 });
    expect(await ann.http.get('/api/chats/messages/search?query=a&query=b')).toMatchObject({ status: 400 });
    expect(await search(ann, `cafe ${'word '.repeat(39)}`.trim())).toEqual([]);
  });

  it('of a chat that is not theirs is not told', async () => {
    for (const chatId of [withBen, 'no-id', '00000000-0000-4000-8000-000000000000']) {
      expect(await cid.http.get(path('cafe', { chatId }))).toMatchObject({
        status: 404,
        code: 'CHAT_NOT_FOUND',
      });
    }
    const stranger = await app.registerUser();
    expect(await search(stranger, 'cafe')).toEqual([]);
    expect((await search(cid, 'cafe')).map(({ chatId }) => chatId)).toEqual([withCid]);
  });
});

describe.each([
  ['by looking at the newest messages', () => Promise.resolve()],
  ['by the index', (chatId: string) => padUntilIndexed(chatId)],
] as const)('%s, what one may not see is not found', (_way, putBehind) => {
  it('before joining, after clearing', async () => {
    const { ann, ben, chatId } = await makePair(app);
    for (const n of [1, 2, 3]) await send(ann, chatId, `pelican ${n}`);
    await putBehind(chatId);
    await app.sql('UPDATE member SET joined_seq = 1 WHERE chat_id = $1 AND user_id = $2', [chatId, ben.id]);
    expect(await texts(ben, 'pelican')).toEqual(['pelican 3', 'pelican 2']);
    await app.sql('UPDATE member SET cleared_seq = 2 WHERE chat_id = $1 AND user_id = $2', [chatId, ben.id]);
    expect(await texts(ben, 'pelican')).toEqual(['pelican 3']);
    expect(await texts(ann, 'pelican')).toHaveLength(3);
  });

  it('hidden by oneself, deleted by its sender, and found by its new words alone once edited', async () => {
    const { ann, ben, chatId } = await makePair(app);
    const [hidden, deleted, edited] = [
      await send(ann, chatId, 'walrus hidden'),
      await send(ann, chatId, 'walrus deleted'),
      await send(ann, chatId, 'walrus edited'),
    ];
    expect((await ben.http.delete(`/api/chats/messages/${hidden.id}`)).status).toBe(200);
    expect((await ann.http.delete(`/api/chats/messages/${deleted.id}?for=everyone`)).status).toBe(200);
    const edit = await ann.http.patch(`/api/chats/messages/${edited.id}`, { text: 'a seal, 海豹' });
    expect(edit.status).toBe(200);
    await putBehind(chatId);
    expect(await texts(ben, 'walrus')).toEqual([]);
    expect(await texts(ann, 'walrus')).toEqual(['walrus hidden']);
    expect(await texts(ben, '海豹')).toEqual(['a seal, 海豹']);
    expect(await texts(ben, 'seal')).toEqual(['a seal, 海豹']);
  });

  it('in a chat one has left', async () => {
    const { ann, ben, chatId } = await makePair(app);
    await send(ann, chatId, 'ostrich');
    await putBehind(chatId);
    await app.sql('UPDATE member SET left_at = now() WHERE chat_id = $1 AND user_id = $2', [chatId, ben.id]);
    expect(await texts(ben, 'ostrich')).toEqual([]);
    expect(await ben.http.get(path('ostrich', { chatId }))).toMatchObject({ status: 404 });
  });

  it('in a chat whose id begins as one’s own does', async () => {
    const { ann, ben, chatId } = await makePair(app);
    const other = await makePair(app);
    await send(ann, chatId, 'flamingo here');
    const twin = chatId.slice(0, 8) + other.chatId.slice(8);
    await app.sql(
      `WITH c AS (INSERT INTO chat (id, type, name, last_seq, created_at, updated_at)
          SELECT $1, 'GROUP', 'Twin', 1, created_at, updated_at FROM chat WHERE id = $2)
        INSERT INTO message (chat_id, seq, sender_id, client_key, type, text, created_at, search)
        SELECT $1, 1, $3, 's:twin', 'TEXT', 'flamingo there', now(), search_vector(search_prefix($1, 1), 'flamingo there')`,
      [twin, chatId, other.ann.id],
    );
    await putBehind(chatId);
    expect(await texts(ben, 'flamingo')).toEqual(['flamingo here']);
  });

  it('but what was said before a block is', async () => {
    const { ann, ben, chatId } = await makePair(app);
    await send(ann, chatId, 'cormorant');
    await putBehind(chatId);
    expect((await ben.http.post('/api/contacts/block', { userId: ann.id })).status).toBe(200);
    expect(await texts(ann, 'cormorant')).toEqual(['cormorant']);
    expect(await texts(ben, 'cormorant')).toEqual(['cormorant']);
  });
});

/** Puts so many messages behind those of a chat that a look at the newest ones does not reach them. */
async function padUntilIndexed(chatId: string): Promise<void> {
  await app.sql(
    `WITH padded AS (
        UPDATE chat SET last_seq = last_seq + 5000 WHERE id = $1 RETURNING last_seq - 5000 AS from_seq, updated_at)
      INSERT INTO message (chat_id, seq, client_key, type, text, created_at)
      SELECT $1, from_seq + n, 's:' || n, 'TEXT', 'padding', updated_at
      FROM padded, generate_series(1, 5000) AS n`,
    [chatId],
  );
}

describe('what lies far back', () => {
  it('is found by the index, over blocks of a chat, and while it waits to be put there', async () => {
    const { ann, chatId } = await makePair(app);
    for (const text of ['albatross one', 'albatross two', '信天翁']) await send(ann, chatId, text);
    await padUntilIndexed(chatId);
    await send(ann, chatId, 'albatross three');
    await padUntilIndexed(chatId);
    const found = await search(ann, 'albatross');
    expect(found.map(({ seq }) => seq)).toEqual([5_004, 2, 1]);
    expect(await texts(ann, 'albat', { chatId })).toEqual([
      'albatross three',
      'albatross two',
      'albatross one',
    ]);
    expect(await texts(ann, '天')).toEqual(['信天翁']);
    const first = await ann.http.get<Found[]>(path('albatross', { limit: 1, chatId }));
    const second = await ann.http.get<Found[]>(
      path('albatross', { limit: 2, chatId, cursor: first.page.nextCursor! }),
    );
    expect([...first.data, ...second.data].map(({ seq }) => seq)).toEqual([5_004, 2, 1]);
    expect(second.page.nextCursor).toBeNull();
  });
});

describe('pages', () => {
  it('follow one another while messages arrive, and end', async () => {
    const { ann, ben, chatId } = await makePair(app);
    const cid = await app.registerUser();
    const other = await makePrivateChat(ann, cid);
    for (let n = 1; n <= 12; n++)
      await send(n % 3 === 0 ? cid : ben, n % 3 === 0 ? other : chatId, `heron ${n}`);
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const answer: Answer<Found[]> = await ann.http.get(
        path('heron', { limit: 5, ...(cursor && { cursor }) }),
      );
      expect(answer.status).toBe(200);
      seen.push(...answer.data.map(({ text }) => text));
      cursor = answer.page.nextCursor;
      await send(ben, chatId, 'heron that came later');
    } while (cursor);
    expect(seen).toEqual(Array.from({ length: 12 }, (_, i) => `heron ${12 - i}`));
  });

  it('of another query, chat or person are refused, and so is a changed cursor', async () => {
    const { ann, ben, chatId } = await makePair(app);
    for (let n = 0; n < 3; n++) await send(ann, chatId, 'ibis');
    const { page } = await ann.http.get(path('ibis', { limit: 1 }));
    const cursor = page.nextCursor!;
    expect((await ann.http.get(path('ibis', { cursor }))).status).toBe(200);
    for (const [person, query, rest] of [
      [ann, 'other', {}],
      [ann, 'ibis', { chatId }],
      [ben, 'ibis', {}],
    ] as const) {
      const answer = await person.http.get(path(query, { cursor, ...rest }));
      expect(answer).toMatchObject({ status: 400, code: 'INVALID_CURSOR' });
    }
    const changed = cursor.replace(/^./, (first) => (first === 'A' ? 'B' : 'A'));
    expect(await ann.http.get(path('ibis', { cursor: changed }))).toMatchObject({ code: 'INVALID_CURSOR' });
  });
});

describe('the marks of what is found', () => {
  it('are those that the history shows', async () => {
    const { ann, ben, chatId } = await makePair(app);
    await send(ann, chatId, 'a puffin');
    await makeContacts(ann, await app.registerUser());
    await ben.http.post(`/api/chats/${chatId}/messages/read`, {});
    expect((await search(ann, 'puffin'))[0]).toMatchObject({ status: 'READ', senderId: ann.id });
  });
});

describe('the limit on searches', () => {
  const limited = useApp({ config: { rateLimits: true } });

  it('counts these searches too', async () => {
    const person = await limited.registerUser();
    const answer = await person.http.get(path('anything'));
    expect(answer.headers['ratelimit-policy']).toBe('"searches";q=60;w=60');
  });
});
