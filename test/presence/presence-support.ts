import type { TestApp, TestPerson } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import type { TestSocket } from '../support/socket.js';

export interface Presence {
  userId: string;
  online: boolean;
  lastSeenAt: string | null;
}

/** What one person sees of another by REST; they must have something to do with each other. */
export async function presenceSeen(by: TestPerson, whom: TestPerson, app?: TestApp): Promise<Presence> {
  const http = app ? app.http(by.token) : by.http;
  const answer = await http.get(`/api/users?ids=${whom.id}`);
  if (answer.status !== 200) throw new Error(`refused: ${JSON.stringify(answer.body)}`);
  const [user] = answer.data;
  return { userId: user.id, online: user.online, lastSeenAt: user.lastSeenAt };
}

/** What a socket is told when it begins to follow these people. */
export async function follow(socket: TestSocket, ...people: TestPerson[]): Promise<Presence[]> {
  const { presence } = await socket.ok<{ presence: Presence[] }>('subscribe-presence', {
    userIds: people.map(({ id }) => id),
  });
  return presence;
}

/** Signed-in sockets on this instance, as its metrics count them. */
async function socketsOf(app: TestApp): Promise<number> {
  const { body } = await app.http().get('/metrics', { undocumented: true });
  return Number(/^parley_sockets (\d+)$/m.exec(String(body))?.[1]);
}

/** Closes connections to an instance; resolves when it has noticed. */
export async function leave(app: TestApp, ...sockets: TestSocket[]): Promise<void> {
  const before = await socketsOf(app);
  for (const socket of sockets) socket.disconnect();
  await eventually(
    () => socketsOf(app),
    (now) => now === before - sockets.length,
  );
}
