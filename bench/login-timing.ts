import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { JsonClient } from './json-client.js';
import { Latencies } from './latencies.js';
import { ServerProcess } from './server-process.js';

/**
 * Measures whether the duration of a refused sign-in tells if an account exists: sign-ins with an address nobody has
 * and with a wrong password, in turn, on the built server. Exits with 1 when the medians are too far apart.
 */
const ATTEMPTS = 200;
const WARM_UP = 10;
const MAX_DIFFERENCE = 0.05;
const ROOT = fileURLToPath(new URL('../', import.meta.url));

execFileSync(process.execPath, [join(ROOT, 'deploy/build-if-changed.mjs')], { stdio: 'inherit' });
const server = new ServerProcess(ROOT);
try {
  await server.start();
  process.exitCode = await measure(new JsonClient(server.url, 1));
} finally {
  await server.stop();
}

async function measure(client: JsonClient): Promise<number> {
  const email = 'somebody@example.com';
  const account = { name: 'Somebody', email, password: 'correct horse battery' };
  await client.ask('POST', '/api/auth/register', null, account);
  const unknown = new Latencies();
  const wrong = new Latencies();
  for (let attempt = -WARM_UP; attempt < ATTEMPTS; attempt++) {
    const password = `wrong password ${attempt}`;
    const unknownMs = await timeRefusal(client, { email: `nobody${attempt}@example.com`, password });
    const wrongMs = await timeRefusal(client, { email, password });
    if (attempt < 0) continue;
    unknown.add(unknownMs);
    wrong.add(wrongMs);
  }
  client.close();
  const [ofUnknown, ofWrong] = [unknown.percentiles().p50, wrong.percentiles().p50];
  const difference = Math.abs(ofUnknown - ofWrong) / Math.min(ofUnknown, ofWrong);
  const isMet = difference <= MAX_DIFFERENCE;
  process.stdout.write(
    `${[
      `unknown e-mail: median of ${ATTEMPTS}: ${ofUnknown.toFixed(2)} ms`,
      `wrong password: median of ${ATTEMPTS}: ${ofWrong.toFixed(2)} ms`,
      `difference ${(difference * 100).toFixed(2)} %, budget ≤ ${MAX_DIFFERENCE * 100} %: ${isMet ? 'PASS' : 'MISS'}`,
    ].join('\n')}\n`,
  );
  return isMet ? 0 : 1;
}

async function timeRefusal(client: JsonClient, body: { email: string; password: string }): Promise<number> {
  const startedAt = performance.now();
  const answer = await client.send('POST', '/api/auth/login', null, body);
  const duration = performance.now() - startedAt;
  if (answer.body.code !== 'INVALID_CREDENTIALS') throw new Error(`a sign-in answered ${answer.status}`);
  return duration;
}
