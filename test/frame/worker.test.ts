import { useApp } from '../support/app.js';

describe('ROLE=worker', () => {
  const app = useApp({ env: { ROLE: 'worker' } });

  it.each(['/health', '/health/live', '/health/ready', '/metrics'])('serves %s', async (path) => {
    expect((await app.http().get(path)).status).toBe(200);
  });

  it.each([
    ['GET', '/api/chats'],
    ['POST', '/api/auth/login'],
    ['GET', '/socket.io/?EIO=4&transport=polling'],
  ])('has nothing for clients at %s %s', async (method, path) => {
    const http = app.http();
    const answer = await (method === 'GET'
      ? http.get(path, { undocumented: true })
      : http.post(path, {}, { undocumented: true }));
    expect(answer).toMatchObject({ status: 404, code: 'ROUTE_NOT_FOUND' });
  });
});
