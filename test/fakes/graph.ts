import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { bodyOf, httpStatusOf, type GraphRefusal } from './graph-bodies.js';
import {
  bare,
  DOWNLOAD_PATH,
  GraphPlatform,
  type AcceptedMessage,
  type GraphAction,
  type GraphCall,
  type GraphOptions,
  type GraphResult,
  type Loose,
} from './graph-platform.js';
import { postWebhook, statusesBody } from './graph-webhooks.js';

/**
 * What one request meets: `ok` passes; a refusal is answered and nothing is done; `hang` is never answered and does
 * nothing, `late-hang` does it and never answers; `cut` closes the connection once the request was read, `late-cut`
 * does it and closes (a download: in the middle); `error` answers 500 without Meta's body, `late-error` does it and
 * answers 500; `garbage` does it and answers 200 with a body that is none, `empty` with `{}`; `redirect` answers 302
 * to another host.
 */
export type GraphStep =
  | 'ok'
  | 'hang'
  | 'late-hang'
  | 'cut'
  | 'late-cut'
  | 'error'
  | 'late-error'
  | 'garbage'
  | 'empty'
  | 'redirect'
  | GraphRefusal;

interface Held {
  arrived: Promise<void>;
  /** Lets the request go on, to what is planned for it. */
  release(): void;
}

/**
 * Meta's Graph API as the facts sheet of the Cloud API describes it: messages, read receipts, media, templates.
 *
 *     const graph = await FakeGraph.start({ now: () => clock.now().getTime() });
 *     startApp({ env: { WHATSAPP_API_BASE: graph.url, APP_SECRET: 'secret' } });
 *     const number = graph.addNumber();            // phoneNumberId, wabaId, accessToken, displayPhoneNumber
 *     graph.plan('send', { code: 131056 }, 'ok');  // the next two sends; planFor(to, …) those to one recipient
 *     const held = graph.hold('send');             // await held.arrived; held.release()
 *     await graph.awaitAccepted(3); graph.accepted; graph.sentTo('+15550001111'); graph.receipts
 *     await graph.tellStatus(`${app.url}/whatsapp/webhook`, 'secret', message, 'delivered'); // signed
 *     graph.limits = { pair: true, perSecond: 80 };                // 131056 and 130429, by `now`
 *     graph.closeWindow(to); graph.revokeToken(phoneNumberId); graph.waIds.set('5511987654321', '551187654321');
 *     const id = graph.putMedia(bytes, 'image/jpeg'); graph.expireUrls();
 *     graph.templates.set(number.wabaId, [{ id, name, language, status, category }]);
 *     expect(graph.violations).toEqual([]);        // what a client must never do
 */
export class FakeGraph extends GraphPlatform {
  /** Every request, as `action status`, those that were never answered as `action -`. */
  readonly log: string[] = [];
  private readonly steps = new Map<string, GraphStep[]>();
  private readonly held = new Map<GraphAction, { gate: Promise<void>; arrive: () => void }[]>();

  private constructor(
    private readonly server: Server,
    options: GraphOptions,
  ) {
    super(options);
  }

