import { createReadStream } from 'node:fs';
import { copyFile, mkdir, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import type { ByteRange, Storage } from './storage.js';

/** Files in a folder, two characters of the key a level so that no folder grows too large. */
export class LocalStorage implements Storage {
  constructor(private readonly root: string) {}

  async put(key: string, localPath: string, _mimeType: string): Promise<void> {
    const target = this.pathOf(key);
    await mkdir(path.dirname(target), { recursive: true, mode: 0o700 });
    try {
      await rename(localPath, target);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
      const part = `${target}.part`;
      await copyFile(localPath, part);
      await rename(part, target);
      await rm(localPath, { force: true });
    }
  }

  async read(key: string, range?: ByteRange): Promise<Readable> {
    const handle = await open(this.pathOf(key), 'r');
    return createReadStream('', { fd: handle, ...(range && { start: range.start, end: range.end }) });
  }

  async remove(key: string): Promise<void> {
    await rm(this.pathOf(key), { force: true });
  }

  private pathOf(key: string): string {
    if (!/^[\w-]{4,100}(\.\w{1,8})?$/.test(key)) throw new Error('not a storage key');
    return path.join(this.root, key.slice(0, 2), key.slice(2, 4), key);
  }
}
