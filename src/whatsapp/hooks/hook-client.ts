import { lookup as lookUp, promises as dns } from 'node:dns';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import type { OnModuleDestroy } from '@nestjs/common';
import { Agent, buildConnector, errors, request } from 'undici';
import { isPrivateAddress, isPrivateHost } from '../../infra/http/private-hosts.js';
import { publicOnly } from '../../infra/http/public-lookup.js';

/** The whole exchange, in milliseconds. */
export const HOOK_TIMEOUT_MS = 10_000;
const CONNECT_TIMEOUT_MS = 5_000;
/** Of a name, when it is given, in milliseconds. */
const LOOK_UP_TIMEOUT_MS = 2_000;
/** Of an answer, which nobody reads, before the connection is given up instead. */
const MAX_ANSWER_BYTES = 64 * 1024;
/** Connections to one tenant's system. */
const CONNECTIONS_PER_HOST = 16;

/** What became of one call: the status of the answer, or why there was none, without anything secret. */
export type HookAnswer = { status: number; problem: null } | { status: null; problem: string };

export interface HookClientOptions {
  /** Whether it may call private addresses. */
  allowPrivate: boolean;
  /** How names are resolved, if not as everywhere. */
  lookup?: LookupFunction;
}

/**
 * Calls the systems of tenants. The address was chosen by a tenant, so this connects to any public host and to no other:
 * names are looked at after they are resolved, and the connection goes to the very address that was looked at, whatever
 * the name says a moment later; redirects are not followed; nothing of an answer but its status is used.
 */
export class HookClient implements OnModuleDestroy {
  private readonly agent: Agent;
  private readonly lookup: LookupFunction;

  constructor(private readonly options: HookClientOptions) {
    this.lookup = options.lookup ?? (options.allowPrivate ? lookUp : lookUpOutside);
    const lookup = this.lookup;
    const connect = buildConnector({
      timeout: CONNECT_TIMEOUT_MS,
      lookup: options.allowPrivate ? lookup : publicOnly(lookup),
    });
    this.agent = new Agent({
      connections: CONNECTIONS_PER_HOST,
      headersTimeout: HOOK_TIMEOUT_MS,
      bodyTimeout: HOOK_TIMEOUT_MS,
      connect: options.allowPrivate ? connect : refusingPrivate(connect),
    });
  }

  async post(url: string, headers: Record<string, string>, body: string): Promise<HookAnswer> {
    // An address in the URL itself is connected to without a look-up.
    if (!this.options.allowPrivate && isPrivateHost(new URL(url).hostname)) {
      return { status: null, problem: PRIVATE };
    }
    const signal = AbortSignal.timeout(HOOK_TIMEOUT_MS);
    try {
      const answer = await request(url, { method: 'POST', headers, body, dispatcher: this.agent, signal });
      await answer.body.dump({ limit: MAX_ANSWER_BYTES, signal }).catch(() => undefined);
      return { status: answer.statusCode, problem: null };
    } catch (error) {
      return { status: null, problem: signal.aborted ? 'no answer in time' : describe(error) };
    }
  }

  /**
   * Whether a URL leads into a private network as far as can be seen now. A name that cannot be resolved does not: where
   * it leads is looked at again whenever it is called.
   */
  async isPrivate(url: string): Promise<boolean> {
    if (this.options.allowPrivate) return false;
    const { hostname } = new URL(url);
    if (isPrivateHost(hostname)) return true;
    if (isIP(hostname.replace(/^\[(.*)\]$/, '$1')) !== 0) return false;
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, LOOK_UP_TIMEOUT_MS, false);
      this.lookup(hostname, { all: true }, (error, found) => {
        clearTimeout(timer);
        const addresses = error || typeof found === 'string' ? [] : found;
        resolve(addresses.some(({ address }) => isPrivateAddress(address)));
      });
    });
  }

  async onModuleDestroy(): Promise<void> {
    await this.agent.destroy();
  }
}

const resolver = new dns.Resolver({ timeout: 1_000, tries: 2 });

/**
 * Asks the name servers ourselves: `getaddrinfo` would hold one of the few threads on which every look-up of this process
 * waits, those of Meta's hosts too, for as long as the name server of a tenant keeps silent.
 */
const lookUpOutside: LookupFunction = (hostname, _options, callback) => {
  void Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)]).then(([four, six]) => {
    const found = [
      ...(four.status === 'fulfilled' ? four.value.map((address) => ({ address, family: 4 })) : []),
      ...(six.status === 'fulfilled' ? six.value.map((address) => ({ address, family: 6 })) : []),
    ];
    const error = four.status === 'rejected' ? (four.reason as NodeJS.ErrnoException) : null;
    callback(found.length > 0 ? null : error, found);
  });
};

const PRIVATE = 'the address lies in a private network';

class PrivateAddressError extends Error implements NodeJS.ErrnoException {
  readonly code = 'EPRIVATE';
}

/** Looks once more at where a connection has led. */
export function refusingPrivate(connect: buildConnector.connector): buildConnector.connector {
  return (options, callback) => {
    connect(options, (...outcome) => {
      const socket: Socket | null = outcome[1];
      if (socket && isPrivateAddress(socket.remoteAddress ?? '')) {
        socket.destroy();
        callback(new PrivateAddressError(PRIVATE), null);
      } else {
        callback(...outcome);
      }
    });
  };
}

function describe(error: unknown): string {
  const { code, name } = error as NodeJS.ErrnoException;
  if (code === 'EPRIVATE') return PRIVATE;
  if (error instanceof errors.ConnectTimeoutError) return 'no connection in time';
  return `no answer: ${code ?? name}`;
}
