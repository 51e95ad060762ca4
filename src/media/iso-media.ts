import type { FileWindow } from './file-window.js';
import { plausible, type MediaFacts } from './media-facts.js';

/** Boxes looked at in one file: a film of hours has a few dozen, in fragments a few thousand. */
const MAX_BOXES = 20_000;

interface Box {
  type: string;
  /** The first byte after the header, and the first after the box. */
  start: number;
  end: number;
}

interface Track {
  handler: string;
  width: number;
  height: number;
}

interface Movie {
  timescale: number;
  duration: number;
  fragmentDuration: number;
  tracks: Track[];
}

/**
 * Reads the length and the size of the pictures of MP4, M4A and QuickTime files (ISO/IEC 14496-12): `mvhd`, `tkhd`,
 * `hdlr`, and `mehd` or `sidx` where the file is in fragments. A picture that is to be shown turned has its sides
 * swapped.
 */
export async function readIsoMedia(file: FileWindow): Promise<MediaFacts> {
  const walk = new BoxWalk(file);
  const movie: Movie = { timescale: 0, duration: 0, fragmentDuration: 0, tracks: [] };
  let indexedMs = 0;
  for await (const box of walk.boxes(0, file.size)) {
    if (box.type === 'moov') await readMovie(walk, box, movie);
    else if (box.type === 'sidx') indexedMs = Math.max(indexedMs, await readIndexMs(file, box));
  }
  const video = movie.tracks.find(({ handler }) => handler === 'vide');
  const units = movie.duration || movie.fragmentDuration;
  return {
    hasVideo: movie.tracks.length === 0 ? null : video !== undefined,
    durationMs: plausible(movie.timescale > 0 && units > 0 ? (units / movie.timescale) * 1000 : indexedMs),
    width: plausible(video?.width ?? 0),
    height: plausible(video?.height ?? 0),
  };
}

class BoxWalk {
  private seen = 0;

  constructor(readonly file: FileWindow) {}

  async *boxes(start: number, end: number): AsyncGenerator<Box> {
    let position = start;
    while (position + 8 <= end && this.seen++ < MAX_BOXES) {
      const header = await this.file.at(position, 16);
      if (header.length < 8) return;
      const short = header.readUInt32BE(0);
      const isLong = short === 1 && header.length === 16;
      const size = short === 0 ? end - position : isLong ? Number(header.readBigUInt64BE(8)) : short;
      const headerSize = isLong ? 16 : 8;
      if (size < headerSize) return;
      const boxEnd = Math.min(position + size, end);
      yield { type: header.toString('latin1', 4, 8), start: position + headerSize, end: boxEnd };
      position += size;
    }
  }
}

async function readMovie(walk: BoxWalk, moov: Box, movie: Movie): Promise<void> {
  for await (const box of walk.boxes(moov.start, moov.end)) {
    if (box.type === 'mvhd') Object.assign(movie, await readTimes(walk.file, box));
    else if (box.type === 'trak') movie.tracks.push(await readTrack(walk, box));
    else if (box.type === 'mvex') {
      for await (const inner of walk.boxes(box.start, box.end)) {
        if (inner.type === 'mehd') movie.fragmentDuration = await readFragmentDuration(walk.file, inner);
      }
    }
  }
}

async function readTrack(walk: BoxWalk, trak: Box): Promise<Track> {
  const track: Track = { handler: '', width: 0, height: 0 };
  for await (const box of walk.boxes(trak.start, trak.end)) {
    if (box.type === 'tkhd') Object.assign(track, await readSides(walk.file, box));
    else if (box.type === 'mdia') {
      for await (const inner of walk.boxes(box.start, box.end)) {
        if (inner.type !== 'hdlr') continue;
        track.handler = (await walk.file.at(inner.start + 8, 4)).toString('latin1');
      }
    }
  }
  return track;
}

/** `mvhd`: version 1 has 64-bit times before the scale. A duration of all ones is unknown. */
async function readTimes(file: FileWindow, box: Box): Promise<{ timescale: number; duration: number }> {
  const bytes = await file.at(box.start, 32);
  if (bytes.length < 32) return { timescale: 0, duration: 0 };
  if (bytes[0] === 1) {
    const duration = bytes.readBigUInt64BE(24);
    return {
      timescale: bytes.readUInt32BE(20),
      duration: duration === 0xffff_ffff_ffff_ffffn ? 0 : Number(duration),
    };
  }
  const duration = bytes.readUInt32BE(16);
  return { timescale: bytes.readUInt32BE(12), duration: duration === 0xffff_ffff ? 0 : duration };
}

async function readFragmentDuration(file: FileWindow, box: Box): Promise<number> {
  const bytes = await file.at(box.start, 12);
  if (bytes.length < 8) return 0;
  return bytes[0] === 1 && bytes.length === 12 ? Number(bytes.readBigUInt64BE(4)) : bytes.readUInt32BE(4);
}

/** `tkhd`: fixed-point 16.16 sides at the end, before them a matrix whose a and d are zero in a quarter turn. */
async function readSides(file: FileWindow, box: Box): Promise<{ width: number; height: number }> {
  const bytes = await file.at(box.start, 96);
  const matrix = bytes[0] === 1 ? 52 : 40;
  if (bytes.length < matrix + 44) return { width: 0, height: 0 };
  const width = bytes.readUInt32BE(matrix + 36) / 65_536;
  const height = bytes.readUInt32BE(matrix + 40) / 65_536;
  const isTurned = bytes.readInt32BE(matrix) === 0 && bytes.readInt32BE(matrix + 16) === 0;
  return isTurned ? { width: height, height: width } : { width, height };
}

/** `sidx`: the length of each of the segments that follow. Only as many as one window holds are added. */
async function readIndexMs(file: FileWindow, box: Box): Promise<number> {
  const bytes = await file.at(box.start, box.end - box.start);
  const counts = bytes[0] === 1 ? 30 : 22;
  if (bytes.length < counts + 2) return 0;
  const timescale = bytes.readUInt32BE(8);
  const count = bytes.readUInt16BE(counts);
  let units = 0;
  for (let i = 0; i < count && counts + 2 + i * 12 + 12 <= bytes.length; i++) {
    units += bytes.readUInt32BE(counts + 2 + i * 12 + 4);
  }
  return timescale > 0 ? (units / timescale) * 1000 : 0;
}
