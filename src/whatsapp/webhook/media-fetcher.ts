import { rm } from 'node:fs/promises';
import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { AppError, type ErrorCode } from '../../common/errors.js';
import type { MessageAddress } from '../../common/ids.js';
import type { WhatsappErrorBody } from '../../chats/message.dto.js';
import { CONFIG, type Config } from '../../infra/config/config.js';
import { Log } from '../../infra/observability/log.js';
import { newTempPath } from '../../infra/storage/temp-files.js';
import { MediaService } from '../../media/media.service.js';
import { ChannelRevisions } from '../../messages/channel-revisions.js';
import { GraphClient } from '../graph/graph.client.js';
import { GraphError, GraphFileTooLarge, GraphHostRefused } from '../graph/graph.errors.js';
import { TenantTroubles } from '../outbound/tenant-troubles.js';
import { TenantsService, type Tenant } from '../tenants/tenants.service.js';
import { MediaFetchRepository, type AwaitedFileRow } from './media-fetch.repository.js';
import { MEDIA_LIVES_MS, MediaWakeups } from './media-wakeups.js';
import { contentOf, type MetaMedia } from './parse-content.js';

/** Longer than fetching a file may take, in milliseconds: then its process is taken to be dead. */
const CLAIM_MS = 15 * 60_000;
const FIRST_RETRY_MS = 5_000;
const MAX_RETRY_MS = 3_600_000;
/** What Meta says of a file it says again, but it may only just have come. */
const REFUSALS_BELIEVED_AFTER = 5;
/** What a file is refused for whenever it comes. */
const REFUSED: readonly ErrorCode[] = [
  'PAYLOAD_TOO_LARGE',
  'UNSUPPORTED_MEDIA_TYPE',
  'UNPROCESSABLE',
  'MEDIA_INFECTED',
];

/**
 * Fetches the files of messages from Meta, with the tenant's token, and adds them to their messages. Addresses of files
 * are good for five minutes, so each try asks for a new one; the file itself is there for a week, so long it is tried.
 */
@Injectable()
export class MediaFetcher {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly repository: MediaFetchRepository,
    private readonly tenants: TenantsService,
    private readonly troubles: TenantTroubles,
    private readonly graph: GraphClient,
    private readonly media: MediaService,
    private readonly revisions: ChannelRevisions,
    private readonly wakeups: MediaWakeups,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /** Fetches the file of a message, if it is awaited; what goes wrong is noted and tried again. */
  async fetch(address: MessageAddress): Promise<void> {
    const now = this.clock.nowMs();
    const awaited = await this.repository.claim(address, new Date(now), new Date(now + CLAIM_MS));
    if (!awaited) return;
    try {
      await this.take(address, awaited);
    } catch (error) {
      await this.settle(address, awaited, error);
    }
  }

  private async take(
    address: MessageAddress,
    { tenant_id: tenantId, payload }: AwaitedFileRow,
  ): Promise<void> {
    const { media } = contentOf(payload, null);
    if (!media) throw new AppError('UNPROCESSABLE', { message: 'Meta has named no file.' });
    const tenant = await this.tenants.get(tenantId);
    // It had a token when the message came.
    if (tenant.isMock) throw new AppError('UNPROCESSABLE', { message: 'This tenant never calls Meta.' });
    const localPath = await newTempPath(this.config);
    try {
      await this.download(tenant, media, localPath);
      const { id } = await this.media.takeIn(localPath, media.fileName);
      if (!(await this.revisions.attach(address, id))) await this.media.releaseUnused([id]);
    } finally {
      await rm(localPath, { force: true });
    }
  }

  private async download(tenant: Tenant, { id, url }: MetaMedia, localPath: string): Promise<void> {
    const { maxImageBytes, maxVideoBytes, maxAudioBytes, maxDocumentBytes } = this.config;
    const maxBytes = Math.max(maxImageBytes, maxVideoBytes, maxAudioBytes, maxDocumentBytes);
    const address = id === null ? url : (await this.graph.describeMedia(tenant, id)).url;
    await this.graph.downloadMedia(tenant, address ?? '', localPath, maxBytes);
  }

  private async settle(address: MessageAddress, awaited: AwaitedFileRow, error: unknown): Promise<void> {
    const { attempts, tenant_id: tenantId } = awaited;
    if (error instanceof GraphError) {
      const about = { code: String(error.code ?? error.httpStatus), message: error.message };
      await this.troubles.heed(tenantId, error.class, about);
    }
    const now = this.clock.nowMs();
    const endsAt = (awaited.sent_at ?? awaited.created_at).getTime() + MEDIA_LIVES_MS;
    const delay = Math.min(FIRST_RETRY_MS * 2 ** (attempts - 1), MAX_RETRY_MS);
    const refusal = refusalOf(error, attempts) ?? (now + delay > endsAt ? EXPIRED : null);
    this.log.warn(
      { err: error, ...address, attempt: attempts },
      'the file of a message could not be fetched',
    );
    if (refusal) return this.revisions.giveUpFile(address, refusal);
    const postponed = this.repository.postpone(address, new Date(now + delay));
    this.clock.after(delay, () => {
      postponed.then(
        () => {
          this.wakeups.wake(address, attempts);
        },
        () => undefined,
      );
    });
    await postponed;
  }
}

const EXPIRED: WhatsappErrorBody = {
  code: 'MEDIA_EXPIRED',
  message: 'The file could not be fetched while Meta kept it.',
};

/** Why there is no use in trying again; null when there is. */
function refusalOf(error: unknown, attempts: number): WhatsappErrorBody | null {
  if (error instanceof AppError) {
    if (error.code === 'TENANT_NOT_FOUND') return { code: 'MEDIA_LOST', message: 'The tenant is gone.' };
    return REFUSED.includes(error.code) ? { code: error.code, message: error.message } : null;
  }
  if (error instanceof GraphFileTooLarge) return { code: 'PAYLOAD_TOO_LARGE', message: error.message };
  if (error instanceof GraphHostRefused) return { code: 'MEDIA_LOST', message: error.message };
  if (error instanceof GraphError && error.class === 'REFUSED' && attempts >= REFUSALS_BELIEVED_AFTER) {
    return { code: String(error.code ?? error.httpStatus), message: error.message };
  }
  return null;
}
