import { parseFile } from 'music-metadata';
import { FileWindow } from './file-window.js';
import { hasTooManyFrames } from './id3-tag.js';
import { readIsoMedia } from './iso-media.js';
import { readMatroska } from './matroska.js';
import { NO_FACTS, plausible, type MediaFacts } from './media-facts.js';

const ISO_MEDIA = /^(?:video|audio)\/(?:mp4|quicktime|3gpp2?)$/;
const MATROSKA = /^(?:video|audio)\/(?:webm|x-matroska|matroska)$/;
/** Longer than this, in milliseconds, nobody waits to learn how long a sound is. */
const PATIENCE_MS = 10_000;

/**
 * What a file of sound or moving pictures says about itself. A damaged one says nothing; it is a file all the same.
 *
 * @param mimeType as found in its bytes
 */
export async function probe(localPath: string, mimeType: string): Promise<MediaFacts> {
  try {
    if (ISO_MEDIA.test(mimeType)) return await FileWindow.with(localPath, readIsoMedia);
    if (MATROSKA.test(mimeType)) return await FileWindow.with(localPath, readMatroska);
    return await probeSound(localPath);
  } catch {
    return NO_FACTS;
  }
}

async function probeSound(localPath: string): Promise<MediaFacts> {
  if (await hasTooManyFrames(localPath)) return NO_FACTS;
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS, null);
  });
  try {
    const parsing = parseFile(localPath, { duration: true, skipCovers: true });
    const metadata = await Promise.race([parsing, tooLate]);
    return { ...NO_FACTS, durationMs: plausible((metadata?.format.duration ?? 0) * 1000) };
  } finally {
    clearTimeout(timer);
  }
}
