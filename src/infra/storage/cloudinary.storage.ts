import { createRequire } from 'node:module';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import type { v2 as CloudinarySdk } from 'cloudinary';
import type { CloudinaryConfig } from '../config/config.js';
import { cutTo } from './cut-to.js';
import { FileMissing, FileRefused, type ByteRange, type FileRef, type Storage } from './storage.js';

const CLOUDINARY_API = 'https://api.cloudinary.com';
/** How long Cloudinary may say nothing, in milliseconds. */
const PATIENCE_MS = 60_000;
/** Cloudinary refuses more than 100 MB in one request; above this a file goes in parts (bytes). */
const MAX_SINGLE_UPLOAD = 95_000_000;
/** Cloudinary wants parts of 5 MB or more; one is held in memory at a time. */
const PART_BYTES = 6_000_000;

/** How Cloudinary files things: video stands for sound too, raw for everything it does not look into. */
type ResourceType = 'image' | 'video' | 'raw';

/**
 * Files in a Cloudinary account, delivered as `authenticated`: nobody reads one without a signature, and only this
 * server has the secret, so that its own rules of access hold.
 */
export class CloudinaryStorage implements Storage {
  private readonly account: Account;
  private loading: Promise<typeof CloudinarySdk> | undefined;

  constructor(
    config: CloudinaryConfig,
    private readonly patienceMs = PATIENCE_MS,
  ) {
    this.account = {
      cloud_name: config.cloudName,
      api_key: config.apiKey,
      api_secret: config.apiSecret,
      upload_prefix: config.uploadPrefix ?? CLOUDINARY_API,
    };
  }

  async put(file: FileRef, localPath: string): Promise<void> {
    const { uploader } = await this.sdk();
    const options = {
      ...this.account,
      ...locate(file),
      overwrite: false,
      unique_filename: false,
      use_filename: false,
      timeout: this.patienceMs,
    };
    try {
      if ((await stat(localPath)).size <= MAX_SINGLE_UPLOAD) await uploader.upload(localPath, options);
      else await uploadInParts(uploader, localPath, options);
    } catch (error) {
      if (statusOf(error) === 400) throw new FileRefused(file.key, toError(error));
      throw toError(error);
    }
  }

  async read(file: FileRef, range?: ByteRange): Promise<Readable> {
    const url = await this.deliveryUrl(file);
    const giveUp = new AbortController();
    const timer = setTimeout(() => {
      giveUp.abort(new Error('Cloudinary did not answer in time'));
    }, this.patienceMs);
    let answer: Response;
    try {
      answer = await fetch(url, {
        signal: giveUp.signal,
        // The bytes are passed on as they are.
        headers: {
          'Accept-Encoding': 'identity',
          ...(range && { Range: `bytes=${range.start}-${range.end}` }),
        },
      });
    } finally {
      clearTimeout(timer);
    }
    if (answer.status === 404) {
      await answer.body?.cancel();
      throw new FileMissing(file.key);
    }
    if (!answer.ok || !answer.body) {
      await answer.body?.cancel();
      throw new Error(`Cloudinary answered ${answer.status} to a delivery`);
    }
    const bytes = Readable.fromWeb(answer.body as ReadableStream<Uint8Array>);
    return range && answer.status !== 206 ? cutTo(bytes, range) : bytes;
  }

  async remove(file: FileRef): Promise<void> {
    const { uploader } = await this.sdk();
    const { public_id, type, resource_type } = locate(file);
    const options = { ...this.account, type, resource_type, invalidate: true, timeout: this.patienceMs };
    let answer: { result?: string };
    try {
      answer = (await uploader.destroy(public_id, options)) as { result?: string };
    } catch (error) {
      throw toError(error);
    }
    if (answer.result !== 'ok' && answer.result !== 'not found') {
      throw new Error(`Cloudinary answered "${String(answer.result)}" to a removal`);
    }
  }

  /** With an API of one's own (a region's is still Cloudinary's), files are delivered by the same host. */
  private async deliveryUrl(file: FileRef): Promise<string> {
    const { url } = await this.sdk();
    const { public_id, type, resource_type } = locate(file);
    const signed = url(public_id, {
      ...this.account,
      type,
      resource_type,
      sign_url: true,
      secure: true,
      urlAnalytics: false,
    });
    const api = new URL(this.account.upload_prefix);
    if (api.hostname === 'cloudinary.com' || api.hostname.endsWith('.cloudinary.com')) return signed;
    const delivered = new URL(signed);
    return `${api.origin}${delivered.pathname}`;
  }

  /** The SDK chooses between HTTP and HTTPS by the configuration it finds when its module is first loaded. */
  private sdk(): Promise<typeof CloudinarySdk> {
    this.loading ??= (async () => {
      const configure = createRequire(import.meta.url)('cloudinary/lib/config') as (
        account: object,
      ) => unknown;
      configure(this.account);
      return (await import('cloudinary')).v2;
    })();
    return this.loading;
  }
}

interface Account {
  cloud_name: string;
  api_key: string;
  api_secret: string;
  upload_prefix: string;
}

function locate({ key, mimeType }: FileRef): {
  public_id: string;
  type: 'authenticated';
  resource_type: ResourceType;
} {
  const resource_type = resourceTypeOf(mimeType);
  // What Cloudinary looks into has its extension apart from its id.
  const public_id = resource_type === 'raw' ? key : key.replace(/\.\w+$/, '');
  return { public_id, type: 'authenticated', resource_type };
}

function resourceTypeOf(mimeType: string): ResourceType {
  if (mimeType.startsWith('video/') || mimeType.startsWith('audio/')) return 'video';
  return mimeType.startsWith('image/') && mimeType !== 'image/svg+xml' ? 'image' : 'raw';
}

function uploadInParts(
  uploader: (typeof CloudinarySdk)['uploader'],
  localPath: string,
  options: object,
): Promise<void> {
  return new Promise((resolve, reject) => {
    // Each part has a promise of its own inside the SDK that nobody could wait for.
    const partOptions = { ...options, chunk_size: PART_BYTES, disable_promises: true };
    void uploader.upload_large(localPath, partOptions, (error?: Error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}

/** The SDK throws plain objects, some of them wrapped in another. */
function inner(thrown: unknown): { message?: string; http_code?: number } {
  const { error } = thrown as { error?: object };
  return error ?? (thrown as object);
}

function statusOf(thrown: unknown): number | undefined {
  return inner(thrown).http_code;
}

function toError(thrown: unknown): Error {
  const found = inner(thrown);
  if (found instanceof Error) return found;
  return new Error(`Cloudinary: ${found.message ?? 'no reason given'} (${found.http_code ?? 'no answer'})`);
}
