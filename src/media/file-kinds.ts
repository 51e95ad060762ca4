import { open, readFile } from 'node:fs/promises';
import { fileTypeFromBuffer, fileTypeFromFile, type FileTypeResult } from 'file-type';
import { AppError } from '../common/errors.js';
import type { Config } from '../infra/config/config.js';
import type { UploadLimits } from '../infra/http/form-reader.js';
import type { MediaKind } from './media.dto.js';

/** What a file is, by its bytes. */
export interface FileKind {
  kind: Exclude<MediaKind, 'STICKER'>;
  /** How it is served. */
  mimeType: string;
  /** For its key in the storage. */
  extension: string;
}

/** Pictures that are decoded and written anew, and how libvips calls them. */
export const PICTURE_FORMATS: Readonly<Record<string, 'jpeg' | 'png' | 'webp' | 'gif' | 'heif'>> = {
  'image/jpeg': 'jpeg',
  'image/png': 'png',
  'image/webp': 'webp',
  'image/gif': 'gif',
  'image/avif': 'heif',
};
export const ACCEPTED_PICTURES = 'JPEG, PNG, WebP, GIF or AVIF';

/** Other names for the same. */
const USUAL_NAMES: Readonly<Record<string, string>> = {
  'image/apng': 'image/png',
  'video/x-m4v': 'video/mp4',
  'video/matroska': 'video/x-matroska',
  'audio/x-m4a': 'audio/mp4',
  'audio/vnd.wave': 'audio/wav',
  'audio/x-wav': 'audio/wav',
  'audio/opus': 'audio/ogg',
  'audio/x-flac': 'audio/flac',
};

/** Programs: nobody has to send one to chat, and everybody who receives one has to be careful. */
const PROGRAMS: readonly string[] = [
  'application/x-msdownload',
  'application/vnd.microsoft.portable-executable',
  'application/x-elf',
  'application/x-mach-binary',
  'application/x-ms-shortcut',
  'application/x.ms.shortcut',
  'application/x.apple.alias',
  'application/java-vm',
  'application/wasm',
  'application/x-shockwave-flash',
  'application/x-google-chrome-extension',
  'application/x-nintendo-nes-rom',
];

/** How much of a file is looked at to find out whether it is text, in bytes. */
const HEAD_BYTES = 64 * 1024;
const MAX_JSON_BYTES = 1024 * 1024;

/**
 * What the file at `localPath` is.
 *
 * @param fileName tells text from text: nothing else is believed of it
 * @throws AppError UNSUPPORTED_MEDIA_TYPE when it is nothing that may be sent
 */
export async function findKind(localPath: string, fileName: string | null): Promise<FileKind> {
  const found = await fileTypeFromFile(localPath);
  // The mark of UTF-16 is also how sound of a kind that nobody uses any more begins.
  const kind = found && found.ext !== 'mp1' ? kindOf(found) : undefined;
  if (kind) return kind;
  const mimeType = await findTextType(localPath, fileName);
  if (mimeType === null) throw unsupported('Files of this kind cannot be sent.');
  return { kind: 'DOCUMENT', mimeType, extension: 'bin' };
}

/**
 * How large a file may be that begins with `head`, in bytes. Films and sounds share their containers: the limit of
 * films holds until it is known.
 */
async function limitByHead(head: Buffer, config: Config): Promise<number> {
  const found = await fileTypeFromBuffer(head);
  if (found?.mime.startsWith('image/')) return config.maxImageBytes;
  if (found?.mime.startsWith('video/')) return Math.max(config.maxVideoBytes, config.maxAudioBytes);
  return found?.mime.startsWith('audio/') ? config.maxAudioBytes : config.maxDocumentBytes;
}

/** The limits of an upload whose kind only its bytes tell. */
export const UPLOAD_LIMITS: UploadLimits = {
  max: ({ maxImageBytes, maxAudioBytes, maxVideoBytes, maxDocumentBytes }) =>
    Math.max(maxImageBytes, maxAudioBytes, maxVideoBytes, maxDocumentBytes),
  byHead: limitByHead,
};

/** The largest file of this kind, in bytes. */
export function limitOf(kind: MediaKind, config: Config): number {
  switch (kind) {
    case 'IMAGE':
    case 'STICKER':
      return config.maxImageBytes;
    case 'AUDIO':
      return config.maxAudioBytes;
    case 'VIDEO':
      return config.maxVideoBytes;
    case 'DOCUMENT':
      return config.maxDocumentBytes;
  }
}

