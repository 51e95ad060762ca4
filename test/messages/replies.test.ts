import { useApp, type TestPerson } from '../support/app.js';
import { makeGroup, makePair } from '../support/people.js';

const app = useApp();

let ann: TestPerson;
let ben: TestPerson;
let chatId: string;
let id: string;

beforeEach(async () => {
  ({ ann, ben, chatId } = await makePair(app));
  id = await send(ann, { text: 'who comes?' });
});

async function send(person: TestPerson, body: object, chat = chatId): Promise<string> {
  const answer = await person.http.post(`/api/chats/${chat}/messages`, body);
  expect(answer.status).toBe(201);
  return answer.data.id as string;
}
const reply = (person: TestPerson, text: string, to = id): Promise<string> =>
  send(person, { text, replyToId: to });
const repliesOf = (person: TestPerson, query = '', to = id) =>
  person.http.get(`/api/chats/messages/${to}/replies${query}`);
const textsOf = async (person: TestPerson, to = id): Promise<(string | null)[]> =>
  (await repliesOf(person, '', to)).data.map((message: { text: string | null }) => message.text);

it('lists the replies to a message and nothing else, oldest first, as history shows them', async () => {
  await reply(ben, 'I do');
  await send(ben, { text: 'by the way' });
  const second = await reply(ann, 'me too');
  await reply(ben, 'to the reply', second);
  await ben.http.put(`/api/chats/messages/${second}/star`);
  const { status, data, page } = await repliesOf(ben);
  expect([status, page.nextCursor]).toEqual([200, null]);
  expect(data.map((message: { text: string }) => message.text)).toEqual(['I do', 'me too']);
  const history = (await ben.http.get(`/api/chats/${chatId}/messages`)).data;
  expect(data).toEqual([history[3], history[1]]);
  expect(await textsOf(ann, second)).toEqual(['to the reply']);
});

it('pages on while more are written', async () => {
  for (let i = 1; i <= 5; i++) await reply(ben, `r${i}`);
  const first = await repliesOf(ann, '?limit=2');
  await reply(ann, 'r6');
  const second = await repliesOf(ann, `?limit=2&cursor=${first.page.nextCursor}`);
  const third = await repliesOf(ann, `?limit=2&cursor=${second.page.nextCursor}`);
  const texts = [first, second, third].map((each) => each.data.map((m: { text: string }) => m.text));
  expect(texts).toEqual([
    ['r1', 'r2'],
    ['r3', 'r4'],
    ['r5', 'r6'],
  ]);
  expect(third.page.nextCursor).toBeNull();
});

it('leaves out what the reader has deleted, and shows what is deleted for everyone empty', async () => {
  const [first, second] = [await reply(ben, 'one'), await reply(ben, 'two')];
  await ann.http.delete(`/api/chats/messages/${first}`);
  await ben.http.delete(`/api/chats/messages/${second}?for=everyone`);
  expect(await textsOf(ann)).toEqual([null]);
  expect(await textsOf(ben)).toEqual(['one', null]);
});

it('refuses a cursor of another message, and what one may not see', async () => {
  for (const text of ['one', 'two']) await reply(ben, text);
  const other = await reply(ann, 'three');
  const { page } = await repliesOf(ann, '?limit=1');
  const foreign = await repliesOf(ann, `?cursor=${page.nextCursor}`, other);
  expect([foreign.status, foreign.code]).toEqual([400, 'INVALID_CURSOR']);
  const stranger = await app.registerUser();
  expect(await repliesOf(stranger)).toMatchObject({ status: 404, code: 'MESSAGE_NOT_FOUND' });
  for (const absent of [`${chatId}.99`, 'x']) {
    expect(await repliesOf(ann, '', absent)).toMatchObject({ status: 404, code: 'MESSAGE_NOT_FOUND' });
  }
});

it('shows who came later the replies that came later', async () => {
  const owner = await app.registerUser();
  const group = await makeGroup(owner, [ben]);
  const old = await send(owner, { text: 'old' }, group);
  await send(ben, { text: 'early', replyToId: old }, group);
  const newcomer = await app.registerUser();
  const asked = await owner.http.post('/api/contacts/request', { userId: newcomer.id });
  await newcomer.http.patch(`/api/contacts/request/${asked.data.id}/accept`);
  await owner.http.post(`/api/chats/${group}/members`, { userIds: [newcomer.id] });
  const late = await send(ben, { text: 'late', replyToId: old }, group);
  expect((await repliesOf(newcomer, '', old)).code).toBe('MESSAGE_NOT_FOUND');
  await send(ben, { text: 'latest', replyToId: late }, group);
  expect(await textsOf(newcomer, late)).toEqual(['latest']);
});
