import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFreePort } from '../../src/infra/database/embedded/database-file.js';
import { BuiltServer } from '../support/built-server.js';
import { call, register } from '../support/call.js';
import { buildProject } from '../support/project.js';
import { startRedis } from '../support/redis.js';
import { TestSocket } from '../support/socket.js';

beforeAll(buildProject, 120_000);

it('a server process outlives its Redis, and serves its own people meanwhile', async () => {
  const redis = await startRedis();
  const dataDir = await mkdtemp(join(tmpdir(), 'parley-redis-loss-'));
  const env = { REDIS_URL: redis.url, RATE_LIMITS: 'off' };
  const server = await BuiltServer.start({ dataDir, port: await findFreePort(), env });
  const ended = new Promise<string>((resolve) => {
    server.child.once('exit', () => {
      resolve('the server ended');
    });
  });
  const { url } = server;
  try {
    const [ann, ben] = [await register(url, 'ann'), await register(url, 'ben')];
    const socket = await TestSocket.connect(url, { token: ben.token });
    await redis.kill();
    // Each of these is an event that the other instances would have to be told, and cannot be.
    for (let i = 0; i < 10; i++) {
      const body = { userId: ben.user.id };
      const { id } = await call<{ id: string }>(url, 'POST', '/api/contacts/request', ann.token, body);
      expect(await socket.next('new-contact-request')).toMatchObject({ contact: { id } });
      await call(url, 'DELETE', `/api/contacts/request/${id}/reject`, ben.token);
    }
    await redis.restart();
    expect(await Promise.race([socket.next('resync').then(() => 'resync'), ended])).toBe('resync');
    socket.disconnect();
  } finally {
    await server.stop();
    await redis.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}, 60_000);
