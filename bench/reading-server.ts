import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type pg from 'pg';
import { JsonClient } from './json-client.js';
import { registerPeople, type Person } from './people.js';
import { ServerProcess } from './server-process.js';

/** The built server with somebody signed in to it, and its database to fill. */
export interface ReadingServer {
  client: JsonClient;
  me: Person;
  database: pg.Client;
  postmasterPid: number;
  print: (text: string) => void;
}

/** Builds and starts a server, runs `measure`, and stops the server again. Exits with 1 when it fails. */
export async function withServer(measure: (server: ReadingServer) => Promise<void>): Promise<void> {
  const root = fileURLToPath(new URL('../', import.meta.url));
  const builder = fileURLToPath(new URL('../deploy/build-if-changed.mjs', import.meta.url));
  if (spawnSync(process.execPath, [builder], { stdio: 'inherit' }).status !== 0) {
    process.exitCode = 1;
    return;
  }
  const server = new ServerProcess(root);
  let database: pg.Client | undefined;
  const stopped = new Promise<never>((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => {
        reject(new Error(`Stopped by ${signal}.`));
      });
  });
  try {
    await Promise.race([server.start(), stopped]);
    const connection = await server.connectToDatabase();
    database = connection;
    const client = new JsonClient(server.url, 1);
    const [me] = await registerPeople(client, 1);
    if (!me) throw new Error('Nobody was registered.');
    await Promise.race([
      measure({ client, me, database: connection, postmasterPid: await server.findPostmasterPid(), print }),
      stopped,
    ]);
    client.close();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  } finally {
    await database?.end().catch(() => undefined);
    await server.stop();
  }
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
