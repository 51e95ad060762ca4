import type { NotificationsBody } from '../../src/notifications/notifications.dto.js';
import { useApp, type TestPerson } from '../support/app.js';
import { makePrivateChat } from '../support/people.js';
import { cross, makeConversation, makeTenant, setAgent } from './support/conversations.js';

const app = useApp();

/** Ann and Ben work for a tenant with two customers who have written three messages; Cid has written to Ann. */
async function makeWorld() {
  const [ann, ben, cid] = (await Promise.all(
    ['Ann', 'Ben', 'Cid'].map((name) => app.registerUser({ name })),
  )) as [TestPerson, TestPerson, TestPerson];
  const tenant = await makeTenant(app, [ann, ben]);
  const kerry = await makeConversation(app, tenant, { name: 'Kerry' });
  const lou = await makeConversation(app, tenant, { name: 'Lou' });
  await cross(app, tenant, kerry);
  await cross(app, tenant, kerry);
  app.clock.advance(1000);
  const withCid = await makePrivateChat(cid, ann);
  expect((await cid.http.post(`/api/chats/${withCid}/messages`, { text: 'lunch?' })).status).toBe(201);
  app.clock.advance(1000);
  await cross(app, tenant, lou);
  return { ann, ben, tenant, kerry, lou, withCid };
}

async function totalOf({ http }: TestPerson): Promise<number> {
  return (await http.get<{ total: number }>('/api/notifications/count')).data.total;
}

it('counts what customers wrote with what people did', async () => {
  const { ann, ben, kerry, lou, withCid } = await makeWorld();
  expect([await totalOf(ann), await totalOf(ben)]).toEqual([4, 3]);
  expect((await ann.http.get('/api/notifications/all-counts')).data).toEqual({
    chats: [
      { chatId: lou, unreadCount: 1, mentionCount: 0 },
      { chatId: withCid, unreadCount: 1, mentionCount: 0 },
      { chatId: kerry, unreadCount: 2, mentionCount: 0 },
    ],
    contactRequests: 0,
  });
});

it('lists them in pages, by last activity', async () => {
  const { ann, kerry, lou, withCid } = await makeWorld();
  const first = await ann.http.get<NotificationsBody>('/api/notifications?limit=2');
  expect(first.data.chats.map(({ chatId, name }) => [chatId, name])).toEqual([
    [lou, 'Lou'],
    [withCid, 'Cid'],
  ]);
  const second = await ann.http.get<NotificationsBody>(`/api/notifications?cursor=${first.page.nextCursor}`);
  expect(second.data.chats.map(({ chatId, unreadCount }) => [chatId, unreadCount])).toEqual([[kerry, 2]]);
});

it('counts a conversation for nobody once one of the team has read it', async () => {
  const { ann, ben, kerry } = await makeWorld();
  expect((await ben.http.post(`/api/notifications/clear/${kerry}`)).status).toBe(200);
  expect([await totalOf(ann), await totalOf(ben)]).toEqual([2, 1]);
});

it('leaves out what an agent has cleared, for them alone', async () => {
  const { ann, ben, kerry } = await makeWorld();
  expect((await ann.http.delete(`/api/chats/${kerry}`)).status).toBe(200);
  expect([await totalOf(ann), await totalOf(ben)]).toEqual([2, 3]);
});

it('counts nothing for who works for the tenant no more', async () => {
  const { ben, tenant } = await makeWorld();
  await setAgent(app, tenant, ben, false);
  expect(await totalOf(ben)).toBe(0);
  expect((await ben.http.get<NotificationsBody>('/api/notifications')).data.chats).toEqual([]);
});