/** Undefined for marked-up text, which is looked at as text. */
function kindOf(found: FileTypeResult): FileKind | undefined {
  const plain = found.mime.split(';')[0]?.trim() ?? '';
  const mimeType = USUAL_NAMES[plain] ?? plain;
  if (mimeType.startsWith('image/')) {
    if (PICTURE_FORMATS[mimeType] === undefined) throw unsupported(`A picture must be ${ACCEPTED_PICTURES}.`);
    return { kind: 'IMAGE', mimeType, extension: extensionOf(mimeType) };
  }
  if (mimeType.startsWith('video/')) return { kind: 'VIDEO', mimeType, extension: found.ext };
  if (mimeType.startsWith('audio/')) return { kind: 'AUDIO', mimeType, extension: found.ext };
  if (PROGRAMS.includes(mimeType)) throw unsupported('Programs cannot be sent.');
  if (mimeType === 'application/xml' || mimeType.startsWith('text/')) return undefined;
  return { kind: 'DOCUMENT', mimeType, extension: 'bin' };
}

function extensionOf(mimeType: string): string {
  return mimeType === 'image/jpeg' ? 'jpg' : mimeType.slice('image/'.length);
}

/**
 * Null for what is no text. Everything that a browser would run as a page is `text/plain`, an SVG excepted, which is
 * served as an attachment.
 */
async function findTextType(localPath: string, fileName: string | null): Promise<string | null> {
  const handle = await open(localPath, 'r');
  try {
    const { size } = await handle.stat();
    const head = Buffer.alloc(Math.min(size, HEAD_BYTES));
    await handle.read(head, 0, head.length, 0);
    const text = decodeText(head, size > head.length);
    if (text === null) return null;
    if (beginsWithSvg(text)) return 'image/svg+xml';
    if (/^BEGIN:VCARD\b/i.test(text)) return 'text/vcard';
    if (/^BEGIN:VCALENDAR\b/i.test(text)) return 'text/calendar';
    if (/^\s*[[{]/.test(text) && size <= MAX_JSON_BYTES && isJson(await readFile(localPath, 'utf8'))) {
      return 'application/json';
    }
    return TEXT_TYPES.get(/\.(\w+)$/.exec(fileName ?? '')?.[1]?.toLowerCase() ?? '') ?? 'text/plain';
  } finally {
    await handle.close();
  }
}

/** Text that is shown alike whatever it is called. */
const TEXT_TYPES: ReadonlyMap<string, string> = new Map([
  ['csv', 'text/csv'],
  ['tsv', 'text/tab-separated-values'],
  ['md', 'text/markdown'],
]);

const BEFORE_ROOT = /\s+|<\?xml[^>]*>|<!--[\s\S]*?-->|<!DOCTYPE[^>]*>/iy;

/** What may stand before the root is skipped piece by piece: one expression for all of it would try every division. */
function beginsWithSvg(text: string): boolean {
  let at = 0;
  for (;;) {
    BEFORE_ROOT.lastIndex = at;
    if (!BEFORE_ROOT.test(text)) break;
    at = BEFORE_ROOT.lastIndex;
  }
  return /^<svg[\s>/]/i.test(text.slice(at, at + 5));
}

/** What no text holds: control characters but for white space, form feed and escape. */
// eslint-disable-next-line no-control-regex -- it is about control characters
const BINARY = /[\u0000-\u0008\u000e-\u001a\u001c-\u001f]/;

function decodeText(head: Buffer, isCut: boolean): string | null {
  if (head.length === 0) return null;
  const encoding =
    head[0] === 0xff && head[1] === 0xfe
      ? 'utf-16le'
      : head[0] === 0xfe && head[1] === 0xff
        ? 'utf-16be'
        : 'utf-8';
  try {
    // A character that the end of the head cuts in two is waited for, not refused.
    const text = new TextDecoder(encoding, { fatal: true }).decode(head, { stream: isCut });
    return BINARY.test(text) ? null : text;
  } catch {
    return null;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function unsupported(message: string): AppError {
  return new AppError('UNSUPPORTED_MEDIA_TYPE', { message });
}
