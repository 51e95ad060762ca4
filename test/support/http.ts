import { type Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { checkAnswer } from './openapi-check.js';

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a test says what it expects of a body field by field
type Loose = any;

/** An answer of the server. `data`, `page` and `code` are the envelope's, undefined where it has none. */
export interface Answer<T = Loose> {
  status: number;
  headers: IncomingHttpHeaders;
  /** The parsed body of a JSON answer, the text of a text, else the bytes. */
  body: Loose;
  bytes: Buffer;
  data: T;
  page: { nextCursor: string | null; prevCursor?: string | null };
  code: string | undefined;
}

export interface RawRequest {
  method: string;
  /** With its query; sent exactly as it stands here. */
  path: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
}

export interface CallOptions {
  headers?: Record<string, string>;
  /** The call is meant for something the OpenAPI document does not describe, such as an unknown route. */
  undocumented?: boolean;
}

export interface FilePart {
  name: string;
  fileName: string;
  content: Buffer;
  type?: string;
}

/**
 * The one way in which tests call the REST API. Every answer is checked against the OpenAPI document of the server
 * that gave it; what the document lacks or says otherwise fails the test (see `checkAnswer`).
 */
export class TestHttp {
  constructor(
    private readonly url: string,
    private readonly agent: Agent,
    private readonly token?: string,
  ) {}

  /** The same server, with another access token, or none. */
  as(token: string | undefined): TestHttp {
    return new TestHttp(this.url, this.agent, token);
  }

  get<T = Loose>(path: string, options?: CallOptions): Promise<Answer<T>> {
    return this.json('GET', path, undefined, options);
  }

  post<T = Loose>(path: string, body?: unknown, options?: CallOptions): Promise<Answer<T>> {
    return this.json('POST', path, body, options);
  }

  put<T = Loose>(path: string, body?: unknown, options?: CallOptions): Promise<Answer<T>> {
    return this.json('PUT', path, body, options);
  }

  patch<T = Loose>(path: string, body?: unknown, options?: CallOptions): Promise<Answer<T>> {
    return this.json('PATCH', path, body, options);
  }

  delete<T = Loose>(path: string, body?: unknown, options?: CallOptions): Promise<Answer<T>> {
    return this.json('DELETE', path, body, options);
  }

  /** Sends a form, files after fields, as a browser does. */
  async multipart<T = Loose>(
    method: 'POST' | 'PUT' | 'PATCH',
    path: string,
    fields: Record<string, string>,
    files: readonly FilePart[],
    options: CallOptions = {},
  ): Promise<Answer<T>> {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.append(name, value);
    for (const { name, fileName, content, type } of files) {
      form.append(name, new Blob([new Uint8Array(content)], type ? { type } : {}), fileName);
    }
    const encoded = new Response(form);
    const headers = { 'Content-Type': encoded.headers.get('content-type') ?? '', ...options.headers };
    const body = Buffer.from(await encoded.arrayBuffer());
    return this.raw({ method, path, headers, body }, options);
  }

  /** Sends exactly this; the token is added unless `headers` has an `Authorization`. */
  async raw<T = Loose>(init: RawRequest, options: CallOptions = {}): Promise<Answer<T>> {
    const headers: Record<string, string> = { ...init.headers, ...options.headers };
    const isAuthorized = Object.keys(headers).some((name) => name.toLowerCase() === 'authorization');
    if (this.token !== undefined && !isAuthorized) headers.Authorization = `Bearer ${this.token}`;
    const answer = await exchange(this.url, this.agent, { ...init, headers });
    if (!options.undocumented) await checkAnswer(this.url, init.method, init.path, answer);
    return answer as Answer<T>;
  }

  private json<T>(
    method: string,
    path: string,
    body: unknown,
    options: CallOptions = {},
  ): Promise<Answer<T>> {
    if (body === undefined) return this.raw({ method, path }, options);
    const headers = { 'Content-Type': 'application/json' };
    return this.raw({ method, path, headers, body: JSON.stringify(body) }, options);
  }
}

/** One HTTP exchange, without any check. */
export function exchange(url: string, agent: Agent | undefined, init: RawRequest): Promise<Answer> {
  const { hostname, port } = new URL(url);
  const { method, path, headers = {}, body } = init;
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) };
    const request = httpRequest({ hostname, port, agent, method, path, headers: { ...length, ...headers } });
    request.once('error', reject);
    request.once('response', (response) => {
      // A server that refuses a body may close the connection while we still send it.
      request.off('error', reject).on('error', () => undefined);
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => {
        const bytes = Buffer.concat(chunks);
        const parsed = parse(bytes, response.headers);
        const envelope = (typeof parsed === 'object' && parsed !== null ? parsed : {}) as Partial<Answer>;
        const { data, page, code } = envelope;
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: parsed,
          bytes,
          data,
          page: page as Answer['page'],
          code,
        });
      });
    });
    request.end(body);
  });
}

function parse(bytes: Buffer, headers: IncomingHttpHeaders): unknown {
  const type = headers['content-type'] ?? '';
  if (headers['content-encoding'] !== undefined || bytes.length === 0) return bytes;
  if (type.startsWith('application/json')) return JSON.parse(bytes.toString());
  return type.startsWith('text/') ? bytes.toString() : bytes;
}
