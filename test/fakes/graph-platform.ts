import { createHash, randomUUID } from 'node:crypto';
import { findRefusal, type GraphRefusal } from './graph-bodies.js';
import type { WebhookNumber } from './graph-webhooks.js';

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a test says what it expects of a body field by field
export type Loose = any;

export type GraphAction =
  'send' | 'read' | 'upload' | 'describe' | 'download' | 'templates' | 'number' | 'subscribe';

export interface GraphNumber extends WebhookNumber {
  accessToken: string;
}

export interface AcceptedMessage {
  wamid: string;
  phoneNumberId: string;
  /** Digits, or the business-scoped id it went to. */
  to: string;
  body: Loose;
  at: number;
}

export interface GraphTemplate {
  id: string;
  name: string;
  language: string;
  status: string;
  category: string;
  components?: unknown[];
  rejected_reason?: string;
}

export interface GraphOptions {
  /** The time of the limits and of the addresses of media, in milliseconds. */
  now?: () => number;
  /** Templates on a page when the request names no limit. */
  pageSize?: number;
}

/** One request that was understood. */
export interface GraphCall {
  action: GraphAction;
  /** The object named by the path. */
  id: string;
  token: string | undefined;
  url: URL;
  body?: Loose;
  form?: FormData;
}

export type GraphResult =
  | { kind: 'json'; body: object }
  | { kind: 'file'; content: Buffer; mimeType: string }
  | { kind: 'refusal'; refusal: GraphRefusal };

interface StoredMedia {
  content: Buffer;
  mimeType: string;
  /** Whether it came by `POST …/media`, and not from a customer. */
  uploaded: boolean;
}

const URL_LIFE_MS = 5 * 60_000;
const PAIR_BURST = 45;
const PAIR_EVERY_MS = 6_000;
export const DOWNLOAD_PATH = '/whatsapp_business/attachments/';

/** What Meta holds and does: numbers, tokens, messages, limits, media and templates. */
export class GraphPlatform {
  readonly accepted: AcceptedMessage[] = [];
  /** Read receipts and typing indicators. */
  readonly receipts: { phoneNumberId: string; wamid: string; typing: boolean }[] = [];
  /** What no client may do: a number without its plus, a path that is none. */
  readonly violations: string[] = [];
  readonly media = new Map<string, StoredMedia>();
  /** By WABA. */
  readonly templates = new Map<string, GraphTemplate[]>();
  readonly subscriptions: { wabaId: string; body: Loose }[] = [];
  /** What Meta makes of a number: digits sent to → `wa_id` answered. */
  readonly waIds = new Map<string, string>();
  limits: { pair?: boolean; perSecond?: number } = {};
  url = '';
  protected readonly options: Required<GraphOptions>;
  private readonly numbers = new Map<string, GraphNumber>();
  private readonly closedWindows = new Set<string>();
  private readonly mediaUrls = new Map<string, { id: string; until: number }>();
  private readonly pairs = new Map<string, number>();
  private readonly recent = new Map<string, number[]>();
  private waiting: (() => void)[] = [];

  constructor(options: GraphOptions) {
    this.options = { now: Date.now, pageSize: 25, ...options };
  }

  addNumber(given: Partial<GraphNumber> = {}): GraphNumber {
    const number = {
      phoneNumberId: digits(15),
      wabaId: digits(15),
      displayPhoneNumber: `1555${digits(7)}`,
      accessToken: `EAAG${randomUUID().replaceAll('-', '')}`,
      ...given,
    };
    this.numbers.set(number.phoneNumberId, number);
    return number;
  }

  /** The token is worth nothing from now on (190); the next one is. */
  revokeToken(phoneNumberId: string, next: string = randomUUID()): void {
    this.numberOf(phoneNumberId).accessToken = next;
  }

  /** Nothing but templates goes to this recipient (131047). */
  closeWindow(to: string): void {
    this.closedWindows.add(bare(to));
  }

