import { validationError, type ErrorDetail } from '../../common/errors.js';
import type { MediaBody } from '../../media/media.dto.js';
import type { OutgoingMessage } from './outgoing.js';
import { MAX_ROWS, type InteractiveDto } from './send-content.dto.js';
import type { SendDto, SendType } from './sends.dto.js';

type FileType = 'image' | 'video' | 'audio' | 'document' | 'sticker';
type Content = Pick<OutgoingMessage, 'type' | 'text' | 'request'>;

const MB = 1024 * 1024;
const KB = 1024;

/** What Meta takes as what (2026-05): types of content, and bytes. Everything else goes as a document. */
const FILES: Record<Exclude<FileType, 'document'>, { mimeTypes: readonly string[]; maxBytes: number }> = {
  image: { mimeTypes: ['image/jpeg', 'image/png'], maxBytes: 5 * MB },
  video: { mimeTypes: ['video/mp4', 'video/3gpp'], maxBytes: 16 * MB },
  audio: { mimeTypes: ['audio/aac', 'audio/amr', 'audio/mpeg', 'audio/mp4', 'audio/ogg'], maxBytes: 16 * MB },
  sticker: { mimeTypes: ['image/webp'], maxBytes: 500 * KB },
};
const MAX_DOCUMENT_BYTES = 100 * MB;

/** The fields that say what a message of a type is. */
const FIELDS: Record<SendType, readonly (keyof SendDto)[]> = {
  text: ['text', 'previewUrl'],
  image: ['mediaId', 'caption'],
  video: ['mediaId', 'caption'],
  audio: ['mediaId'],
  document: ['mediaId', 'caption', 'fileName'],
  sticker: ['mediaId'],
  location: ['location'],
  contacts: ['contacts'],
  interactive: ['interactive'],
  reaction: ['reaction'],
};
const CONTENT_FIELDS = [...new Set(Object.values(FIELDS).flat())];
/** Without a file, its first field is what the message is. */
const FILE_TYPES: readonly string[] = ['image', 'video', 'audio', 'document', 'sticker'];

export function isFileType(type: SendType): type is FileType {
  return FILE_TYPES.includes(type);
}

/**
 * Refuses what does not belong to the type, or is missing.
 *
 * @param hasFile whether a file came along
 * @throws AppError VALIDATION_FAILED naming every bad field
 */
export function assertFitsType(dto: SendDto, hasFile: boolean): void {
  const type = dto.type ?? 'text';
  const problems: ErrorDetail[] = CONTENT_FIELDS.filter(
    (field) => isGiven(dto[field]) && !FIELDS[type].includes(field),
  ).map((field) => ({ field, message: `does not go with the type ${type}` }));
  const [main = 'text'] = FIELDS[type];
  if (!isGiven(dto[main]) && !(hasFile && isFileType(type)))
    problems.push({ field: main, message: `is needed for the type ${type}` });
  if (hasFile && !isFileType(type))
    problems.push({ field: 'media', message: `does not go with the type ${type}` });
  if (hasFile && isGiven(dto.mediaId))
    problems.push({ field: 'mediaId', message: 'goes without a file in the same form' });
  if (type === 'reaction' && isGiven(dto.replyToId))
    problems.push({ field: 'replyToId', message: 'does not go with the type reaction' });
  if (type === 'interactive' && dto.interactive) problems.push(...interactiveProblems(dto.interactive));
  if (problems.length > 0) throw validationError(problems);
}

/** A text as it is stored and sent. */
export function textContent(text: string, previewUrl = false): Content {
  return {
    type: 'TEXT',
    text,
    request: { type: 'text', text: { body: text, ...(previewUrl && { preview_url: true }) } },
  };
}

/** What is neither a text, a file nor a reaction. `assertFitsType` has passed. */
export function otherContent({ location, contacts, interactive }: SendDto): Content {
  if (location) {
    const text = [location.name, location.address].filter((line) => line !== undefined).join(', ');
    return {
      type: 'LOCATION',
      text: text === '' ? null : text,
      request: { type: 'location', location: plain(location) },
    };
  }
  if (contacts) {
    return {
      type: 'CONTACTS',
      text: contacts.map(({ name }) => name.formatted_name).join(', '),
      request: { type: 'contacts', contacts: plain(contacts) },
    };
  }
  if (!interactive) throw new Error('a message without content was let through');
  return {
    type: 'INTERACTIVE',
    text: interactive.body.text,
    request: { type: 'interactive', interactive: plain(interactive) },
  };
}

