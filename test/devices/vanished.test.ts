import { GRACE_MS } from '../../src/presence/presence-store.js';
import { PINGS } from '../../src/realtime/realtime.server.js';
import { useApp, type TestPerson } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { makePair } from '../support/people.js';
import type { TestSocket } from '../support/socket.js';
import { openSilently } from './silent-client.js';

const app = useApp({ pings: { pingInterval: 400, pingTimeout: 400 } });

/** Two friends, and a socket of the first that follows the second. */
async function watched(): Promise<{ ben: TestPerson; watcher: TestSocket }> {
  const { ann, ben } = await makePair(app);
  const watcher = await app.connect(ann);
  await watcher.ok('subscribe-presence', { userIds: [ben.id] });
  return { ben, watcher };
}

describe('a device that vanishes without a goodbye', () => {
  it('is told offline within 45 s by the settings in use', () => {
    expect(PINGS.pingInterval + PINGS.pingTimeout + GRACE_MS).toBeLessThanOrEqual(45_000);
  });

  it('goes offline when it has not answered a ping, its connection still open', async () => {
    const { ben, watcher } = await watched();
    const device = await openSilently(app.url, { token: ben.token, deviceId: 'in-a-tunnel' });
    expect(await watcher.next('presence')).toMatchObject({ online: true });
    app.clock.advance(1_000);
    const goneAt = app.clock.now().toISOString();
    await eventually(
      async () => (await ben.http.get('/api/devices')).data,
      ([one]) => one.lastSeenAt === goneAt,
    );
    expect(device.isOpen()).toBe(true);
    app.clock.advance(GRACE_MS);
    expect(await watcher.next('presence', ({ online }) => !online)).toMatchObject({ lastSeenAt: goneAt });
    device.drop();
  });

  it('stays online as long as it answers', async () => {
    const { ben, watcher } = await watched();
    const device = await openSilently(app.url, { token: ben.token }, { answers: 3 });
    await watcher.next('presence');
    await device.answered;
    app.clock.advance(GRACE_MS + 1_000);
    await watcher.barrier();
    expect(watcher.all('presence')).toEqual([expect.objectContaining({ online: true })]);
    device.drop();
  });
});
