import { makePrivateChat } from '../support/people.js';
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
    const socket = await app.connect(ben);
    await cut();
    await socket.next('resync');
    const chatId = await makePrivateChat(ann, ben);
    await ann.http.post(`/api/chats/${chatId}/messages`, { text: 'hello' });
    expect(await socket.next('new-message')).toMatchObject({ chatId });
  });
});
