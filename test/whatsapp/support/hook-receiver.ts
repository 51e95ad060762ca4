import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { eventually } from '../../support/eventually.js';

/** One call of the system of a tenant. */
export interface ReceivedHook {
  headers: IncomingHttpHeaders;
  text: string;
  body: {
    id: string;
    event: string;
    tenantId: string;
    createdAt: string;
    // eslint-disable-next-line @typescript-eslint/no-explicit-any -- a test says what it expects of it field by field
    data: any;
  };
}

type Answer = (response: ServerResponse) => void;

/** The system of a tenant, which is told of what happens. Answers 204 unless told otherwise. */
export class HookReceiver {
  readonly received: ReceivedHook[] = [];
  /** Connections that reached it, with a request or without. */
  connections = 0;
  answer: Answer = (response) => response.writeHead(204).end();
  url = '';
  private readonly server: Server;

  constructor() {
    this.server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        this.received.push({
          headers: request.headers,
          text,
          body: JSON.parse(text) as ReceivedHook['body'],
        });
        this.answer(response);
      });
    });
    this.server.on('connection', () => {
      this.connections++;
    });
  }

  async start(): Promise<this> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    this.url = `http://127.0.0.1:${this.port}/hook`;
    return this;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  answerStatus(status: number, headers: Record<string, string> = {}): void {
    this.answer = (response) => response.writeHead(status, headers).end();
  }

  /** What it has received once it is so much. */
  async until(count: number): Promise<ReceivedHook[]> {
    await eventually(
      () => setImmediate(this.received.length),
      (received) => received >= count,
    );
    return this.received;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}

/** Checks a call as a tenant's system should: the body is ours, and not older than so many seconds. */
export function isOurs(hook: ReceivedHook, secret: string, nowMs: number, maxAgeSeconds = 300): boolean {
  const [, seconds = '', signature] =
    /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(hook.headers['x-parley-signature'])) ?? [];
  const expected = createHmac('sha256', secret).update(`${seconds}.${hook.text}`).digest('hex');
  return signature === expected && Math.abs(nowMs / 1000 - Number(seconds)) <= maxAgeSeconds;
}
