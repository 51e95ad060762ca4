import type { Readable } from 'node:stream';

/** A part of a file, in bytes; `end` is included, as in HTTP ranges. */
export interface ByteRange {
  start: number;
  end: number;
}

/** What names a file in a storage. Keys are made by the server, never taken from a client. */
export interface FileRef {
  key: string;
  mimeType: string;
}

export const STORAGE_NAMES = ['local', 'cloudinary'] as const;
export type StorageName = (typeof STORAGE_NAMES)[number];

/** Where files live. */
export interface Storage {
  /**
   * Takes the file at `localPath`, which may be gone afterwards; it is whole in the storage when this resolves.
   *
   * @throws FileRefused
   */
  put(file: FileRef, localPath: string): Promise<void>;
  /** @throws FileMissing */
  read(file: FileRef, range?: ByteRange): Promise<Readable>;
  /** Removing what is not there is no error. */
  remove(file: FileRef): Promise<void>;
}

/** The storage will never take this file: it looks into files of its kind, and cannot read this one. */
export class FileRefused extends Error {
  constructor(key: string, cause?: unknown) {
    super(`the storage refuses the file ${key}`, { cause });
    this.name = 'FileRefused';
  }
}

/** There is no such file in the storage. */
export class FileMissing extends Error {
  constructor(key: string, cause?: unknown) {
    super(`there is no file ${key}`, { cause });
    this.name = 'FileMissing';
  }
}
