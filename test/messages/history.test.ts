import { randomUUID } from 'node:crypto';
import { useApp, type TestPerson } from '../support/app.js';
import { makePair } from '../support/people.js';

const app = useApp();
let ann: TestPerson;
let chatId: string;

beforeAll(async () => {
  const pair = await makePair(app);
  ({ ann, chatId } = pair);
  const socket = await app.connect(ann);
  for (let i = 1; i <= 25; i++) await socket.ok('send-message', { chatId, text: `m${i}` });
});

const seqs = (answer: { data: { seq: number }[] }): number[] => answer.data.map((message) => message.seq);
const range = (from: number, to: number): number[] => {
  const step = from <= to ? 1 : -1;
  return Array.from({ length: Math.abs(to - from) + 1 }, (_, i) => from + i * step);
};
const page = (query: string) => ann.http.get(`/api/chats/${chatId}/messages?${query}`);

it('goes back page by page, newest first, and ends', async () => {
  const first = await page('limit=10');
  const second = await page(`limit=10&cursor=${first.page.nextCursor}`);
  const third = await page(`limit=10&cursor=${second.page.nextCursor}`);
  expect([first, second, third].map(seqs)).toEqual([range(25, 16), range(15, 6), range(5, 1)]);
  expect(third.page.nextCursor).toBeNull();
});

it('keeps a cursor valid while messages are added', async () => {
  const pair = await makePair(app);
  const socket = await app.connect(pair.ann);
  for (let i = 0; i < 4; i++) await socket.ok('send-message', { chatId: pair.chatId, text: 'x' });
  const first = await pair.ann.http.get(`/api/chats/${pair.chatId}/messages?limit=2`);
  await socket.ok('send-message', { chatId: pair.chatId, text: 'y' });
  const next = await pair.ann.http.get(`/api/chats/${pair.chatId}/messages?cursor=${first.page.nextCursor}`);
  expect(seqs(next)).toEqual([2, 1]);
});

it('goes forward after a seq, oldest first, and on by its cursor', async () => {
  const first = await page('afterSeq=5&limit=12');
  expect(seqs(first)).toEqual(range(6, 17));
  const second = await page(`limit=12&cursor=${first.page.nextCursor}`);
  expect(seqs(second)).toEqual(range(18, 25));
  expect(second.page.nextCursor).toBeNull();
  expect(seqs(await page('afterSeq=0&limit=100'))).toEqual(range(1, 25));
  expect(seqs(await page('afterSeq=25'))).toEqual([]);
});

it('shows both sides of a seq, and leads on in both directions', async () => {
  const around = await page('aroundSeq=12&limit=6');
  expect(seqs(around)).toEqual(range(15, 10));
  expect(seqs(await page(`limit=100&cursor=${around.page.nextCursor}`))).toEqual(range(9, 1));
  expect(seqs(await page(`limit=100&cursor=${around.page.prevCursor}`))).toEqual(range(16, 25));
  const edge = await page('aroundSeq=25&limit=4');
  expect(seqs(edge)).toEqual([25, 24]);
  expect(edge.page.prevCursor).toBeNull();
});

it('refuses limits, seqs and combinations that make no sense, naming the field', async () => {
  for (const [query, field] of [
    ['limit=0', 'limit'],
    ['limit=101', 'limit'],
    ['limit=ten', 'limit'],
    ['afterSeq=-1', 'afterSeq'],
    ['afterSeq=99999999999', 'afterSeq'],
    ['aroundSeq=0', 'aroundSeq'],
    ['before=3', 'before'],
    ['afterSeq=1&aroundSeq=2', 'cursor'],
    ['limit=1&limit=2', 'limit'],
  ] as const) {
    const answer = await page(query);
    expect([query, answer.status, answer.code]).toEqual([query, 400, 'VALIDATION_FAILED']);
    expect(answer.body.details.map((detail: { field: string }) => detail.field)).toContain(field);
  }
});

it('refuses a cursor of another chat', async () => {
  const pair = await makePair(app);
  const { page: own } = await page('limit=1');
  const answer = await pair.ann.http.get(`/api/chats/${pair.chatId}/messages?cursor=${own.nextCursor}`);
  expect(answer).toMatchObject({ status: 400, code: 'INVALID_CURSOR' });
});

it('is closed to strangers, and to unknown chats alike', async () => {
  const stranger = await app.registerUser();
  for (const id of [chatId, randomUUID(), 'no-id', '%00']) {
    const answer = await stranger.http.get(`/api/chats/${id}/messages`);
    expect(answer.status).toBe(404);
  }
});
