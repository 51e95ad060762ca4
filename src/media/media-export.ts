import { Injectable, type OnModuleInit } from '@nestjs/common';
import { AppError } from '../common/errors.js';
import { AccountExport, type ExportContext, type ExportFile } from '../users/account-export.js';
import { MediaExportRepository } from './media-export.repository.js';
import { MediaService, type OpenedMedia } from './media.service.js';

const PAGE_SIZE = 100;

/** The files of an account's export: the owner's uploads, and those of the messages that were exported before. */
@Injectable()
export class MediaExport implements OnModuleInit {
  constructor(
    private readonly accountExport: AccountExport,
    private readonly repository: MediaExportRepository,
    private readonly media: MediaService,
  ) {}

  onModuleInit(): void {
    this.accountExport.registerLast((context) => this.files(context));
  }

  private async *files(context: ExportContext): AsyncGenerator<ExportFile> {
    let after: string | null = null;
    for (;;) {
      const ids: string[] = await this.repository.listOwnIds(context.userId, after, PAGE_SIZE);
      after = ids.at(-1) ?? null;
      if (after === null) break;
      for (const id of ids) {
        context.mediaIds.delete(id);
        yield* this.file(context, id);
      }
    }
    for (const id of context.mediaIds) yield* this.file(context, id);
  }

  private async *file({ userId, sessionId }: ExportContext, id: string): AsyncGenerator<ExportFile> {
    const found = await unlessGone(() => this.media.open(id, {}, { userId, sessionId, deviceId: null }));
    if (!found) return;
    yield {
      path: `media/${nameOf(id, found)}`,
      isPacked: !found.mimeType.startsWith('text/'),
      open: () => unlessGone(() => found.read()),
    };
  }
}

/** The id first, so that names never clash. */
function nameOf(id: string, { fileName, mimeType }: OpenedMedia): string {
  return fileName === null ? `${id}.${mimeType.replace(/^.*\/([\w]*).*$/, '$1')}` : `${id}-${fileName}`;
}

/** What was removed since it was found is left out. */
async function unlessGone<T>(read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof AppError && error.code === 'MEDIA_NOT_FOUND') return null;
    throw error;
  }
}
