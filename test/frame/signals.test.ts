import { randomUUID } from 'node:crypto';
import { makeContacts } from '../support/people.js';
import { startApp, type TestApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';

describe('when the LISTEN connection drops', () => {
  let app: TestApp;

  beforeAll(async () => {
    app = await startApp();
  });
  afterAll(() => app.close());

  const cut = () =>
    app.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE application_name = 'parley signals' AND datname = current_database()`);

  it('and what cannot be understood is taken for a cut, not for the end of the process', async () => {
    const ann = await app.registerUser();
    const socket = await app.connect(ann);
    await app.sql(`SELECT pg_notify('parley', 'no JSON at all')`);
    await socket.next('resync');
    expect((await ann.http.get('/api/auth/profile')).status).toBe(200);
  });

  it('a session that ends meanwhile is refused at once, and its socket is closed when the connection is back', async () => {
    const ann = await app.registerUser();
    const socket = await app.connect(ann);
    expect((await ann.http.get('/api/auth/profile')).status).toBe(200);
    await cut();
    // Ended by another instance, whose signal nobody here hears.
    await app.sql('UPDATE session SET revoked_at = now() WHERE user_id = $1', [ann.id]);
    await eventually(
      () => ann.http.get('/api/auth/profile'),
      (answer) => answer.status === 401,
    );
    expect(await socket.next('session-revoked')).toEqual({ reason: 'revoked' });
    expect(await socket.closed).toBe('io server disconnect');
  });

  it('a chat that began meanwhile reaches the sockets that were there, which are told to sync', async () => {
    const [ann, ben] = [await app.registerUser(), await app.registerUser()];
    await makeContacts(ann, ben);
    const socket = await app.connect(ben);
    await cut();
    // By another instance, whose signal and whose packets nobody here hears.
    const chatId = randomUUID();
    const [lo, hi] = [ann.id, ben.id].sort();
    await app.sql(
      `WITH made AS (INSERT INTO chat (id, type, user_lo, user_hi, created_at, updated_at)
        VALUES ($1, 'PRIVATE', $2, $3, now(), now()))
      INSERT INTO member (chat_id, user_id, joined_at) VALUES ($1, $2, now()), ($1, $3, now())`,
      [chatId, lo, hi],
    );
    await socket.next('resync');
    await ann.http.post(`/api/chats/${chatId}/messages`, { text: 'hello' });
    expect(await socket.next('new-message')).toMatchObject({ chatId });
  });
});
