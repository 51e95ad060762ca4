import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

const CLOUD = 'parley-tests';
const API_KEY = '123456789012345';
const API_SECRET = 'the secret of the stand-in';
const MAX_SINGLE_UPLOAD = 100_000_000;

type Action = 'upload' | 'destroy' | 'delivery';

/**
 * What happens to one request: `error` answers 500 and does nothing, `late-error` does it and answers 500, `hang` never
 * answers, `none` lets it pass, `cut` closes the connection, `refuse` finds the file unreadable, `whole` ignores the range.
 */
export type Trouble = 'none' | 'error' | 'late-error' | 'hang' | 'cut' | 'refuse' | 'whole';

export interface StoredAsset {
  resourceType: string;
  type: string;
  publicId: string;
  content: Buffer;
}

/**
 * Cloudinary's upload API and delivery in one server: signed requests
 * (https://cloudinary.com/documentation/authentication_signatures), uploads whole and in parts, `destroy`
 * (https://cloudinary.com/documentation/image_upload_api_reference), and signed addresses of authenticated files
 * (https://cloudinary.com/documentation/delivery_url_signatures).
 */
export class FakeCloudinary {
  readonly assets = new Map<string, StoredAsset>();
  /** Every request, as `action status`. */
  readonly log: string[] = [];
  /** How many parts each upload in parts has had. */
  readonly parts = new Map<string, Buffer[]>();
  url = '';
  private readonly troubles = new Map<Action, Trouble[]>();
  private server: Server;

  async start(): Promise<this> {
    this.server = createServer((request, response) => {
      this.answer(request, response).catch(() => response.destroy());
    });
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
    return this;
  }

  get env(): Record<string, string> {
    return {
      CLOUDINARY_CLOUD_NAME: CLOUD,
      CLOUDINARY_API_KEY: API_KEY,
      CLOUDINARY_API_SECRET: API_SECRET,
      CLOUDINARY_UPLOAD_PREFIX: this.url,
    };
  }