/** As what a file of ours goes to WhatsApp. */
export function fileTypeOf({
  kind,
  mimeType,
  size,
}: Pick<MediaBody, 'kind' | 'mimeType' | 'size'>): FileType {
  const type = kind.toLowerCase() as FileType;
  if (type === 'document') return type;
  const { mimeTypes, maxBytes } = FILES[type];
  return mimeTypes.includes(mimeType) && size <= maxBytes ? type : 'document';
}

/**
 * A file of ours, which is uploaded to Meta when it is sent.
 *
 * @param wanted as what it is to go, or null for what suits it best
 * @throws AppError VALIDATION_FAILED when it cannot go as that, naming `field`, or with that caption
 */
export function fileContent(
  file: Pick<MediaBody, 'kind' | 'mimeType' | 'size' | 'fileName'>,
  { wanted, caption, fileName, field, captionField }: FileWish,
): Content {
  const fits = fileTypeOf(file);
  const type = wanted ?? fits;
  if (type !== 'document' && type !== fits)
    throw validationError([{ field, message: `cannot go as ${type}: Meta takes ${describe(type)}` }]);
  if (file.size > MAX_DOCUMENT_BYTES)
    throw validationError([{ field, message: 'must be of 100 MB at most' }]);
  if (caption !== null && (type === 'audio' || type === 'sticker'))
    throw validationError([{ field: captionField, message: `does not go with the type ${type}` }]);
  const name = fileName ?? file.fileName;
  return {
    type: file.kind,
    text: caption,
    request: {
      type,
      [type]: {
        ...(caption !== null && { caption }),
        ...(type === 'document' && name !== null && { filename: name }),
      },
    },
  };
}

export interface FileWish {
  wanted: FileType | null;
  caption: string | null;
  fileName: string | null;
  /** What a refusal names. */
  field: string;
  captionField: string;
}

/** A file that lies with Meta already. */
export function uploadedContent(type: FileType, graphId: string, { caption, fileName }: SendDto): Content {
  return {
    type: type.toUpperCase() as Uppercase<FileType>,
    text: caption ?? null,
    request: {
      type,
      [type]: {
        id: graphId,
        ...(isGiven(caption) && { caption }),
        ...(type === 'document' && isGiven(fileName) && { filename: fileName }),
      },
    },
  };
}

function describe(type: Exclude<FileType, 'document'>): string {
  const { mimeTypes, maxBytes } = FILES[type];
  const size = maxBytes >= MB ? `${maxBytes / MB} MB` : `${maxBytes / KB} kB`;
  return `${mimeTypes.join(', ')} of at most ${size}`;
}

/** What single fields cannot say: which parts go with the kind, how many rows there are, that ids differ. */
function interactiveProblems({ type, action }: InteractiveDto): ErrorDetail[] {
  const problems: ErrorDetail[] = [];
  const at = (field: string, message: string): void => {
    problems.push({ field: `interactive.action.${field}`, message });
  };
  const { buttons, button, sections } = action;
  if (type === 'button') {
    if (!buttons) at('buttons', 'are needed for the type button');
    if (isGiven(button)) at('button', 'goes with the type list');
    if (isGiven(sections)) at('sections', 'go with the type list');
    if (buttons && hasTwins(buttons.map(({ reply }) => reply.id))) at('buttons', 'must have different ids');
    if (buttons && hasTwins(buttons.map(({ reply }) => reply.title)))
      at('buttons', 'must have different titles');
    return problems;
  }
  if (isGiven(buttons)) at('buttons', 'go with the type button');
  if (!isGiven(button)) at('button', 'is needed for the type list');
  if (!sections) {
    at('sections', 'are needed for the type list');
    return problems;
  }
  const rows = sections.flatMap((section) => section.rows);
  if (rows.length > MAX_ROWS) at('sections', `must have at most ${MAX_ROWS} rows in all`);
  if (hasTwins(rows.map(({ id }) => id))) at('sections', 'must have rows with different ids');
  if (sections.length > 1 && sections.some(({ title }) => !isGiven(title)))
    at('sections', 'must each have a title when there are several');
  return problems;
}

function hasTwins(texts: readonly string[]): boolean {
  return new Set(texts).size !== texts.length;
}

/** Clients that send null for what they leave out mean nothing by it. */
function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/** Without the classes of the DTO, and what was left out with null. */
function plain(value: object): unknown {
  return JSON.parse(JSON.stringify(value, (_key, member: unknown) => member ?? undefined));
}
