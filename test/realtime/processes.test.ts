import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFreePort } from '../../src/infra/database/embedded/database-file.js';
import { cloneTemplate } from '../support/app.js';
import { BuiltServer } from '../support/built-server.js';
import { call, makeContacts, register } from '../support/call.js';
import { eventually } from '../support/eventually.js';
import { buildProject } from '../support/project.js';
import { startRedis, type TestRedis } from '../support/redis.js';
import { TestSocket } from '../support/socket.js';

/** Two processes of the built server, as an operator runs them: one database, one Redis, shared secrets. */
let redis: TestRedis;
let dataDir: string;
let one: BuiltServer;
let two: BuiltServer;

beforeAll(async () => {
  await buildProject();
  redis = await startRedis();
  dataDir = await mkdtemp(join(tmpdir(), 'parley-processes-'));
  const env = { DATABASE_URL: await cloneTemplate(), REDIS_URL: redis.url };
  one = await BuiltServer.start({ dataDir, port: await findFreePort(), env });
  two = await BuiltServer.start({ dataDir, port: await findFreePort(), env });
}, 120_000);

afterAll(async () => {
  await Promise.all([one.stop(), two.stop()]);
  await redis.stop();
  await rm(dataDir, { recursive: true, force: true });
});

it('two processes serve one another’s people: messages, typing, presence, profiles and revocation', async () => {
  const [ann, ben] = [await register(one.url, 'ann'), await register(two.url, 'ben')];
  await makeContacts(one.url, ann, ben);
  const benSocket = await TestSocket.connect(two.url, { token: ben.token });
  const { id: chatId } = await call<{ id: string }>(one.url, 'POST', '/api/chats', ann.token, {
    type: 'PRIVATE',
    participantIds: [ben.user.id],
  });
  expect(await benSocket.next('new-chat')).toMatchObject({ chat: { id: chatId, name: 'ann' } });

  await benSocket.ok('subscribe-presence', { userIds: [ann.user.id] });
  const annSocket = await TestSocket.connect(one.url, { token: ann.token });
  expect(await benSocket.next('presence')).toMatchObject({ userId: ann.user.id, online: true });

  await benSocket.ok('join-chat', { chatId });
  await annSocket.ok('typing', { chatId, isTyping: true });
  expect(await benSocket.next('user-typing')).toMatchObject({ userId: ann.user.id, isTyping: true });

  await annSocket.ok('send-message', { chatId, text: 'across' });
  expect(await benSocket.next('new-message')).toMatchObject({ message: { text: 'across', seq: 1 } });
  await benSocket.ok('mark-read', { chatId, upToSeq: 1 });
  expect(await annSocket.next('message-status-update')).toMatchObject({ status: 'READ', upToSeq: 1 });

  const nameThere = async (): Promise<string> =>
    (await call<{ name: string }>(two.url, 'GET', `/api/chats/${chatId}`, ben.token)).name;
  expect(await nameThere()).toBe('ann');
  await call(one.url, 'PUT', '/api/auth/update-profile', ann.token, { name: 'Anneliese' });
  await eventually(nameThere, (name) => name === 'Anneliese');

  const before = performance.now();
  await call(two.url, 'POST', '/api/auth/logout', ann.token);
  expect(await annSocket.next('session-revoked')).toEqual({ reason: 'logout' });
  await expect(call(one.url, 'GET', '/api/auth/profile', ann.token)).rejects.toThrow('401');
  expect(performance.now() - before).toBeLessThan(1000);
  benSocket.disconnect();
}, 60_000);
