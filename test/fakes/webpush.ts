import {
  createDecipheriv,
  createECDH,
  createPublicKey,
  hkdfSync,
  randomBytes,
  randomUUID,
  verify,
  type ECDH,
} from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';

/** Made for 127.0.0.1 by an authority that nobody else trusts; good until 2126. */
const CERTIFICATES = join(import.meta.dirname, 'push-service');
const read = (name: string): Buffer => readFileSync(join(CERTIFICATES, name));

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a test says what it expects of a payload field by field
type Loose = any;

export interface ReceivedPush {
  /** The subscription it was sent to. */
  id: string;
  headers: IncomingHttpHeaders;
  payload: Loose;
  /** Bytes of the decrypted payload. */
  size: number;
}

/** How the service answers a subscription's next pushes instead of taking them, one after the other. */
export interface Refusal {
  status: number;
  headers?: Record<string, string>;
  /** Never answers; the connection stays open. */
  hangs?: boolean;
}

export interface Subscription {
  endpoint: string;
  keys: { p256dh: string; auth: string };
}

interface Browser {
  ecdh: ECDH;
  auth: Buffer;
  refusals: Refusal[];
}

/**
 * A push service and the browsers behind it: RFC 8030 over HTTPS with an authority of its own, VAPID checked by
 * RFC 8292, payloads decrypted as a browser does by RFC 8291. What does not fit the standards is refused as the
 * services do, and remembered in `violations`.
 */
export class FakeWebPush {
  readonly received: ReceivedPush[] = [];
  readonly violations: string[] = [];
  /** Requests, the refused ones too. */
  readonly requests: string[] = [];
  /** TCP connections so far. */
  connections = 0;
  /** PEM of the authority. */
  readonly ca = read('authority.pem').toString();
  private readonly browsers = new Map<string, Browser>();

  private constructor(
    private readonly server: Server,
    readonly vapid: { publicKey: string; privateKey: string; subject: string },
  ) {}

