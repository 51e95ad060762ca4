const MAX_BYTES = 200;
const MAX_EXTENSION_BYTES = 20;

/** Control characters, line separators, private marks, and formats that turn or hide text; joiners belong to words. */
const UNSEEN = /[\p{Cc}\p{Zl}\p{Zp}\p{Co}]|(?![\u200c\u200d])\p{Cf}/gu;
const NOT_IN_NAMES = /["*:<>?|]/g;

/**
 * A client's name for a file as it may be shown and saved: the last part of a path, without what cannot be seen, what
 * turns the direction of the text, and what file systems refuse; at most 200 bytes, the extension kept. Null when
 * nothing is left.
 */
export function cleanFileName(given: string | null | undefined): string | null {
  const last = (given ?? '').toWellFormed().split(/[/\\]/).at(-1) ?? '';
  const seen = last.replace(UNSEEN, '').replace(NOT_IN_NAMES, '_').replace(/\s+/gu, ' ');
  const name = shorten(seen.replace(/^[\s.]+|[\s.]+$/gu, ''));
  return name === '' ? null : name;
}

function shorten(name: string): string {
  if (Buffer.byteLength(name) <= MAX_BYTES) return name;
  const dot = name.lastIndexOf('.');
  const extension = dot > 0 ? name.slice(dot) : '';
  const kept = Buffer.byteLength(extension) <= MAX_EXTENSION_BYTES ? extension : '';
  return cutToBytes(name, MAX_BYTES - Buffer.byteLength(kept)).trimEnd() + kept;
}

/** Whole characters only. */
function cutToBytes(text: string, max: number): string {
  let bytes = 0;
  let cut = '';
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > max) break;
    cut += character;
  }
  return cut;
}

/**
 * A `Content-Disposition` (RFC 6266): the name in ASCII for old clients, and in UTF-8 (RFC 8187) where that differs.
 *
 * @param fileName as `cleanFileName` returns it
 */
export function contentDisposition(type: 'inline' | 'attachment', fileName: string | null): string {
  if (fileName === null) return type;
  const ascii = fileName.replace(/[^\x20-\x7e]/g, '_').replace(/[\\"%]/g, '_');
  const plain = `${type}; filename="${ascii}"`;
  if (ascii === fileName) return plain;
  const encoded = encodeURIComponent(fileName).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `${plain}; filename*=UTF-8''${encoded}`;
}
