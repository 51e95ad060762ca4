import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { readRss } from './proc.js';
import { WebSocketClient } from './web-socket.js';

/** The server's memory in bytes. */
export interface Memory {
  rss: number;
  heapUsed: number;
  /** Buffers and the like, outside the JavaScript heap. */
  external: number;
}

const INSPECTOR_POLL_MS = 50;
const INSPECTOR_MS = 10_000;
/** Memory that a collection frees goes back to the system a little later, and finalizers free more. */
const COLLECTIONS = 3;
const BETWEEN_COLLECTIONS_MS = 1_000;

/**
 * Reads what the server holds once its garbage is gone: V8 keeps that of an idle process for minutes, which would
 * hide what is asked. The collection is asked for through the inspector, which a signal switches on.
 */
export async function readLiveMemory(url: string, pid: number, logPath: string): Promise<Memory> {
  const inspector = await openInspector(pid, logPath);
  for (let i = 0; i < COLLECTIONS; i++) {
    await collectGarbage(inspector);
    await sleep(BETWEEN_COLLECTIONS_MS);
  }
  const metrics = await (await fetch(`${url}/metrics`)).text();
  const read = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(metrics)?.[1]);
  return {
    rss: readRss(pid),
    heapUsed: read('nodejs_heap_size_used_bytes'),
    external: read('nodejs_external_memory_bytes'),
  };
}

/** Node.js starts its inspector on SIGUSR1 and writes the address to its standard error. */
async function openInspector(pid: number, logPath: string): Promise<string> {
  process.kill(pid, 'SIGUSR1');
  const deadline = performance.now() + INSPECTOR_MS;
  while (performance.now() < deadline) {
    const address = /Debugger listening on (ws:\S+)/.exec(readFileSync(logPath, 'utf8'))?.[1];
    if (address !== undefined) return address;
    await sleep(INSPECTOR_POLL_MS);
  }
  throw new Error('The server did not start its inspector.');
}

async function collectGarbage(inspector: string): Promise<void> {
  const socket = new WebSocketClient(inspector);
  await new Promise<void>((resolve, reject) => {
    socket.onEnd = (reason) => {
      reject(new Error(reason));
    };
    socket.onText = () => {
      resolve();
    };
    socket.onOpen = () => {
      socket.send(JSON.stringify({ id: 1, method: 'HeapProfiler.collectGarbage' }));
    };
  });
  socket.close();
}
