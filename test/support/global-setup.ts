import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

declare global {
  var testDatabaseServer: ChildProcess | undefined;
}

/**
 * Starts the database of the run and tells the workers its address, and a folder for their files. Jest compiles this
 * file to CommonJS, which cannot import ours: hence the child process, which also cleans up after a run that was
 * killed.
 */
export default async function globalSetup({ rootDir }: { rootDir: string }): Promise<void> {
  const support = join(rootDir, 'test/support');
  const child = spawn(
    process.execPath,
    ['--import', join(support, 'ts-loader.mjs'), join(support, 'database-server.ts')],
    {
      cwd: rootDir,
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
      env: { ...process.env, NODE_OPTIONS: '' },
    },
  );
  globalThis.testDatabaseServer = child;
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  const ended = once(child, 'exit').then(() => {
    throw new Error(`The test database did not start: ${complaint}`);
  });
  const [line] = (await Promise.race([once(child.stdout, 'data'), ended])) as [Buffer];
  ended.catch(() => undefined);
  const { url, folder } = JSON.parse(line.toString()) as { url: string; folder: string };
  process.env.PARLEY_TEST_DATABASE = url;
  process.env.PARLEY_TEST_FOLDER = folder;
  child.unref();
}
