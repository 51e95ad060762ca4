import type { FileWindow } from './file-window.js';
import { plausible, type MediaFacts } from './media-facts.js';

/** Elements looked at in one file: blocks are only counted in files that do not say how long they are. */
const MAX_ELEMENTS = 200_000;
const DEFAULT_SCALE_NS = 1_000_000;
const VIDEO_TRACK = 1;

/** https://www.rfc-editor.org/rfc/rfc9559#section-5 */
const SEGMENT = 0x18538067;
const INFO = 0x1549a966;
const TIMESTAMP_SCALE = 0x2ad7b1;
const DURATION = 0x4489;
const TRACKS = 0x1654ae6b;
const TRACK_ENTRY = 0xae;
const TRACK_TYPE = 0x83;
const VIDEO = 0xe0;
const PIXEL_WIDTH = 0xb0;
const PIXEL_HEIGHT = 0xba;
const CLUSTER = 0x1f43b675;
const CLUSTER_TIMESTAMP = 0xe7;
const BLOCK_GROUP = 0xa0;
const BLOCK = 0xa1;
const SIMPLE_BLOCK = 0xa3;

/** What is walked into; everything else is read or skipped. */
const CONTAINERS: readonly number[] = [SEGMENT, INFO, TRACKS, TRACK_ENTRY, VIDEO, CLUSTER, BLOCK_GROUP];

/**
 * Reads the length and the size of the pictures of WebM and Matroska files. Browsers that record write no length: then
 * the last block says it.
 */
export async function readMatroska(file: FileWindow): Promise<MediaFacts> {
  let scale = DEFAULT_SCALE_NS;
  let duration = 0;
  let lastBlock = 0;
  let cluster = 0;
  let width = 0;
  let height = 0;
  const types: number[] = [];

  let position = 0;
  for (let seen = 0; seen < MAX_ELEMENTS && position < file.size; seen++) {
    const header = await readHeader(file, position);
    if (!header) break;
    const { id, start, size } = header;
    // Elements follow one another at any depth, so lengths that are unknown or too long do no harm.
    position = CONTAINERS.includes(id) ? start : start + size;
    if (id === CLUSTER && duration > 0) break;
    switch (id) {
      case TIMESTAMP_SCALE:
        scale = (await readUnsigned(file, start, size)) || DEFAULT_SCALE_NS;
        break;
      case DURATION:
        duration = await readFloat(file, start, size);
        break;
      case TRACK_TYPE:
        types.push(await readUnsigned(file, start, size));
        break;
      case PIXEL_WIDTH:
        width ||= await readUnsigned(file, start, size);
        break;
      case PIXEL_HEIGHT:
        height ||= await readUnsigned(file, start, size);
        break;
      case CLUSTER_TIMESTAMP:
        cluster = await readUnsigned(file, start, size);
        break;
      case SIMPLE_BLOCK:
      case BLOCK:
        lastBlock = Math.max(lastBlock, cluster + (await readBlockOffset(file, start)));
        break;
    }
  }
  return {
    hasVideo: types.length === 0 ? null : types.includes(VIDEO_TRACK),
    durationMs: plausible(((duration || lastBlock) * scale) / 1_000_000),
    width: plausible(width),
    height: plausible(height),
  };
}

/** An element's id with its marker bits, and its size without; an unknown size counts as the rest of the file. */
async function readHeader(
  file: FileWindow,
  position: number,
): Promise<{ id: number; start: number; size: number } | null> {
  const bytes = await file.at(position, 12);
  const idLength = Math.clz32(bytes[0] ?? 0) - 23;
  if (bytes.length < 2 || idLength > 4) return null;
  const sizeLength = Math.clz32(bytes[idLength] ?? 0) - 23;
  if (sizeLength > 8 || bytes.length < idLength + sizeLength) return null;
  const id = bytes.readUIntBE(0, idLength);
  let size = (bytes[idLength] ?? 0) & (0xff >> sizeLength);
  let isUnknown = size === 0xff >> sizeLength;
  for (const byte of bytes.subarray(idLength + 1, idLength + sizeLength)) {
    size = size * 256 + byte;
    isUnknown &&= byte === 0xff;
  }
  return { id, start: position + idLength + sizeLength, size: isUnknown ? file.size : size };
}

async function readUnsigned(file: FileWindow, start: number, size: number): Promise<number> {
  let value = 0;
  for (const byte of await file.at(start, Math.min(size, 8))) value = value * 256 + byte;
  return value;
}

async function readFloat(file: FileWindow, start: number, size: number): Promise<number> {
  const bytes = await file.at(start, Math.min(size, 8));
  const value = bytes.length === 8 ? bytes.readDoubleBE(0) : bytes.length === 4 ? bytes.readFloatBE(0) : 0;
  return Number.isFinite(value) ? Math.max(0, value) : 0;
}

/** A block begins with its track's number, one byte in any file with fewer than 127, and its time in the cluster. */
async function readBlockOffset(file: FileWindow, start: number): Promise<number> {
  const bytes = await file.at(start, 3);
  return bytes.length === 3 ? bytes.readInt16BE(1) : 0;
}
