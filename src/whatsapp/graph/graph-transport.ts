import { Readable } from 'node:stream';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Agent, request, type Dispatcher } from 'undici';
import { Clock } from '../../common/clock.js';
import { CONFIG, type Config } from '../../infra/config/config.js';
import { TenantsService } from '../tenants/tenants.service.js';
import { readGraphError, readGraphSuccess } from './graph-answer.js';
import { GraphError, GraphHostRefused, GraphUnreachable } from './graph.errors.js';

/** How long Meta may take to answer in whole, in milliseconds. */
export const CALL_TIMEOUT_MS = 20_000;
/** The same for files, which take their time. */
export const FILE_TIMEOUT_MS = 5 * 60_000;
const CONNECT_TIMEOUT_MS = 5_000;
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
/** What a tenant's token may be shown to, besides the Graph API itself. */
const META_HOSTS = /(?:^|\.)(?:fbsbx\.com|facebook\.com|whatsapp\.net|fbcdn\.net)$/;

export interface GraphRequest {
  method: 'GET' | 'POST';
  /** Below the version, such as `123/messages`; or a whole address, which must be one of Meta's. */
  path: string;
  query?: Readonly<Record<string, string>>;
  headers?: Readonly<Record<string, string>>;
  body?: { size: number; read: () => AsyncIterable<Uint8Array> };
  /** Default: `CALL_TIMEOUT_MS`. */
  timeoutMs?: number;
}

/**
 * Calls to Meta with a tenant's token, which goes into one header and nowhere else: not into an error, not into a log.
 */
@Injectable()
export class GraphTransport implements OnApplicationShutdown {
  private readonly agent = new Agent({
    connect: { timeout: CONNECT_TIMEOUT_MS },
    headersTimeout: 0,
    bodyTimeout: 0,
    pipelining: 1,
  });

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly tenants: TenantsService,
    private readonly clock: Clock,
  ) {}

  async onApplicationShutdown(): Promise<void> {
    await this.agent.destroy();
  }

  /**
   * The JSON object of a successful answer.
   *
   * @throws GraphError, GraphUnreachable
   */
  async call(tenantId: string, what: GraphRequest): Promise<Record<string, unknown>> {
    return this.run(tenantId, what, async (response, token) => {
      const text = await readText(response.body);
      const success = response.statusCode < 300 ? readGraphSuccess(text) : null;
      if (success) return success;
      const { statusCode, headers } = response;
      throw new GraphError(readGraphError(statusCode, headers, text, token, this.clock.nowMs()));
    });
  }

  /**
   * Hands the bytes of a successful answer to `take`.
   *
   * @throws GraphError, GraphUnreachable, GraphHostRefused, and what `take` throws
   */
  async fetchFile<T>(
    tenantId: string,
    url: string,
    take: (bytes: AsyncIterable<Uint8Array>) => Promise<T>,
  ): Promise<T> {
    const what: GraphRequest = { method: 'GET', path: url, timeoutMs: FILE_TIMEOUT_MS };
    return this.run(tenantId, what, async (response, token) => {
      const { statusCode, headers, body } = response;
      if (statusCode < 300) return take(body);
      throw new GraphError(
        readGraphError(statusCode, headers, await readText(body), token, this.clock.nowMs()),
      );
    });
  }

  private async run<T>(
    tenantId: string,
    what: GraphRequest,
    read: (response: Dispatcher.ResponseData, token: string) => Promise<T>,
  ): Promise<T> {
    const url = this.urlOf(what);
    const token = await this.tokenOf(tenantId);
    const controller = new AbortController();
    const cancel = this.clock.after(what.timeoutMs ?? CALL_TIMEOUT_MS, () => {
      controller.abort();
    });
    const sending = { begun: what.body === undefined };
    let failedByUs: unknown;
    try {
      const response = await request(url, {
        method: what.method,
        headers: {
          ...what.headers,
          authorization: `Bearer ${token}`,
          ...(what.body && { 'content-length': String(what.body.size) }),
        },
        body: what.body ? Readable.from(watched(what.body.read(), sending)) : null,
        dispatcher: this.agent,
        signal: controller.signal,
      });
      try {
        return await read(response, token);
      } catch (error) {
        if (!controller.signal.aborted && !isOfConnection(error)) failedByUs = error;
        throw error;
      } finally {
        // What was not read must not keep the connection.
        response.body.destroy();
      }
    } catch (error) {
      if (failedByUs !== undefined) throw error;
      const problem = controller.signal.aborted ? 'did not answer in time' : problemOf(error);
      throw new GraphUnreachable(`The Graph API ${problem}.`, sending.begun);
    } finally {
      cancel();
    }
  }

  private async tokenOf(tenantId: string): Promise<string> {
    try {
      return await this.tenants.accessTokenOf(tenantId);
    } catch {
      throw new GraphUnreachable('The access token of the tenant cannot be read.', false);
    }
  }

  private urlOf({ path, query }: GraphRequest): URL {
    const { apiBase, apiVersion } = this.config.whatsapp;
    const base = new URL(apiBase);
    const isWhole = /^[a-z]+:/i.test(path);
    if (isWhole && !URL.canParse(path)) throw new GraphHostRefused();
    const url = new URL(isWhole ? path : `${apiBase}/${apiVersion}/${path}`);
    if (url.origin !== base.origin && !(url.protocol === 'https:' && META_HOSTS.test(url.hostname)))
      throw new GraphHostRefused();
    if (url.username !== '' || url.password !== '') throw new GraphHostRefused();
    for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, value);
    return url;
  }
}

/** undici asks for the first part once there is a connection, and writes the head of the request along with it. */
async function* watched(
  parts: AsyncIterable<Uint8Array>,
  sending: { begun: boolean },
): AsyncGenerator<Uint8Array> {
  for await (const part of parts) {
    sending.begun = true;
    yield part;
  }
}

async function readText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body) {
    size += part.length;
    if (size > MAX_ANSWER_BYTES) break;
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** Codes of undici and of the system, which hold nothing of the request. */
function codeOf(error: unknown): string | undefined {
  const code: unknown = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}

function isOfConnection(error: unknown): boolean {
  const code = codeOf(error);
  return code !== undefined && (code.startsWith('UND_ERR') || code.startsWith('E'));
}

function problemOf(error: unknown): string {
  return `cannot be reached (${codeOf(error) ?? 'broken connection'})`;
}
