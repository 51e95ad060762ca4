import { mkdtemp, rm } from 'node:fs/promises';
import type { Socket as TcpSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFreePort } from '../../src/infra/database/embedded/database-file.js';
import { BuiltServer } from '../support/built-server.js';
import { register } from '../support/call.js';
import { buildProject } from '../support/project.js';
import { TestSocket } from '../support/socket.js';

/** Far below the 30 s for which a WebSocket waits to be told goodbye. */
const STOPS_WITHIN_MS = 10_000;

beforeAll(buildProject, 120_000);

it('a client that has stopped reading does not hold up a stop', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'parley-frozen-'));
  const server = await BuiltServer.start({ dataDir, port: await findFreePort() });
  try {
    const { token } = await register(server.url, 'ann');
    const socket = await TestSocket.connect(server.url, { token });
    const { ws } = socket.io.io.engine.transport as unknown as { ws: { _socket: TcpSocket } };
    ws._socket.pause();
    const before = performance.now();
    await server.stop();
    expect(performance.now() - before).toBeLessThan(STOPS_WITHIN_MS);
    expect(server.child.exitCode).toBe(0);
    ws._socket.destroy();
  } finally {
    await server.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}, 60_000);
