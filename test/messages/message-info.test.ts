import { useApp, type TestPerson } from '../support/app.js';
import { makeContacts, makeGroup } from '../support/people.js';

const app = useApp();

let owner: TestPerson;
let ben: TestPerson;
let cid: TestPerson;
let group: string;

beforeEach(async () => {
  [owner, ben, cid] = (await Promise.all(
    ['Olga', 'Ben', 'Cid'].map((name) => app.registerUser({ name })),
  )) as [TestPerson, TestPerson, TestPerson];
  group = await makeGroup(owner, [ben, cid]);
});

const send = async (person: TestPerson, text: string): Promise<string> =>
  (await person.http.post(`/api/chats/${group}/messages`, { text })).data.id as string;
const report = (person: TestPerson, what: 'read' | 'delivered') =>
  person.http.post(`/api/chats/${group}/messages/${what}`, {});
/** Moves the clock, and says the new time. */
const later = (): string => {
  app.clock.advance(60_000);
  return app.clock.now().toISOString();
};
async function infoOf(
  person: TestPerson,
  id: string,
): Promise<Record<string, [string | null, string | null]>> {
  const { status, data } = await person.http.get(`/api/chats/messages/${id}/receipts`);
  expect(status).toBe(200);
  return Object.fromEntries(
    data.map((each: { userId: string; deliveredAt: string | null; readAt: string | null }) => [
      each.userId,
      [each.deliveredAt, each.readAt],
    ]),
  );
}

it('tells of each member of a group when they received and read it', async () => {
  const id = await send(owner, 'first');
  expect(await infoOf(owner, id)).toEqual({ [ben.id]: [null, null], [cid.id]: [null, null] });
  const delivered = later();
  await report(ben, 'delivered');
  const read = later();
  await report(ben, 'read');
  await report(cid, 'read');
  expect(await infoOf(owner, id)).toEqual({ [ben.id]: [delivered, read], [cid.id]: [read, read] });
  later();
  const second = await send(owner, 'second');
  const answered = later();
  await send(cid, 'an answer reads what came before');
  later();
  await report(cid, 'read');
  expect(await infoOf(owner, second)).toEqual({ [ben.id]: [null, null], [cid.id]: [answered, answered] });
  expect((await infoOf(owner, id))[ben.id]).toEqual([delivered, read]);
});

it('shows a read in a group also of who shows none in private chats', async () => {
  await ben.http.put('/api/auth/update-profile', { settings: { readReceipts: false } });
  const id = await send(owner, 'first');
  const read = later();
  await report(ben, 'read');
  expect((await infoOf(owner, id))[ben.id]).toEqual([read, read]);
});

it('leaves out who came later, who came back later, and who is gone', async () => {
  const early = await send(owner, 'early');
  await report(ben, 'read');
  const dan = await app.registerUser();
  await makeContacts(owner, dan);
  await owner.http.post(`/api/chats/${group}/members`, { userIds: [dan.id] });
  expect((await owner.http.delete(`/api/chats/${group}/members/${ben.id}`)).status).toBe(200);
  expect(Object.keys(await infoOf(owner, early))).toEqual([cid.id]);
  await owner.http.post(`/api/chats/${group}/members`, { userIds: [ben.id] });
  const late = await send(owner, 'late');
  expect(Object.keys(await infoOf(owner, early))).toEqual([cid.id]);
  const all = { [ben.id]: [null, null], [cid.id]: [null, null], [dan.id]: [null, null] };
  expect(await infoOf(owner, late)).toEqual(all);
});

it('is for the sender alone', async () => {
  const id = await send(ben, 'mine');
  for (const [person, status] of [
    [ben, 200],
    [owner, 403],
    [await app.registerUser(), 404],
  ] as const) {
    expect((await person.http.get(`/api/chats/messages/${id}/receipts`)).status).toBe(status);
  }
});
