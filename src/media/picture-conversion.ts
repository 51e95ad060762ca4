import sharp, { type Sharp } from 'sharp';
import { AppError } from '../common/errors.js';
import { Limit } from '../common/limit.js';
import { ACCEPTED_PICTURES, PICTURE_FORMATS } from './file-kinds.js';

/** A small file can hold a picture of billions of pixels: above this, all frames counted, it is not decoded. */
const MAX_PIXELS = 50_000_000;
/** Decoding AVIF takes six seconds and half a gigabyte for as many: a file of 2 kB may hold them. */
const MAX_HEIF_PIXELS = 16_000_000;
const MAX_PROFILE_SIDE = 1024;
const THUMBNAIL_SIDE = 256;
const MAX_SECONDS = 20;
const STICKER_SIDE = 512;

/** As many at once: each may hold 200 MB of pixels, and libuv's four threads also compare passwords. */
const slots = new Limit(2);

export interface WrittenPicture {
  width: number;
  height: number;
}

export interface CleanPicture extends WrittenPicture {
  isSticker: boolean;
}

/**
 * Writes the picture of a file to `target` without its metadata, which may say where it was taken: upright, in sRGB,
 * in its own format, an animation with all its frames; and a square thumbnail of 256 pixels (WebP) to `thumbnail`.
 * A WebP of 512 by 512 pixels that can be seen through is a sticker.
 *
 * @param mimeType one of `PICTURE_FORMATS`, as found in the bytes
 * @throws AppError UNPROCESSABLE when it is damaged or has too many pixels
 */
export async function cleanPicture(
  localPath: string,
  mimeType: string,
  target: string,
  thumbnail: string,
): Promise<CleanPicture> {
  return converting(async () => {
    const { decoder, isAnimated, ...found } = await look(localPath, mimeType);
    const source = sharp(localPath, { ...LIMITS, animated: isAnimated }).timeout({ seconds: MAX_SECONDS });
    const written = encode(isAnimated ? source : source.autoOrient(), decoder);
    const { width, height, pageHeight } = await written.toFile(target);
    await writeThumbnail(localPath, thumbnail);
    const isSticker =
      decoder === 'webp' && found.hasAlpha && found.width === STICKER_SIDE && found.height === STICKER_SIDE;
    return { width, height: pageHeight ?? height, isSticker };
  });
}

/**
 * Writes a profile picture of the file to `target`: upright, WebP, at most 1,024 pixels a side, without metadata; of an
 * animation the first frame. A square thumbnail of 256 pixels goes to `thumbnail`.
 *
 * @param mimeType as found in the bytes
 * @throws AppError UNSUPPORTED_MEDIA_TYPE when that is no accepted picture, UNPROCESSABLE when it is damaged or has too
 *   many pixels
 */
export async function shrinkPicture(
  localPath: string,
  mimeType: string,
  target: string,
  thumbnail: string,
): Promise<WrittenPicture> {
  if (PICTURE_FORMATS[mimeType] === undefined) {
    throw new AppError('UNSUPPORTED_MEDIA_TYPE', { message: `A picture must be ${ACCEPTED_PICTURES}.` });
  }
  return converting(async () => {
    await look(localPath, mimeType);
    const { width, height } = await sharp(localPath, LIMITS)
      .timeout({ seconds: MAX_SECONDS })
      .autoOrient()
      .resize(MAX_PROFILE_SIDE, MAX_PROFILE_SIDE, { fit: 'inside', withoutEnlargement: true })
      .webp({ quality: 82 })
      .toFile(target);
    await writeThumbnail(target, thumbnail);
    return { width, height };
  });
}

const LIMITS = { limitInputPixels: MAX_PIXELS, failOn: 'error' } as const;

interface Look {
  decoder: string;
  width: number;
  /** Of one frame. */
  height: number;
  hasAlpha: boolean;
  isAnimated: boolean;
}

/** Asks the header alone: nothing has been decoded when too many pixels are refused. */
async function look(localPath: string, mimeType: string): Promise<Look> {
  const decoder = PICTURE_FORMATS[mimeType];
  const { format, width, height, pages = 1, hasAlpha } = await sharp(localPath, LIMITS).metadata();
  if (decoder === undefined || format !== decoder) throw unreadable();
  const isAnimated = pages > 1 && (decoder === 'gif' || decoder === 'webp');
  const mostPixels = decoder === 'heif' ? MAX_HEIF_PIXELS : MAX_PIXELS;
  if (width * height * (isAnimated ? pages : 1) > mostPixels) throw tooManyPixels(mostPixels);
  return { decoder, width, height, hasAlpha, isAnimated };
}

function encode(picture: Sharp, decoder: string): Sharp {
  switch (decoder) {
    case 'jpeg':
      return picture.jpeg({ quality: 90 });
    case 'png':
      return picture.png();
    case 'webp':
      return picture.webp({ quality: 90 });
    case 'gif':
      return picture.gif();
    default:
      return picture.avif({ quality: 60, effort: 2 });
  }
}

async function writeThumbnail(source: string, target: string): Promise<void> {
  await sharp(source, LIMITS)
    .timeout({ seconds: MAX_SECONDS })
    .autoOrient()
    .resize(THUMBNAIL_SIDE, THUMBNAIL_SIDE, { fit: 'cover' })
    .webp()
    .toFile(target);
}

async function converting<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await slots.run(work);
  } catch (error) {
    if (error instanceof AppError) throw error;
    if (error instanceof Error && /exceeds pixel limit/i.test(error.message))
      throw tooManyPixels(MAX_PIXELS, error);
    throw unreadable(error);
  }
}

function unreadable(cause?: unknown): AppError {
  return new AppError('UNSUPPORTED_MEDIA_TYPE', { message: 'The picture cannot be read.', cause });
}

function tooManyPixels(most: number, cause?: unknown): AppError {
  return new AppError('PAYLOAD_TOO_LARGE', {
    message: `The picture has too many pixels: ${most / 1_000_000} million are the most.`,
    cause,
  });
}
