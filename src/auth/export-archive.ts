import type { Readable, Writable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';
import type { ExportFile } from '../users/account-export.js';

/**
 * Writes files into `target` as a ZIP, one after the other as they are read: none is in memory whole. When the reader
 * goes away, so does the file that is being read, and no other is opened.
 *
 * @throws what a file could not be read for; `target` is then destroyed, so that half an archive is not taken for one
 */
export async function writeArchive(files: AsyncIterable<ExportFile>, target: Writable): Promise<void> {
  const zip = new ZipFile();
  // What becomes of a file that cannot be read is decided below.
  zip.on('error', () => undefined);
  const reader = new ReaderWatch();
  const written = pipeline(zip.outputStream, target).catch(() => {
    reader.left();
  });
  try {
    for await (const file of files) {
      const content = await file.open();
      if (!content) continue;
      reader.gets(content);
      zip.addReadStream(content, file.path, { compress: !file.isPacked });
      await finished(content, { writable: false });
    }
    zip.end();
    await written;
  } catch (error) {
    if (reader.isGone) return;
    target.destroy();
    throw error;
  }
}

/** Ends the file that is being read when nobody reads the archive any more. */
class ReaderWatch {
  isGone = false;
  private current: Readable | undefined;

  gets(content: Readable): void {
    this.current = content;
    if (this.isGone) content.destroy();
  }

  left(): void {
    this.isGone = true;
    this.current?.destroy();
  }
}