  static async start(): Promise<FakeWebPush> {
    const pair = createECDH('prime256v1');
    pair.generateKeys();
    const vapid = {
      publicKey: pair.getPublicKey('base64url'),
      // Without its leading zeros as Node gives it.
      privateKey: Buffer.from(pair.getPrivateKey('hex').padStart(64, '0'), 'hex').toString('base64url'),
      subject: 'mailto:ops@example.com',
    };
    const server = createServer({ key: read('key.pem'), cert: read('certificate.pem') });
    const service = new FakeWebPush(server, vapid);
    server.on('connection', () => {
      service.connections += 1;
    });
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      void service.answer(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return service;
  }

  /** The environment of a server that pushes here. */
  get env(): Record<string, string> {
    return {
      VAPID_PUBLIC_KEY: this.vapid.publicKey,
      VAPID_PRIVATE_KEY: this.vapid.privateKey,
      VAPID_SUBJECT: this.vapid.subject,
      VAPID_CA_FILE: join(CERTIFICATES, 'authority.pem'),
      VAPID_ALLOW_PRIVATE: 'true',
    };
  }

  /** A browser subscribes. */
  subscribe(): Subscription & { id: string } {
    const id = randomUUID();
    const ecdh = createECDH('prime256v1');
    ecdh.generateKeys();
    const auth = randomBytes(16);
    this.browsers.set(id, { ecdh, auth, refusals: [] });
    return {
      id,
      endpoint: `${this.origin}/push/${id}`,
      keys: { p256dh: ecdh.getPublicKey('base64url'), auth: auth.toString('base64url') },
    };
  }

  /** The next pushes to a subscription are answered like this. */
  refuse(id: string, ...refusals: Refusal[]): void {
    this.browsers.get(id)?.refusals.push(...refusals);
  }

  /** The browser unsubscribed: pushes to it are answered 410. */
  unsubscribe(id: string): void {
    this.browsers.delete(id);
  }

  to(id: string): ReceivedPush[] {
    return this.received.filter((push) => push.id === id);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private get origin(): string {
    return `https://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request);
    const id = /^\/push\/([\w-]+)$/.exec(request.url ?? '')?.[1] ?? '';
    this.requests.push(id);
    const end = (status: number, headers: Record<string, string> = {}): void => {
      response.writeHead(status, headers).end();
    };
    const browser = this.browsers.get(id);
    if (!browser) {
      end(410);
      return;
    }
    const wrong = this.findWrong(request);
    if (wrong) {
      this.violations.push(wrong.why);
      end(wrong.status);
      return;
    }
    const refusal = browser.refusals.shift();
    if (refusal) {
      if (!refusal.hangs) end(refusal.status, refusal.headers);
      return;
    }
    try {
      const plain = decrypt(body, browser);
      this.received.push({
        id,
        headers: request.headers,
        payload: JSON.parse(plain.toString()),
        size: plain.length,
      });
    } catch (error) {
      this.violations.push(`not decryptable: ${String(error)}`);
      end(400);
      return;
    }
    end(201, { Location: `${this.origin}/message/${randomUUID()}` });
  }

  private findWrong({ method, headers }: IncomingMessage): { status: number; why: string } | null {
    if (method !== 'POST') return { status: 405, why: `method ${method}` };
    if (!/^\d+$/.test(String(headers.ttl))) return { status: 400, why: 'no TTL' };
    if (headers.topic !== undefined && !/^[\w-]{1,32}$/.test(String(headers.topic)))
      return { status: 400, why: `topic ${String(headers.topic)}` };
    if (!['very-low', 'low', 'normal', 'high'].includes(String(headers.urgency)))
      return { status: 400, why: `urgency ${String(headers.urgency)}` };
    if (headers['content-encoding'] !== 'aes128gcm') return { status: 415, why: 'not aes128gcm' };
    const why = this.findWrongIn(headers.authorization ?? '');
    return why === null ? null : { status: 403, why };
  }

  /** `Authorization: vapid t=<JWT>, k=<public key>` */
  private findWrongIn(authorization: string): string | null {
    const [, token = '', key = ''] = /^vapid t=([\w.-]+), ?k=([\w-]+)$/.exec(authorization) ?? [];
    if (key !== this.vapid.publicKey) return `not the key of the subscription: ${authorization}`;
    const [header = '', claims = '', signature = ''] = token.split('.');
    const raw = Buffer.from(key, 'base64url');
    const jwk = {
      kty: 'EC',
      crv: 'P-256',
      x: raw.subarray(1, 33).toString('base64url'),
      y: raw.subarray(33).toString('base64url'),
    };
    const isSigned = verify(
      'sha256',
      Buffer.from(`${header}.${claims}`),
      { key: createPublicKey({ key: jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' },
      Buffer.from(signature, 'base64url'),
    );
    if (!isSigned) return 'the signature is wrong';
    const { alg } = JSON.parse(Buffer.from(header, 'base64url').toString());
    const { aud, exp, sub } = JSON.parse(Buffer.from(claims, 'base64url').toString());
    const now = Date.now() / 1000;
    if (alg !== 'ES256' || aud !== this.origin || sub !== this.vapid.subject) return `claims ${claims}`;
    if (exp < now || exp > now + 24 * 60 * 60) return 'expires never, or has';
    return null;
  }
}

/** What the browser does: RFC 8291 §3.4 and RFC 8188 §2. */
function decrypt(body: Buffer, { ecdh, auth }: Browser): Buffer {
  const salt = body.subarray(0, 16);
  const recordSize = body.readUInt32BE(16);
  const keyLength = body.readUInt8(20);
  const senderKey = body.subarray(21, 21 + keyLength);
  const record = body.subarray(21 + keyLength);
  if (record.length > recordSize) throw new Error('more than one record');
  if (body.length > 4096) throw new Error('more than 4096 bytes');
  const info = Buffer.concat([Buffer.from('WebPush: info\0'), ecdh.getPublicKey(), senderKey]);
  const ikm = Buffer.from(hkdfSync('sha256', ecdh.computeSecret(senderKey), auth, info, 32));
  const key = Buffer.from(hkdfSync('sha256', ikm, salt, 'Content-Encoding: aes128gcm\0', 16));
  const nonce = Buffer.from(hkdfSync('sha256', ikm, salt, 'Content-Encoding: nonce\0', 12));
  const decipher = createDecipheriv('aes-128-gcm', key, nonce);
  decipher.setAuthTag(record.subarray(-16));
  const padded = Buffer.concat([decipher.update(record.subarray(0, -16)), decipher.final()]);
  const end = padded.lastIndexOf(2);
  if (end === -1 || padded.subarray(end + 1).some((byte) => byte !== 0)) throw new Error('no delimiter');
  return padded.subarray(0, end);
}
