import { Readable } from 'node:stream';
import type { ByteRange } from './storage.js';

/** The part of a stream that `range` names, for a source that sends the whole although it was asked for a part. */
export function cutTo(source: Readable, { start, end }: ByteRange): Readable {
  async function* part(): AsyncGenerator<Buffer> {
    let position = 0;
    for await (const chunk of source as AsyncIterable<Buffer>) {
      const from = Math.max(0, start - position);
      const to = Math.min(chunk.length, end + 1 - position);
      position += chunk.length;
      if (from < to) yield chunk.subarray(from, to);
      // Leaving the loop destroys the source.
      if (position > end) return;
    }
  }
  return Readable.from(part(), { objectMode: false });
}