  static async start(options: GraphOptions = {}): Promise<FakeGraph> {
    const server = createServer();
    const graph = new FakeGraph(server, options);
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      graph.serve(request, response).catch(() => response.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    graph.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return graph;
  }

  /** What the next requests of this kind meet, one each. */
  plan(action: GraphAction, ...steps: GraphStep[]): void {
    this.addSteps(action, steps);
  }

  /** What the next sends to this number or business-scoped id meet, before `plan`. */
  planFor(to: string, ...steps: GraphStep[]): void {
    this.addSteps(`to:${bare(to)}`, steps);
  }

  /** The next request of this kind waits, before anything is done with it. */
  hold(action: GraphAction): Held {
    let arrive = (): void => undefined;
    let release = (): void => undefined;
    const arrived = new Promise<void>((resolve) => (arrive = resolve));
    const gate = new Promise<void>((resolve) => (release = resolve));
    this.held.set(action, [...(this.held.get(action) ?? []), { gate, arrive }]);
    return { arrived, release };
  }

  /** Posts Meta's status of a message to the webhook at `url`, with the sender's own callback data. */
  tellStatus(
    url: string,
    appSecret: string | null,
    message: AcceptedMessage,
    status: 'sent' | 'delivered' | 'read' | 'played' | 'failed',
    more: Record<string, unknown> = {},
  ): Promise<{ status: number; body: unknown }> {
    const tracker: unknown = message.body.biz_opaque_callback_data;
    const entry = {
      id: message.wamid,
      status,
      timestamp: String(Math.floor(this.options.now() / 1000)),
      ...(/^\d+$/.test(message.to) ? { recipient_id: message.to } : { recipient_user_id: message.to }),
      ...(tracker !== undefined && { biz_opaque_callback_data: tracker }),
      ...more,
    };
    return postWebhook(url, statusesBody(this.numberOf(message.phoneNumberId), [entry]), appSecret);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private addSteps(key: string, steps: GraphStep[]): void {
    this.steps.set(key, [...(this.steps.get(key) ?? []), ...steps]);
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const call = await this.readCall(request);
    if (call === null) {
      this.violations.push(`unknown path: ${request.method} ${request.url}`);
      refuse(response, { code: 100, httpStatus: 404, details: 'Unknown path components' });
      return;
    }
    const { action } = call;
    response.once('close', () => {
      this.log.push(`${action} ${response.writableFinished ? response.statusCode : '-'}`);
    });
    const held = this.held.get(action)?.shift();
    if (held) {
      held.arrive();
      await held.gate;
    }
    const step = this.takeStep(call);
    if (typeof step === 'object') refuse(response, step);
    else if (step === 'cut') request.socket.destroy();
    else if (step === 'error') json(response, 500, {});
    else if (step === 'redirect') response.writeHead(302, { Location: 'http://localhost:9/elsewhere' }).end();
    else if (step !== 'hang') answer(response, step, await this.perform(call));
  }

  private takeStep(call: GraphCall): GraphStep {
    const to: unknown = call.body?.to ?? call.body?.recipient;
    const own =
      call.action === 'send' && typeof to === 'string'
        ? this.steps.get(`to:${bare(to)}`)?.shift()
        : undefined;
    return own ?? this.steps.get(call.action)?.shift() ?? 'ok';
  }

  private async readCall(request: IncomingMessage): Promise<GraphCall | null> {
    const url = new URL(request.url ?? '', this.url);
    const raw = await buffer(request);
    const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1];
    const common = { token, url };
    if (request.method === 'GET' && url.pathname === DOWNLOAD_PATH)
      return { action: 'download', id: url.searchParams.get('mid') ?? '', ...common };
    const [, id, edge] = /^\/v\d+\.\d+\/([^/]+)(?:\/([^/]+))?$/.exec(url.pathname) ?? [];
    if (id === undefined) return null;
    switch (`${request.method} ${edge ?? ''}`) {
      case 'POST messages': {
        const body = parse(raw);
        return { action: body?.status === 'read' ? 'read' : 'send', id, body, ...common };
      }
      case 'POST media': {
        const form = await readForm(request, raw);
        return { action: 'upload', id, ...(form && { form }), ...common };
      }
      case 'POST subscribed_apps':
        return { action: 'subscribe', id, body: parse(raw), ...common };
      case 'GET message_templates':
        return { action: 'templates', id, ...common };
      case 'GET ':
        return { action: this.isNumber(id) ? 'number' : 'describe', id, ...common };
      default:
        return null;
    }
  }
}

async function readForm(request: IncomingMessage, raw: Buffer): Promise<FormData | undefined> {
  const headers = { 'Content-Type': request.headers['content-type'] ?? '' };
  try {
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- slow and whole in memory, which is all right here
    return await new Response(new Uint8Array(raw), { headers }).formData();
  } catch {
    return undefined;
  }
}

function parse(raw: Buffer): Loose {
  try {
    return JSON.parse(raw.toString()) as unknown;
  } catch {
    return undefined;
  }
}

/** @param step one of those that let the request be done */
function answer(response: ServerResponse, step: GraphStep, result: GraphResult): void {
  if (result.kind === 'refusal') refuse(response, result.refusal);
  else if (result.kind === 'file') {
    const { content, mimeType } = result;
    response.writeHead(200, { 'Content-Type': mimeType, 'Content-Length': content.length });
    if (step === 'late-cut')
      response.write(content.subarray(0, Math.floor(content.length / 2)), () => response.destroy());
    else response.end(content);
  } else if (step === 'late-cut') response.destroy();
  else if (step === 'late-error') json(response, 500, {});
  else if (step === 'garbage') response.writeHead(200).end('<html>not what you asked for</html>');
  else if (step !== 'late-hang') json(response, 200, step === 'empty' ? {} : result.body);
}

function refuse(response: ServerResponse, refusal: GraphRefusal): void {
  json(response, httpStatusOf(refusal), bodyOf(refusal), refusal.headers);
}

function json(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'Content-Type': 'application/json; charset=UTF-8', ...headers });
  response.end(JSON.stringify(body));
}
