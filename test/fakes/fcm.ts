import { generateKeyPairSync, randomUUID, verify, type KeyObject } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a test says what it expects of a message field by field
type Loose = any;

/** Codes of https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode with their HTTP and RPC status. */
const ERRORS = {
  UNREGISTERED: [404, 'NOT_FOUND'],
  INVALID_ARGUMENT: [400, 'INVALID_ARGUMENT'],
  SENDER_ID_MISMATCH: [403, 'PERMISSION_DENIED'],
  QUOTA_EXCEEDED: [429, 'RESOURCE_EXHAUSTED'],
  UNAVAILABLE: [503, 'UNAVAILABLE'],
  INTERNAL: [500, 'INTERNAL'],
  THIRD_PARTY_AUTH_ERROR: [401, 'UNAUTHENTICATED'],
} as const;
export type FcmErrorCode = keyof typeof ERRORS;

export interface FcmRefusal {
  code: FcmErrorCode;
  headers?: Record<string, string>;
  /** INVALID_ARGUMENT: the field that is to blame. */
  field?: string;
}

const SCOPE = 'https://www.googleapis.com/auth/firebase.messaging';
const PROJECT = 'parley-tests';
const ACCOUNT = `push@${PROJECT}.iam.gserviceaccount.com`;
const TOKEN_LIFE_S = 3599;

/** Google's token endpoint and FCM HTTP v1 in one server. */
export class FakeFcm {
  /** Messages that were accepted. */
  readonly received: Loose[] = [];
  readonly violations: string[] = [];
  /** Device tokens of all requests, the refused ones too. */
  readonly requests: string[] = [];
  tokensIssued = 0;
  private readonly accessTokens = new Set<string>();
  private readonly refusals = new Map<string, FcmRefusal[]>();

  private constructor(
    private readonly server: Server,
    private readonly publicKey: KeyObject,
    private readonly privateKey: string,
  ) {}

  static async start(): Promise<FakeFcm> {
    const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const privateKey = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
    const server = createServer();
    const fcm = new FakeFcm(server, pair.publicKey, privateKey);
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      void fcm.answer(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return fcm;
  }

  /** The environment of a server that pushes here, the key as it stands in a service account's file. */
  get env(): Record<string, string> {
    return {
      FCM_PROJECT_ID: PROJECT,
      FCM_CLIENT_EMAIL: ACCOUNT,
      FCM_PRIVATE_KEY: this.privateKey.replaceAll('\n', '\\n'),
      FCM_API_BASE: this.url,
      FCM_TOKEN_URL: `${this.url}/token`,
    };
  }

  /** An app registers. */
  register(): string {
    return `${randomUUID()}:APA91b${randomUUID().replaceAll('-', '')}`;
  }

  refuse(token: string, ...refusals: FcmRefusal[]): void {
    this.refusals.set(token, [...(this.refusals.get(token) ?? []), ...refusals]);
  }

  /** Access tokens are worth nothing from now on. */
  revokeAccess(): void {
    this.accessTokens.clear();
  }

  to(token: string): Loose[] {
    return this.received.filter((message) => message.token === token);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    const answer = request.url === '/token' ? this.issueToken(body) : this.send(request, body);
    response.writeHead(answer.status, {
      'Content-Type': 'application/json; charset=UTF-8',
      ...answer.headers,
    });
    response.end(JSON.stringify(answer.body));
  }

  /** https://developers.google.com/identity/protocols/oauth2/service-account#httprest */
  private issueToken(body: string): Answer {
    const form = new URLSearchParams(body);
    const why = this.findWrongIn(form.get('assertion') ?? '');
    if (form.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:jwt-bearer' || why !== null) {
      this.violations.push(`token: ${why ?? form.get('grant_type')}`);
      return { status: 400, body: { error: 'invalid_grant', error_description: why } };
    }
    const token = `ya29.${randomUUID()}`;
    this.accessTokens.add(token);
    this.tokensIssued += 1;
    return { status: 200, body: { access_token: token, expires_in: TOKEN_LIFE_S, token_type: 'Bearer' } };
  }

  private findWrongIn(assertion: string): string | null {
    const [header = '', claims = '', signature = ''] = assertion.split('.');
    const isSigned = verify(
      'RSA-SHA256',
      Buffer.from(`${header}.${claims}`),
      this.publicKey,
      Buffer.from(signature, 'base64url'),
    );
    if (!isSigned) return 'Invalid JWT Signature.';
    const { alg } = JSON.parse(Buffer.from(header, 'base64url').toString());
    const { iss, scope, aud, iat, exp } = JSON.parse(Buffer.from(claims, 'base64url').toString());
    const now = Date.now() / 1000;
    if (alg !== 'RS256' || iss !== ACCOUNT || scope !== SCOPE) return `Invalid JWT: ${claims}`;
    if (aud !== 'https://oauth2.googleapis.com/token') return `Invalid audience: ${aud}`;
    return exp > now && exp - iat <= 3600 && iat <= now + 300 ? null : 'Token must be a short-lived token.';
  }

  private send(request: IncomingMessage, body: string): Answer {
    if (request.method !== 'POST' || request.url !== `/v1/projects/${PROJECT}/messages:send`) {
      this.violations.push(`${request.method} ${request.url}`);
      return failure({ code: 'UNREGISTERED' });
    }
    const accessToken = (request.headers.authorization ?? '').replace(/^Bearer /, '');
    const { message } = JSON.parse(body);
    this.requests.push(String(message?.token));
    if (!this.accessTokens.has(accessToken)) {
      return {
        status: 401,
        body: { error: { code: 401, status: 'UNAUTHENTICATED', message: 'Invalid credentials.' } },
      };
    }
    const wrong = findWrongInMessage(message, body);
    if (wrong !== null) {
      this.violations.push(wrong);
      return failure({ code: 'INVALID_ARGUMENT', field: wrong });
    }
    const refusal = this.refusals.get(message.token)?.shift();
    if (refusal) return failure(refusal);
    this.received.push(message);
    return { status: 200, body: { name: `projects/${PROJECT}/messages/${randomUUID()}` } };
  }
}

interface Answer {
  status: number;
  headers?: Record<string, string>;
  body: object;
}

const FIELDS = ['token', 'notification', 'data', 'android', 'apns', 'webpush'];

/** As the API does: unknown fields, values of `data` that are no strings, and large payloads. */
function findWrongInMessage(message: Loose, body: string): string | null {
  if (typeof message?.token !== 'string') return 'message.token';
  const unknown = Object.keys(message).find((field) => !FIELDS.includes(field));
  if (unknown !== undefined) return `message.${unknown}`;
  const value = Object.entries(message.data ?? {}).find(([, one]) => typeof one !== 'string');
  if (value) return `message.data[${value[0]}]`;
  return Buffer.byteLength(body) > 4096 ? 'message' : null;
}

function failure({ code, headers, field }: FcmRefusal): Answer {
  const [status, rpcStatus] = ERRORS[code];
  const details: object[] = [
    { '@type': 'type.googleapis.com/google.firebase.fcm.v1.FcmError', errorCode: code },
  ];
  if (field !== undefined) {
    details.push({
      '@type': 'type.googleapis.com/google.rpc.BadRequest',
      fieldViolations: [{ field, description: 'Invalid registration token' }],
    });
  }
  return {
    status,
    ...(headers && { headers }),
    body: { error: { code: status, message: `${code} for the tests`, status: rpcStatus, details } },
  };
}
