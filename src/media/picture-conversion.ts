import { fileTypeFromFile } from 'file-type';
import sharp from 'sharp';
import { AppError } from '../common/errors.js';

/** What may be sent as a picture, by its bytes, and how libvips calls it. */
const ACCEPTED: Readonly<Record<string, string>> = {
  'image/jpeg': 'jpeg',
  'image/png': 'png',
  'image/webp': 'webp',
  'image/gif': 'gif',
  'image/avif': 'heif',
};
export const ACCEPTED_PICTURES = 'JPEG, PNG, WebP, GIF or AVIF';

/** A small file can hold a picture of billions of pixels: above this it is not decoded. */
const MAX_PIXELS = 50_000_000;
const MAX_SIDE = 1024;
const THUMBNAIL_SIDE = 256;
const MAX_SECONDS = 20;

export interface ConvertedPicture {
  mimeType: string;
  extension: string;
  picture: Buffer;
  width: number;
  height: number;
  thumbnail: Buffer;
}

/**
 * Makes a profile picture of the image in the file: upright, at most 1,024 pixels a side, with a square thumbnail of
 * 256, and without the metadata, which may say where it was taken. Of an animation the first frame stays.
 *
 * @throws AppError UNSUPPORTED_MEDIA_TYPE when the bytes are no picture of an accepted type, UNPROCESSABLE when it is
 *   damaged or has too many pixels
 */
export async function convertPicture(localPath: string): Promise<ConvertedPicture> {
  const found = await fileTypeFromFile(localPath);
  const format = ACCEPTED[found?.mime ?? ''];
  if (format === undefined) {
    throw new AppError('UNSUPPORTED_MEDIA_TYPE', { message: `A picture must be ${ACCEPTED_PICTURES}.` });
  }
  try {
    const source = sharp(localPath, { limitInputPixels: MAX_PIXELS, failOn: 'error' });
    const { format: decoder, width, height } = await source.metadata();
    if (decoder !== format) throw new AppError('UNPROCESSABLE', { message: 'The picture cannot be read.' });
    if (width * height > MAX_PIXELS) throw tooManyPixels();
    const upright = source.autoOrient().timeout({ seconds: MAX_SECONDS });
    const whole = upright.clone().resize(MAX_SIDE, MAX_SIDE, { fit: 'inside', withoutEnlargement: true });
    const { data, info } = await whole.webp({ quality: 82 }).toBuffer({ resolveWithObject: true });
    const thumbnail = await sharp(data)
      .resize(THUMBNAIL_SIDE, THUMBNAIL_SIDE, { fit: 'cover' })
      .webp()
      .toBuffer();
    return {
      mimeType: 'image/webp',
      extension: 'webp',
      picture: data,
      width: info.width,
      height: info.height,
      thumbnail,
    };
  } catch (error) {
    if (error instanceof AppError) throw error;
    if (error instanceof Error && /exceeds pixel limit/i.test(error.message)) throw tooManyPixels(error);
    throw new AppError('UNPROCESSABLE', { message: 'The picture cannot be read.', cause: error });
  }
}

function tooManyPixels(cause?: unknown): AppError {
  return new AppError('UNPROCESSABLE', {
    message: `The picture has too many pixels: ${MAX_PIXELS / 1_000_000} million are the most.`,
    cause,
  });
}
