import type { Readable } from 'node:stream';

/** Nest's token for where files live. */
export const STORAGE = Symbol('Storage');

/** A part of a file, in bytes; `end` is included, as in HTTP ranges. */
export interface ByteRange {
  start: number;
  end: number;
}

/** Where files live. Keys are made by the server, never taken from a client. */
export interface Storage {
  /** Moves the file at `localPath` into the storage; it is whole under `key` when this resolves. */
  put(key: string, localPath: string, mimeType: string): Promise<void>;
  /** @throws when there is no such key */
  read(key: string, range?: ByteRange): Promise<Readable>;
  /** Removing what is not there is no error. */
  remove(key: string): Promise<void>;
}
