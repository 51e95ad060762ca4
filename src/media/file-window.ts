import { open, type FileHandle } from 'node:fs/promises';

const WINDOW_BYTES = 64 * 1024;

/** Reads short pieces of a long file, a window of 64 KiB at a time, however the file's own lengths lie. */
export class FileWindow {
  private window = Buffer.alloc(0);
  private start = 0;

  private constructor(
    private readonly handle: FileHandle,
    readonly size: number,
  ) {}

  /** Runs `work` with the file open. */
  static async with<T>(localPath: string, work: (file: FileWindow) => Promise<T>): Promise<T> {
    const handle = await open(localPath, 'r');
    try {
      return await work(new FileWindow(handle, (await handle.stat()).size));
    } finally {
      await handle.close();
    }
  }

  /** The bytes at `position`, at most 64 KiB; fewer than `length` only where the file ends. */
  async at(position: number, length: number): Promise<Buffer> {
    const wanted = Math.max(0, Math.min(length, WINDOW_BYTES, this.size - position));
    if (position < this.start || position + wanted > this.start + this.window.length) {
      const buffer = Buffer.alloc(Math.max(0, Math.min(WINDOW_BYTES, this.size - position)));
      const { bytesRead } = await this.handle.read(buffer, 0, buffer.length, position);
      this.window = buffer.subarray(0, bytesRead);
      this.start = position;
    }
    return this.window.subarray(position - this.start, position - this.start + wanted);
  }
}
