import { useApp, type TestPerson } from '../support/app.js';
import { makeGroup, makePair, makePrivateChat } from '../support/people.js';

const app = useApp();

let ann: TestPerson;
let ben: TestPerson;
let chatId: string;

beforeEach(async () => {
  ({ ann, ben, chatId } = await makePair(app));
});

const send = async (person: TestPerson, chat = chatId, text = 'keep this'): Promise<string> =>
  (await person.http.post(`/api/chats/${chat}/messages`, { text })).data.id as string;
const star = (person: TestPerson, id: string) => person.http.put(`/api/chats/messages/${id}/star`);
const unstar = (person: TestPerson, id: string) => person.http.delete(`/api/chats/messages/${id}/star`);
const starredOf = async (person: TestPerson, query = '') => {
  const answer = await person.http.get(`/api/chats/messages/starred${query}`);
  expect(answer.status).toBe(200);
  return answer;
};
const idsOf = async (person: TestPerson): Promise<string[]> =>
  (await starredOf(person)).data.map((message: { id: string }) => message.id);

it('stars a message for oneself alone, without a revision of it', async () => {
  const id = await send(ben);
  const answer = await star(ann, id);
  expect(answer).toMatchObject({ status: 200, data: { id, starred: true, rev: 1 } });
  const flags = await Promise.all(
    [ann, ben].map(
      async (person) => (await person.http.get(`/api/chats/${chatId}/messages`)).data[0].starred,
    ),
  );
  expect(flags).toEqual([true, false]);
  expect((await starredOf(ann)).data).toEqual([answer.data]);
  expect(await idsOf(ben)).toEqual([]);
  expect(await unstar(ann, id)).toMatchObject({ status: 200, data: { id, starred: false, rev: 1 } });
  expect(await idsOf(ann)).toEqual([]);
});

it('tells all of one’s own devices of a change, nobody else, and of nothing that changes nothing', async () => {
  const id = await send(ben);
  const login = await app.http().post('/api/auth/login', { email: ann.email, password: ann.password });
  const own = [await app.connect(ann), await app.connect({ token: login.data.token })];
  const other = await app.connect(ben);
  await unstar(ann, id);
  await star(ann, id);
  await star(ann, id);
  await unstar(ann, id);
  await unstar(ann, id);
  for (const socket of own) {
    await socket.next('message-starred', (event) => event.starred === false);
    await socket.barrier();
    expect(socket.all('message-starred')).toEqual([
      { chatId, messageId: id, starred: true },
      { chatId, messageId: id, starred: false },
    ]);
  }
  await other.expectNone('message-starred');
});

it('keeps the place in the list when it is starred again, and takes a new one after an unstar', async () => {
  const [first, second] = [await send(ben), await send(ben)];
  for (const id of [first, second, first]) {
    app.clock.advance(1000);
    await star(ann, id);
  }
  expect(await idsOf(ann)).toEqual([second, first]);
  await unstar(ann, first);
  app.clock.advance(1000);
  await star(ann, first);
  expect(await idsOf(ann)).toEqual([first, second]);
});

it('lists them over all chats, newest star first, page by page, also when stars come and go', async () => {
  const cid = await app.registerUser();
  const other = await makePrivateChat(ann, cid);
  const ids: string[] = [];
  for (let i = 0; i < 9; i++) {
    ids.unshift(await send(ann, i % 2 === 0 ? chatId : other, `m${i}`));
    // Some in the same millisecond.
    if (i % 3 === 0) app.clock.advance(1);
    await star(ann, ids[0]!);
  }
  const seen: string[] = [];
  let query = '?limit=2';
  for (;;) {
    const { data, page } = await starredOf(ann, query);
    seen.push(...data.map((message: { id: string }) => message.id));
    if (page.nextCursor === null) break;
    if (seen.length === 2) {
      await unstar(ann, seen[1]!);
      app.clock.advance(1);
      await star(ann, await send(ben));
    }
    query = `?limit=2&cursor=${page.nextCursor}`;
  }
  expect(seen).toHaveLength(9);
  expect(new Set(seen)).toEqual(new Set(ids));
  const order = (await starredOf(ann, '?limit=100')).data.map((message: { id: string }) => message.id);
  expect(order.filter((id: string) => seen.includes(id))).toEqual(seen.filter((id) => id !== seen[1]));
});

