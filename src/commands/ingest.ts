import { readFile, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { StartupError } from '../common/startup-error.js';
import { loadConfig } from '../infra/config/config.js';
import { WebhookSignature } from '../whatsapp/webhook/webhook-signature.js';
import { runCommand } from './run-command.js';

const USAGE = 'Usage: npm run ingest -- <file or folder> [address of the server]';
/** How long the server may take to answer one body, in milliseconds. */
const PATIENCE_MS = 30_000;

/**
 * `npm run ingest -- <file or folder>`: posts recorded webhook bodies (`*.json`, a folder in the order of its names) to
 * the running server, signed as Meta signs them, and says of each how it was answered.
 */
await runCommand(async (print) => {
  const [given, address, ...rest] = process.argv.slice(2);
  if (given === undefined || rest.length > 0) throw new StartupError(USAGE);
  const { host, port, whatsapp } = loadConfig(process.env);
  const here = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  const base = (address ?? `http://${here.includes(':') ? `[${here}]` : here}:${port}`).replace(/\/+$/, '');
  const files = await listBodies(given);
  let refused = 0;
  for (const file of files) {
    const answer = await post(`${base}/whatsapp/webhook`, await readFile(file), whatsapp.appSecrets[0]);
    if (!answer.startsWith('200')) refused++;
    print(`${answer}  ${file}`);
  }
  print(`${files.length - refused} of ${files.length} taken in.`);
  if (refused > 0) process.exitCode = 1;
});

/** @throws StartupError when there are none */
async function listBodies(given: string): Promise<string[]> {
  const found = await stat(given).catch(() => null);
  if (!found) throw new StartupError(`There is no ${given}.`);
  if (!found.isDirectory()) return [given];
  const names = (await readdir(given)).filter((name) => name.endsWith('.json')).sort();
  if (names.length === 0) throw new StartupError(`There is no *.json in ${given}.`);
  return names.map((name) => path.join(given, name));
}

/** Returns the status, and the code of a refusal. @throws StartupError when no server answers */
async function post(url: string, body: Buffer, secret: string | undefined): Promise<string> {
  const headers: Record<string, string> = { 'Content-Type': 'application/json' };
  if (secret !== undefined) headers['X-Hub-Signature-256'] = WebhookSignature.of(body, secret);
  let response: Response;
  try {
    response = await fetch(url, {
      method: 'POST',
      headers,
      body: new Uint8Array(body),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
  } catch {
    throw new StartupError(`No server answers at ${url}: start it, or name another address.`);
  }
  const text = await response.text();
  return response.ok ? String(response.status) : `${response.status} ${codeIn(text)}`.trimEnd();
}

function codeIn(answer: string): string {
  try {
    const { code } = JSON.parse(answer) as { code?: unknown };
    return typeof code === 'string' ? code : '';
  } catch {
    return '';
  }
}
