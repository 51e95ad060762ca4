import { useApp } from '../support/app.js';
import { makePair } from '../support/people.js';

const app = useApp({ env: { LOG_LEVEL: 'trace' } });

describe('the log', () => {
  it('has never a password, a token or what people write', async () => {
    const password = 'marker-password';
    const person = await app.registerUser({
      name: 'marker-name',
      email: 'marker-mail@example.com',
      password,
    });
    const { ann, ben, chatId } = await makePair(app);
    const socket = await ann.http.post(`/api/chats/${chatId}/messages`, { text: 'marker-text-rest' });
    expect(socket.status).toBe(201);
    const phone = await app.connect(ben, { deviceId: 'phone', deviceName: 'marker-device' });
    await phone.ok('send-message', { chatId, clientId: 'c1', text: 'marker-text-socket' });
    await phone.emit('send-message', { chatId, text: 'marker-text-refused', 'marker-field': 'marker-value' });
    await person.http.put('/api/auth/update-profile', { bio: 'marker-bio', 'marker-field': 1 });
    await person.http.get('/api/contacts/search?query=marker-search');
    await app.http().post('/api/auth/login', { email: person.email, password });
    await app.http().post('/api/auth/login', { email: person.email, password: 'marker-wrong' });
    await app.http().post('/api/auth/login', { email: 'marker', password: 'marker-wrong' });
    const refreshed = await app.http().post('/api/auth/refresh', { refreshToken: person.refreshToken });
    await app.http().post('/api/auth/refresh', { refreshToken: 'marker-refresh' });
    await app.http('marker-bearer').get('/api/auth/profile');
    await app.http().raw({
      method: 'POST',
      path: '/api/auth/login',
      headers: { 'Content-Type': 'application/json', Cookie: 'refresh_token=marker-cookie' },
      body: '{"password":"marker-broken',
    });

    const log = app.logs.join('');
    expect(log).toContain('/api/auth/login');
    expect(log).not.toMatch(/marker/);
    for (const token of [
      person.token,
      person.refreshToken,
      refreshed.data.token,
      refreshed.data.refreshToken,
    ]) {
      expect(typeof token).toBe('string');
      expect(log).not.toContain(token);
    }
  });

  it('has one line of JSON a request, with what an operator needs to find it again', async () => {
    const person = await app.registerUser();
    const id = 'find-me';
    await person.http.get('/api/auth/profile', { headers: { 'X-Request-Id': id } });
    const lines = app.logs
      .filter((line) => line.includes(id))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines).toEqual([
      {
        level: 30,
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        requestId: id,
        method: 'GET',
        path: '/api/auth/profile',
        status: 200,
        durationMs: expect.any(Number),
        userId: person.id,
        msg: 'request',
      },
    ]);
  });

  it('is made of whole lines of JSON', () => {
    for (const line of app.logs) {
      expect(line.endsWith('\n')).toBe(true);
      expect(() => JSON.parse(line) as unknown).not.toThrow();
    }
  });
});
