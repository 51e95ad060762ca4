import { Agent, request } from 'node:http';

export interface Answer {
  status: number;
  body: { data?: unknown; code?: string; message?: string };
}

/** A client of the REST API whose connections stay open. */
export class JsonClient {
  private readonly agent: Agent;

  /** @param connections how many requests may be under way at once */
  constructor(
    private readonly url: string,
    connections: number,
  ) {
    this.agent = new Agent({ keepAlive: true, maxSockets: connections, noDelay: true });
  }

  async send(method: string, path: string, token: string | null, body?: object): Promise<Answer> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers = {
      ...(token !== null && { Authorization: `Bearer ${token}` }),
      ...(text !== undefined && {
        'Content-Type': 'application/json',
        'Content-Length': Buffer.byteLength(text),
      }),
    };
    return new Promise((resolve, reject) => {
      const outgoing = request(`${this.url}${path}`, { method, headers, agent: this.agent }, (response) => {
        let received = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          received += chunk;
        });
        response.once('error', reject);
        response.once('end', () => {
          try {
            resolve({ status: response.statusCode ?? 0, body: JSON.parse(received) as Answer['body'] });
          } catch (error) {
            reject(new Error(`${method} ${path} answered no JSON`, { cause: error }));
          }
        });
      });
      outgoing.once('error', reject);
      outgoing.end(text);
    });
  }

  /** The data of a successful answer. @throws Error for any other */
  async ask<T>(method: string, path: string, token: string | null, body?: object): Promise<T> {
    const answer = await this.send(method, path, token, body);
    if (answer.status >= 300) {
      throw new Error(
        `${method} ${path} answered ${answer.status} ${answer.body.code ?? ''}: ${answer.body.message ?? ''}`,
      );
    }
    return answer.body.data as T;
  }

  close(): void {
    this.agent.destroy();
  }
}
