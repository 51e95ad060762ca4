import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
import { findFreePort } from '../../src/infra/database/embedded/database-file.js';
import { makeFolder } from './folder.js';

export interface TestRedis {
  port: number;
  url: string;
  /** Ends it as an operator would. */
  stop(): Promise<void>;
  /** Ends it without a word to its clients. */
  kill(): Promise<void>;
  /** Starts it again, empty, on the same port. */
  restart(): Promise<void>;
  /** Cuts every subscriber's connection; Redis itself goes on. */
  cutSubscribers(): Promise<void>;
}

/** A `redis-server` from PATH on a port of its own that keeps nothing on disk. Ready when this resolves. */
export async function startRedis(): Promise<TestRedis> {
  const port = await findFreePort();
  const folder = await makeFolder('redis');
  let child = await launch(port, folder);
  const killWithUs = (): void => {
    child.kill('SIGKILL');
  };
  process.on('exit', killWithUs);

  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      child.kill(signal);
      await exited;
    }
  };
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    async stop() {
      await end('SIGTERM');
      process.off('exit', killWithUs);
      await rm(folder, { recursive: true, force: true });
    },
    kill: () => end('SIGKILL'),
    async restart() {
      await end('SIGKILL');
      child = await launch(port, folder);
    },
    async cutSubscribers() {
      const client = new Redis({ port, host: '127.0.0.1' });
      await client.client('KILL', 'TYPE', 'pubsub');
      await client.quit();
    },
  };
}

async function launch(port: number, folder: string): Promise<ChildProcess> {
  const settings = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--appendonly',
    'no',
    '--dir',
    folder,
  ];
  const child = spawn('redis-server', settings, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ready = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => {
      reject(new Error(`redis-server ended with code ${String(code)}`));
    });
    createInterface(child.stdout).on('line', (line) => {
      if (line.includes('Ready to accept connections')) resolve();
    });
  });
  await ready;
  return child;
}
