import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { Injectable } from '@nestjs/common';
import type { Tenant } from '../tenants/tenants.service.js';
import { asObject, asText } from './graph-answer.js';
import { FILE_TIMEOUT_MS, GraphTransport, type GraphRequest } from './graph-transport.js';
import { GraphFileTooLarge, GraphUnreachable } from './graph.errors.js';

/** What Meta says to a message that it took. */
export interface SentMessage {
  wamid: string;
  /** The customer's number as Meta writes it; null when it was sent to a business-scoped id. */
  waId: string | null;
  userId: string | null;
  /** Such as `accepted` or `held_for_quality_assessment`. */
  messageStatus: string | null;
}

/** A file to be uploaded, read anew for each try. */
export interface MediaFile {
  fileName: string;
  mimeType: string;
  /** In bytes. */
  size: number;
  read(): Promise<AsyncIterable<Uint8Array>>;
}

/** A file of Meta's; its address is good for five minutes. */
export interface MediaDescription {
  url: string;
  mimeType: string | null;
  /** Hex; null when Meta does not say. */
  sha256: string | null;
  size: number | null;
}

export interface TemplatePage {
  templates: Record<string, unknown>[];
  /** For the page that follows; null after the last. */
  after: string | null;
}

const TEMPLATE_PAGE = 100;
const TEMPLATE_FIELDS =
  'id,name,language,status,category,components,quality_score,rejected_reason,parameter_format';

/**
 * Meta's Graph API, as far as this server uses it. Every method throws GraphError for an answer that is no success, and
 * GraphUnreachable when there was no whole answer; neither holds the tenant's token.
 */
@Injectable()
export class GraphClient {
  constructor(private readonly transport: GraphTransport) {}

  /**
   * Sends a message. It is never repeated here.
   *
   * @param body without `messaging_product`
   */
  async sendMessage(tenant: Tenant, body: Record<string, unknown>): Promise<SentMessage> {
    const answer = await this.post(tenant, `${tenant.phoneNumberId}/messages`, body);
    const [message, contact] = [firstOf(answer.messages), firstOf(answer.contacts)];
    const wamid = asText(message.id);
    if (wamid === null) throw new GraphUnreachable('The Graph API took the message and named no id.', true);
    return {
      wamid,
      waId: asText(contact.wa_id),
      userId: asText(contact.user_id),
      messageStatus: asText(message.message_status),
    };
  }

  /**
   * Marks a message of a customer's as read, and all before it.
   *
   * @param typing also shows that somebody is typing, until the next message or for 25 seconds
   */
  async markRead(tenant: Tenant, wamid: string, typing: boolean): Promise<void> {
    await this.post(tenant, `${tenant.phoneNumberId}/messages`, {
      status: 'read',
      message_id: wamid,
      ...(typing && { typing_indicator: { type: 'text' } }),
    });
  }

  /** Uploads a file to be sent, and returns Meta's id of it, which is good for 30 days. */
  async uploadMedia(tenant: Tenant, file: MediaFile): Promise<string> {
    const boundary = randomBytes(16).toString('hex');
    const head = Buffer.from(
      `--${boundary}\r\nContent-Disposition: form-data; name="messaging_product"\r\n\r\nwhatsapp\r\n` +
        `--${boundary}\r\nContent-Disposition: form-data; name="type"\r\n\r\n${file.mimeType}\r\n` +
        `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${quoted(file.fileName)}"\r\n` +
        `Content-Type: ${file.mimeType}\r\n\r\n`,
    );
    const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
    const answer = await this.transport.call(tenant.id, {
      method: 'POST',
      path: `${tenant.phoneNumberId}/media`,
      headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
      body: {
        size: head.length + file.size + tail.length,
        async *read() {
          yield head;
          yield* await file.read();
          yield tail;
        },
      },
      timeoutMs: FILE_TIMEOUT_MS,
    });
    const id = asText(answer.id);
    if (id === null) throw new GraphUnreachable('The Graph API took the file and named no id.', true);
    return id;
  }

  /** Where a file lies that a customer sent, for the next five minutes. */
  async describeMedia(tenant: Tenant, mediaId: string): Promise<MediaDescription> {
    const answer = await this.transport.call(tenant.id, {
      method: 'GET',
      path: encodeURIComponent(mediaId),
      query: { phone_number_id: tenant.phoneNumberId },
    });
    const url = asText(answer.url);
    if (url === null) throw new GraphUnreachable('The Graph API named no address of the file.', true);
    const size = Number(answer.file_size);
    return {
      url,
      mimeType: asText(answer.mime_type),
      sha256: asText(answer.sha256),
      size: Number.isSafeInteger(size) && size > 0 ? size : null,
    };
  }

  /**
   * Fetches a file into a new file of this process; who called it removes that, also after a failure.
   *
   * @param url as Meta gave it
   * @throws GraphError (404 once the address has expired: ask for a new one), GraphUnreachable, GraphHostRefused,
   *   GraphFileTooLarge
   */
  async downloadMedia(tenant: Tenant, url: string, toPath: string, maxBytes: number): Promise<void> {
    await this.transport.fetchFile(tenant.id, url, (bytes) =>
      pipeline(limited(bytes, maxBytes), createWriteStream(toPath, { mode: 0o600 })),
    );
  }

  /**
   * A page of the templates of the tenant's business account.
   *
   * @param after from the page before
   */
  async listTemplates(tenant: Tenant, after?: string): Promise<TemplatePage> {
    const answer = await this.transport.call(tenant.id, {
      method: 'GET',
      path: `${tenant.wabaId ?? 'unknown'}/message_templates`,
      query: { limit: String(TEMPLATE_PAGE), fields: TEMPLATE_FIELDS, ...(after !== undefined && { after }) },
    });
    const paging = asObject(answer.paging);
    const data = Array.isArray(answer.data) ? answer.data : [];
    const hasMore = asText(paging.next) !== null;
    return {
      templates: data.map(asObject),
      after: hasMore ? asText(asObject(paging.cursors).after) : null,
    };
  }

  private async post(
    tenant: Tenant,
    path: string,
    body: Record<string, unknown>,
  ): Promise<Record<string, unknown>> {
    const bytes = Buffer.from(JSON.stringify({ messaging_product: 'whatsapp', ...body }));
    const what: GraphRequest = {
      method: 'POST',
      path,
      headers: { 'content-type': 'application/json' },
      body: { size: bytes.length, read: () => once(bytes) },
    };
    return this.transport.call(tenant.id, what);
  }
}

// eslint-disable-next-line @typescript-eslint/require-await -- the transport takes what can be waited for
async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function* limited(bytes: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const part of bytes) {
    size += part.length;
    if (size > maxBytes) throw new GraphFileTooLarge();
    yield part;
  }
}

function firstOf(list: unknown): Record<string, unknown> {
  return asObject(Array.isArray(list) ? list[0] : undefined);
}

/** A file name for a header: without what ends the quotes or the line. */
function quoted(name: string): string {
  return name.replace(/["\\\r\n]/g, '_');
}