  /** What the next requests of this kind meet, one each. */
  plan(action: Action, ...troubles: Trouble[]): void {
    this.troubles.set(action, [...(this.troubles.get(action) ?? []), ...troubles]);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '', this.url);
    const api = /^\/v1_1\/([^/]+)\/(image|video|raw)\/(upload|destroy)$/.exec(pathname);
    const action: Action = api ? (api[3] as Action) : 'delivery';
    response.once('finish', () => this.log.push(`${action} ${response.statusCode}`));
    const planned = this.troubles.get(action)?.shift();
    const trouble = planned === 'none' ? undefined : planned;
    if (trouble === 'hang') {
      request.resume();
      return;
    }
    if (trouble === 'cut') {
      request.destroy();
      return;
    }
    if (!api) {
      if (trouble)
        refuse(response, trouble === 'whole' ? 0 : 500, () =>
          this.deliver(request, response, pathname, true),
        );
      else this.deliver(request, response, pathname, false);
      return;
    }
    const form = await readForm(request);
    if (trouble === 'error') {
      json(response, 500, { error: { message: 'General Error' } });
      return;
    }
    if (trouble === 'refuse') {
      json(response, 400, { error: { message: 'Invalid image file' } });
      return;
    }
    const [, cloud, resourceType = ''] = api;
    const problem = cloud === CLOUD ? problemOfSignature(form) : 'Invalid cloud_name';
    if (problem) {
      json(response, 401, { error: { message: problem } });
      return;
    }
    const result =
      action === 'upload' ? await this.upload(request, form, resourceType) : this.destroy(form, resourceType);
    if (trouble === 'late-error') {
      json(response, 500, { error: { message: 'General Error' } });
      return;
    }
    json(response, result.error ? 400 : 200, result);
  }

  private async upload(
    request: IncomingMessage,
    form: FormData,
    resourceType: string,
  ): Promise<Record<string, unknown>> {
    let content = Buffer.from(await (form.get('file') as Blob).arrayBuffer());
    const range = /^bytes (\d+)-(\d+)\/(-?\d+)$/.exec(request.headers['content-range'] ?? '');
    if (range) {
      const id = String(request.headers['x-unique-upload-id']);
      const parts = this.parts.get(id) ?? [];
      this.parts.set(id, [...parts, content]);
      if (range[3] === '-1') return { done: false };
      content = Buffer.concat([...parts, content]);
      if (content.length !== Number(range[3])) return { error: { message: 'Invalid Content-Range' } };
    } else if (content.length > MAX_SINGLE_UPLOAD) {
      return { error: { message: 'File size too large' } };
    }
    const [publicId, type] = [fieldOf(form, 'public_id'), fieldOf(form, 'type')];
    this.assets.set(`${resourceType}/${type}/${publicId}`, { resourceType, type, publicId, content });
    return { public_id: publicId, resource_type: resourceType, type, bytes: content.length, version: 1 };
  }

  private destroy(form: FormData, resourceType: string): Record<string, unknown> {
    const key = `${resourceType}/${fieldOf(form, 'type')}/${fieldOf(form, 'public_id')}`;
    return { result: this.assets.delete(key) ? 'ok' : 'not found' };
  }

  private deliver(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    ignoreRange: boolean,
  ): void {
    const parts = /^\/([^/]+)\/(image|video|raw)\/authenticated\/s--([\w-]{8})--\/(?:v\d+\/)?(.+)$/.exec(
      path,
    );
    const [, cloud, resourceType = '', signature, publicId = ''] = parts ?? [];
    const expected = createHash('sha1')
      .update(publicId + API_SECRET)
      .digest('base64url')
      .slice(0, 8);
    if (cloud !== CLOUD || signature !== expected) {
      response.writeHead(401, { 'X-Cld-Error': 'Invalid signature' }).end();
      return;
    }
    const asset = this.assets.get(`${resourceType}/authenticated/${publicId}`);
    if (!asset) {
      response.writeHead(404, { 'X-Cld-Error': 'Resource not found' }).end();
      return;
    }
    const { content } = asset;
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    if (!range || ignoreRange) {
      response.writeHead(200, { 'Content-Length': content.length }).end(content);
      return;
    }
    const [start, end] = [Number(range[1]), Number(range[2])];
    const part = content.subarray(start, end + 1);
    const headers = {
      'Content-Range': `bytes ${start}-${end}/${content.length}`,
      'Content-Length': part.length,
    };
    response.writeHead(206, headers).end(part);
  }
}

function refuse(response: ServerResponse, status: number, otherwise: () => void): void {
  if (status === 0) otherwise();
  else response.writeHead(status, { 'X-Cld-Error': 'General Error' }).end();
}

function fieldOf(form: FormData, name: string): string {
  const value = form.get(name);
  return typeof value === 'string' ? value : '';
}

async function readForm(request: IncomingMessage): Promise<FormData> {
  const body = await buffer(request);
  const headers = { 'Content-Type': request.headers['content-type'] ?? '' };
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- slow and whole in memory, which is all right here
  return new Response(new Uint8Array(body), { headers }).formData();
}

/** All parameters but these, sorted, joined, followed by the secret, hashed with SHA-1; valid for an hour. */
const UNSIGNED = ['file', 'cloud_name', 'resource_type', 'api_key', 'signature'];

function problemOfSignature(form: FormData): string | undefined {
  if (form.get('api_key') !== API_KEY) return 'Unknown API key';
  const age = Date.now() / 1000 - Number(form.get('timestamp'));
  if (!(Math.abs(age) < 3600)) return 'Stale request';
  const signed = [...form.entries()]
    .filter(([name, value]) => !UNSIGNED.includes(name) && value !== '')
    .map(([name, value]) => `${name}=${(value as string).replaceAll('&', '%26')}`)
    .sort()
    .join('&');
  const expected = createHash('sha1')
    .update(signed + API_SECRET)
    .digest('hex');
  return form.get('signature') === expected ? undefined : 'Invalid Signature';
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
}
