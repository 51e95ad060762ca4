import { createReadStream } from 'node:fs';
import { copyFile, mkdir, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { FileMissing, type ByteRange, type FileRef, type Storage } from './storage.js';

/** Files in a folder, two characters of the key a level so that no folder grows too large. */
export class LocalStorage implements Storage {
  constructor(private readonly root: string) {}

  async put(file: FileRef, localPath: string): Promise<void> {
    const target = this.pathOf(file);
    await mkdir(path.dirname(target), { recursive: true, mode: 0o700 });
    try {
      await rename(localPath, target);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
      await this.copy(localPath, target);
    }
  }

  async read(file: FileRef, range?: ByteRange): Promise<Readable> {
    try {
      const handle = await open(this.pathOf(file), 'r');
      return createReadStream('', { fd: handle, ...(range && { start: range.start, end: range.end }) });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new FileMissing(file.key, error);
      throw error;
    }
  }

  async remove(file: FileRef): Promise<void> {
    const target = this.pathOf(file);
    await rm(target, { force: true });
    await rm(`${target}.part`, { force: true });
  }

  /** From another file system: a copy that ends half-way must not stand under the key. */
  private async copy(localPath: string, target: string): Promise<void> {
    const part = `${target}.part`;
    try {
      await copyFile(localPath, part);
      await rename(part, target);
    } catch (error) {
      await rm(part, { force: true });
      throw error;
    }
    await rm(localPath, { force: true });
  }

  private pathOf({ key }: FileRef): string {
    if (!/^[\w-]{4,100}(\.\w{1,8})?$/.test(key)) throw new Error('not a storage key');
    return path.join(this.root, key.slice(0, 2), key.slice(2, 4), key);
  }
}
