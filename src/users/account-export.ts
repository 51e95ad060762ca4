import { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';

/** A file of an export. */
export interface ExportFile {
  /** Its path in the archive, without a slash at the front. */
  path: string;
  /** Whether its bytes are packed already, such as those of a picture. */
  isPacked?: boolean;
  /** Called when its turn comes; null when it is gone by then. */
  open(): Promise<Readable | null> | Readable;
}

/** Whose export it is, and what its parts tell each other. */
export interface ExportContext {
  readonly userId: string;
  readonly sessionId: string;
  /** Media that the parts before have met; the last part adds their files. */
  readonly mediaIds: Set<string>;
}

/** What a module holds on an account, file by file; nothing is read before it is asked for. */
export type ExportPart = (context: ExportContext) => Iterable<ExportFile> | AsyncIterable<ExportFile>;

/**
 * Everything held on an account: each module that holds something of it registers its part. It is no snapshot: each
 * page is read when its turn comes, as a client would read it through the REST API.
 */
@Injectable()
export class AccountExport {
  private readonly parts: ExportPart[] = [];
  private lastPart: ExportPart | undefined;

  register(part: ExportPart): void {
    this.parts.push(part);
  }

  /** Runs when all others are through, and so knows what they have met. */
  registerLast(part: ExportPart): void {
    this.lastPart = part;
  }

  async *files(userId: string, sessionId: string): AsyncGenerator<ExportFile> {
    const context: ExportContext = { userId, sessionId, mediaIds: new Set() };
    for (const part of this.parts) yield* part(context);
    if (this.lastPart) yield* this.lastPart(context);
  }
}

/** A file with one JSON value. */
export function jsonFile(path: string, value: () => Promise<unknown>): ExportFile {
  return { path, open: async () => Readable.from([JSON.stringify(await value(), null, 2)]) };
}

/** A file with a JSON list that is read page by page, of which no more than one is in memory. */
export function jsonListFile(path: string, pages: () => AsyncIterable<readonly unknown[]>): ExportFile {
  return { path, open: () => Readable.from(listText(pages()), { objectMode: false }) };
}

/** All pages of a list that is read with a cursor. */
export async function* pagesOf<T>(
  read: (query: { limit: number; cursor?: string }) => Promise<{ items: T[]; nextCursor: string | null }>,
): AsyncGenerator<T[]> {
  let cursor: string | undefined;
  do {
    const page = await read({ limit: PAGE_SIZE, ...(cursor !== undefined && { cursor }) });
    yield page.items;
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
}

const PAGE_SIZE = 100;

async function* listText(pages: AsyncIterable<readonly unknown[]>): AsyncGenerator<string> {
  let separator = '[\n';
  for await (const page of pages) {
    for (const item of page) {
      yield separator + JSON.stringify(item);
      separator = ',\n';
    }
  }
  yield separator === '[\n' ? '[]\n' : '\n]\n';
}