  sentTo(to: string): AcceptedMessage[] {
    return this.accepted.filter((message) => message.to === bare(to));
  }

  /** Resolves when this many messages have been accepted in all. */
  async awaitAccepted(count: number): Promise<AcceptedMessage[]> {
    while (this.accepted.length < count) await new Promise<void>((resolve) => this.waiting.push(resolve));
    return this.accepted;
  }

  /** A file as a customer sends it: the id that a webhook names. */
  putMedia(content: Buffer, mimeType: string, id: string = digits(16)): string {
    this.media.set(id, { content, mimeType, uploaded: false });
    return id;
  }

  /** Every address of a file that was handed out is dead from now on. */
  expireUrls(): void {
    this.mediaUrls.clear();
  }

  protected numberOf(phoneNumberId: string): GraphNumber {
    const number = this.numbers.get(phoneNumberId);
    if (!number) throw new Error(`no number ${phoneNumberId}`);
    return number;
  }

  protected isNumber(id: string): boolean {
    return this.numbers.has(id);
  }

  protected async perform(call: GraphCall): Promise<GraphResult> {
    const denied = this.findDenied(call);
    if (denied) return { kind: 'refusal', refusal: denied };
    switch (call.action) {
      case 'send':
        return this.send(call.id, call.body);
      case 'read':
        return this.read(call.id, call.body);
      case 'upload':
        return this.upload(call.form);
      case 'describe':
        return this.describe(call.id);
      case 'download':
        return this.download(call.url);
      case 'templates':
        return this.listTemplates(call.id, call.url);
      case 'number':
        return this.describeNumber(call.id);
      case 'subscribe':
        this.subscriptions.push({ wabaId: call.id, body: call.body });
        return answer({ success: true });
    }
  }

  private findDenied(call: GraphCall): GraphRefusal | null {
    const owner = [...this.numbers.values()].find(({ accessToken }) => accessToken === call.token);
    if (!owner) return { code: 190, details: 'Error validating access token' };
    const named = call.url.searchParams.get('phone_number_id');
    const ofNumber = call.action === 'describe' || call.action === 'download';
    const ofAccount = call.action === 'templates' || call.action === 'subscribe';
    const mine = ofNumber
      ? named === null || named === owner.phoneNumberId
      : call.id === (ofAccount ? owner.wabaId : owner.phoneNumberId);
    return mine ? null : { code: 100, details: `Object ${call.id} does not exist or is not yours` };
  }

  private send(phoneNumberId: string, body: Loose): GraphResult {
    const refusal = findRefusal(body, (id) => this.media.get(id)?.uploaded === true);
    if (refusal) return refused(refusal);
    const given = (body.to ?? body.recipient) as string;
    if (body.to !== undefined && !/^\+\d{5,15}$/.test(given))
      this.violations.push(`"to" is no number with its plus: ${given}`);
    const to = bare(given);
    const full = this.findFull(phoneNumberId, to);
    if (full) return refused(full);
    if (this.closedWindows.has(to) && body.type !== 'template')
      return refused({ code: 131047, details: 'More than 24 hours have passed' });
    const wamid = `wamid.${Buffer.from(`${to}:${randomUUID()}`).toString('base64')}`;
    this.accepted.push({ wamid, phoneNumberId, to, body, at: this.options.now() });
    for (const wake of this.waiting.splice(0)) wake();
    const who = body.to === undefined ? { user_id: to } : { wa_id: this.waIds.get(to) ?? to };
    return answer({
      messaging_product: 'whatsapp',
      contacts: [{ input: given, ...who }],
      messages: [{ id: wamid, ...(body.type === 'template' && { message_status: 'accepted' }) }],
    });
  }