it('shows the status that each message has in its chat', async () => {
  const cid = await app.registerUser();
  const other = await makePrivateChat(ann, cid);
  const [read, sent, bens] = [await send(ann), await send(ann, other), await send(ben)];
  await ben.http.post(`/api/chats/${chatId}/messages/read`, {});
  for (const id of [read, sent, bens]) {
    app.clock.advance(1);
    await star(ann, id);
  }
  const statuses = (await starredOf(ann)).data.map((message: { status: string }) => message.status);
  expect(statuses).toEqual(['SENT', 'SENT', 'READ']);
});

it('leaves out what is no longer visible: deleted, cleared, of a chat that was left', async () => {
  const cid = await app.registerUser();
  const group = await makeGroup(cid, [ann]);
  const chat = { type: 'PRIVATE', participantIds: [ann.id] };
  const kept = (await cid.http.post('/api/chats', chat)).data.id as string;
  const [deleted, hidden, cleared] = [await send(ben), await send(ben), await send(ben)];
  const [left, stays] = [await send(cid, group), await send(cid, kept)];
  for (const id of [deleted, hidden, cleared, left, stays]) expect((await star(ann, id)).status).toBe(200);
  await ben.http.delete(`/api/chats/messages/${deleted}?for=everyone`);
  await ann.http.delete(`/api/chats/messages/${hidden}`);
  expect(new Set(await idsOf(ann))).toEqual(new Set([cleared, left, stays]));
  expect((await ann.http.delete(`/api/chats/${chatId}`)).status).toBe(200);
  expect((await ann.http.post(`/api/chats/${group}/leave`)).status).toBe(200);
  expect(await idsOf(ann)).toEqual([stays]);
});

it('refuses what is not there to be starred', async () => {
  const id = await send(ben);
  const stranger = await app.registerUser();
  expect(await star(stranger, id)).toMatchObject({ status: 404, code: 'MESSAGE_NOT_FOUND' });
  expect(await unstar(stranger, id)).toMatchObject({ status: 404, code: 'MESSAGE_NOT_FOUND' });
  for (const absent of [`${chatId}.2`, 'x']) {
    expect(await star(ann, absent)).toMatchObject({ status: 404, code: 'MESSAGE_NOT_FOUND' });
  }
  await star(ann, id);
  await ben.http.delete(`/api/chats/messages/${id}?for=everyone`);
  expect((await unstar(ann, id)).data).toMatchObject({ starred: false, text: null });
  expect(await star(ann, id)).toMatchObject({ status: 422, code: 'MESSAGE_DELETED' });
});

it('refuses a cursor that somebody changed, or that is another’s', async () => {
  const [one, two] = [await send(ann), await send(ann)];
  for (const person of [ann, ben]) for (const id of [one, two]) await star(person, id);
  const { page } = await starredOf(ann, '?limit=1');
  const cursor = page.nextCursor!;
  for (const [person, bad] of [
    [ben, cursor],
    [ann, `x${cursor}`],
    [ann, 'x'],
  ] as const) {
    const answer = await person.http.get(`/api/chats/messages/starred?cursor=${bad}`);
    expect([answer.status, answer.code]).toEqual([400, 'INVALID_CURSOR']);
  }
});

it('happens once, also when it is asked for many times at the same time', async () => {
  const id = await send(ben);
  const socket = await app.connect(ann);
  const answers = await Promise.all(Array.from({ length: 8 }, () => star(ann, id)));
  expect(answers.every(({ status }) => status === 200)).toBe(true);
  await socket.barrier();
  expect(socket.all('message-starred')).toHaveLength(1);
});

it('goes with the account', async () => {
  const id = await send(ann);
  await star(ben, id);
  await ann.http.post(`/api/chats/${chatId}/messages`, { text: 'you', mentions: [ben.id] });
  await ben.http.delete('/api/auth/delete-profile', { password: ben.password });
  const left = await app.sql(
    `SELECT 'flag' FROM message_flag WHERE user_id = $1 UNION ALL SELECT 'mention' FROM mention WHERE user_id = $1`,
    [ben.id],
  );
  expect(left).toEqual([]);
});
