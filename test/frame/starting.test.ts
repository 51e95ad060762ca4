import { Agent } from 'node:http';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { loadConfig } from '../../src/infra/config/config.js';
import { findFreePort } from '../../src/infra/database/embedded/database-file.js';
import { serve } from '../../src/serve.js';
import { cloneTemplate } from '../support/app.js';
import { TestHttp, exchange } from '../support/http.js';

/** A way to a database that keeps whoever comes waiting until it is opened. */
async function startGate(databaseUrl: string) {
  const target = new URL(databaseUrl);
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  let knock = (): void => undefined;
  const knocked = new Promise<void>((resolve) => (knock = resolve));
  const gate: Server = createServer((inner) => {
    knock();
    inner.on('error', () => undefined);
    void opened.then(() => {
      const outer = connect(Number(target.port), target.hostname);
      outer.on('error', () => undefined);
      inner.pipe(outer).pipe(inner);
    });
  });
  await new Promise<void>((resolve) => gate.listen(0, '127.0.0.1', resolve));
  const url = new URL(databaseUrl);
  url.port = String((gate.address() as AddressInfo).port);
  return { url: url.href, open, knocked, gate };
}

describe('while it starts', () => {
  it('lives and says so, is not ready, and refuses everything else in the usual form', async () => {
    const { url, open, knocked, gate } = await startGate(await cloneTemplate());
    const port = await findFreePort();
    const config = loadConfig({
      PORT: String(port),
      HOST: '127.0.0.1',
      DATABASE_URL: url,
      LOG_LEVEL: 'silent',
      JWT_SECRET: 'x'.repeat(32),
      MASTER_KEY: 'x'.repeat(32),
    });
    const starting = serve(config, () => undefined);
    await knocked;
    const address = `http://127.0.0.1:${port}`;
    const ask = (path: string) =>
      exchange(address, undefined, { method: 'GET', path, headers: { 'X-Request-Id': 'early' } });
    expect(await ask('/health/live')).toMatchObject({ status: 200, body: { ok: true } });
    for (const path of ['/health/ready', '/api/auth/profile', '/socket.io/?EIO=4&transport=polling']) {
      const answer = await ask(path);
      expect(answer).toMatchObject({ status: 503, code: 'NOT_READY', body: { requestId: 'early' } });
      expect(answer.headers).toMatchObject({ 'x-request-id': 'early', 'retry-after': '1' });
    }
    open();
    const serving = await starting;
    const agent = new Agent();
    expect(await new TestHttp(address, agent).get('/health/ready')).toMatchObject({ status: 200 });
    agent.destroy();
    await serving.stop();
    gate.close();
  });
});