  private findFull(phoneNumberId: string, to: string): GraphRefusal | null {
    const now = this.options.now();
    if (this.limits.perSecond !== undefined) {
      const recent = (this.recent.get(phoneNumberId) ?? []).filter((at) => at > now - 1000);
      if (recent.length >= this.limits.perSecond)
        return { code: 130429, httpStatus: 429, details: 'Rate limit hit' };
      this.recent.set(phoneNumberId, [...recent, now]);
    }
    if (!this.limits.pair) return null;
    const key = `${phoneNumberId}:${to}`;
    const paidUntil = Math.max(this.pairs.get(key) ?? now, now);
    if (paidUntil - now > (PAIR_BURST - 1) * PAIR_EVERY_MS)
      return { code: 131056, details: 'Too many messages to this recipient' };
    this.pairs.set(key, paidUntil + PAIR_EVERY_MS);
    return null;
  }

  private read(phoneNumberId: string, body: Loose): GraphResult {
    if (body.messaging_product !== 'whatsapp' || typeof body.message_id !== 'string')
      return refused({ code: 131008, details: 'message_id' });
    const typing: unknown = body.typing_indicator;
    if (typing !== undefined && body.typing_indicator?.type !== 'text')
      return refused({ code: 131009, details: 'typing_indicator' });
    this.receipts.push({ phoneNumberId, wamid: body.message_id, typing: typing !== undefined });
    return answer({ success: true });
  }

  private async upload(form: FormData | undefined): Promise<GraphResult> {
    const file = form?.get('file');
    if (form?.get('messaging_product') !== 'whatsapp' || !(file instanceof Blob))
      return refused({ code: 100, details: 'messaging_product and file' });
    const id = digits(16);
    const content = Buffer.from(await file.arrayBuffer());
    this.media.set(id, { content, mimeType: file.type, uploaded: true });
    return answer({ id });
  }

  private describe(id: string): GraphResult {
    const media = this.media.get(id);
    if (!media) return refused({ code: 100, details: `Object ${id} does not exist` });
    const hash = randomUUID();
    this.mediaUrls.set(hash, { id, until: this.options.now() + URL_LIFE_MS });
    return answer({
      messaging_product: 'whatsapp',
      url: `${this.url}${DOWNLOAD_PATH}?mid=${id}&source=getMedia&hash=${hash}`,
      mime_type: media.mimeType,
      sha256: createHash('sha256').update(media.content).digest('hex'),
      file_size: media.content.length,
      id,
    });
  }

  private download(url: URL): GraphResult {
    const address = this.mediaUrls.get(url.searchParams.get('hash') ?? '');
    const media = address && address.until > this.options.now() ? this.media.get(address.id) : undefined;
    return media
      ? { kind: 'file', ...media }
      : refused({ code: 100, httpStatus: 404, details: 'URL signature expired' });
  }

  private listTemplates(wabaId: string, url: URL): GraphResult {
    const all = this.templates.get(wabaId) ?? [];
    const size = Number(url.searchParams.get('limit') ?? this.options.pageSize);
    const from = Number(Buffer.from(url.searchParams.get('after') ?? '', 'base64').toString() || 0);
    const data = all.slice(from, from + size);
    const cursors = { before: cursorOf(from), after: cursorOf(from + data.length) };
    const next = new URL(url);
    next.searchParams.set('after', cursors.after);
    const more = from + data.length < all.length;
    return answer({ data, paging: { cursors, ...(more && { next: next.href }) } });
  }

  private describeNumber(id: string): GraphResult {
    const { displayPhoneNumber } = this.numberOf(id);
    return answer({
      id,
      display_phone_number: displayPhoneNumber,
      verified_name: 'A business',
      quality_rating: 'GREEN',
    });
  }
}

/** A number without its plus. */
export function bare(to: string): string {
  return to.replace(/^\+/, '');
}

function answer(body: object): GraphResult {
  return { kind: 'json', body };
}

function refused(refusal: GraphRefusal): GraphResult {
  return { kind: 'refusal', refusal };
}

function cursorOf(position: number): string {
  return Buffer.from(String(position)).toString('base64');
}

function digits(count: number): string {
  const random = createHash('sha256').update(randomUUID()).digest('hex').replace(/\D/g, '');
  return `1${random.padEnd(count, '7')}`.slice(0, count);
}
