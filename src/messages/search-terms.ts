/**
 * What texts are found by. A text is folded, so that case, accents, widths and ligatures do not matter, and cut into
 * words, emoji, and runs of the scripts that put no spaces between words. A word and an emoji are terms themselves; of
 * a run every pair of neighbouring characters is one, and its last character, so that whatever begins with a character
 * finds each.
 */

/** Longer words are cut, in the text and in the query alike; in code points. */
const MAX_WORD = 64;

/** Marks that are accents or points. Those of other scripts (Thai, Devanagari …) are vowels, and stay. */
const ACCENTS =
  '\\u0300-\\u036f\\u0483-\\u0487\\u0591-\\u05bd\\u05bf\\u05c1\\u05c2\\u05c4\\u05c5\\u05c7' +
  '\\u0610-\\u061a\\u064b-\\u065f\\u0670\\u06d6-\\u06dc\\u06df-\\u06e4\\u06e7\\u06e8\\u06ea-\\u06ed\\u08d3-\\u08ff' +
  '\\u1ab0-\\u1aff\\u1dc0-\\u1dff\\u20d0-\\u20ff\\ufe20-\\ufe2f';
/** And what is not seen: joiners, variation selectors, directions; the Arabic tatweel; skin tones. */
// eslint-disable-next-line no-misleading-character-class -- marks stand for themselves here
const IGNORED = new RegExp(`(?:[${ACCENTS}]|[\\u0640\\p{Cf}\\p{DI}\\p{Emoji_Modifier}])+`, 'gu');

/** Letters that Unicode does not take apart, lower case. */
const LETTERS: Readonly<Record<string, string>> = {
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  ø: 'o',
  đ: 'd',
  ð: 'd',
  ħ: 'h',
  ł: 'l',
  þ: 'th',
  ı: 'i',
  ς: 'σ',
};
const SPECIAL_LETTER = new RegExp(`[${Object.keys(LETTERS).join('')}]`, 'g');

const UNSPACED =
  '(?=[\\p{L}\\p{N}\\p{M}])[\\p{scx=Hani}\\p{scx=Hira}\\p{scx=Kana}\\p{scx=Bopo}\\p{scx=Hang}' +
  '\\p{scx=Thai}\\p{scx=Laoo}\\p{scx=Khmr}\\p{scx=Mymr}]';
const SPACED = `(?!${UNSPACED})`;
const TOKEN = new RegExp(
  `((?:${UNSPACED})+)|` +
    `${SPACED}[\\p{L}\\p{N}](?:${SPACED}[\\p{L}\\p{N}\\p{M}])*|` +
    '\\p{RI}{2}|\\p{Extended_Pictographic}',
  'gu',
);

/** What is below is looked up instead of asking Unicode: Latin with its accents. */
const TABLE_END = 0x250;
const FOLDED = Array.from({ length: TABLE_END }, (_, code) => foldAny(String.fromCharCode(code)));
const IS_ASCII_WORD = Uint8Array.from({ length: 128 }, (_, code) =>
  Number(/[a-z0-9]/.test(String.fromCharCode(code))),
);

/**
 * The terms of a text for `search_vector`: separated by single spaces, some perhaps more than once; null when it has
 * none. This is on the path of every message: texts in ASCII, and words in Latin letters, cost no regular expression.
 */
export function searchTermsOf(text: string): string | null {
  let terms = '';
  visitTokens(
    text,
    (word) => {
      terms += terms === '' ? word : ` ${word}`;
    },
    (run) => {
      for (const term of termsOfRun(run)) terms += terms === '' ? term : ` ${term}`;
    },
  );
  return terms === '' ? null : terms;
}

/** The tokens of a text, folded. */
export interface Tokens {
  /** Words and emoji, in their order. */
  words: string[];
  /** Runs of scripts without spaces, in their order. */
  runs: string[];
  /** Whether the last of all is a word. */
  endsInWord: boolean;
}

export function tokensOf(text: string): Tokens {
  const tokens: Tokens = { words: [], runs: [], endsInWord: false };
  visitTokens(
    text,
    (word) => {
      tokens.words.push(word);
      tokens.endsInWord = true;
    },
    (run) => {
      tokens.runs.push(run);
      tokens.endsInWord = false;
    },
  );
  return tokens;
}

/** Each pair of neighbouring characters, and the last character. */
export function termsOfRun(run: string): string[] {
  const characters = Array.from(run);
  return characters.map((character, index) => character + (characters[index + 1] ?? ''));
}

/** ASCII separators cut every text: what stands between them is either plain, or looked at closely. */
function visitTokens(text: string, onWord: (word: string) => void, onRun: (run: string) => void): void {
  const lower = text.toLowerCase();
  const end = lower.length;
  let start = -1;
  let isAscii = true;
  for (let i = 0; i <= end; i++) {
    const code = i < end ? lower.charCodeAt(i) : 0;
    if (code >= 128) {
      isAscii = false;
      if (start === -1) start = i;
    } else if (IS_ASCII_WORD[code] === 1) {
      if (start === -1) start = i;
    } else if (start !== -1) {
      const chunk = lower.slice(start, i);
      if (isAscii) onWord(chunk.length > MAX_WORD ? chunk.slice(0, MAX_WORD) : chunk);
      else visitChunk(fold(chunk), onWord, onRun);
      start = -1;
      isAscii = true;
    }
  }
}

function visitChunk(folded: string, onWord: (word: string) => void, onRun: (run: string) => void): void {
  if (isAsciiWord(folded)) {
    if (folded !== '') onWord(folded.slice(0, MAX_WORD));
    return;
  }
  for (const [token, run] of folded.matchAll(TOKEN)) {
    if (run !== undefined) onRun(run);
    else onWord(token.length > MAX_WORD ? Array.from(token).slice(0, MAX_WORD).join('') : token);
  }
}

function isAsciiWord(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (IS_ASCII_WORD[text.charCodeAt(i)] !== 1) return false;
  return true;
}

function fold(chunk: string): string {
  let folded = '';
  for (let i = 0; i < chunk.length; i++) {
    const letter = FOLDED[chunk.charCodeAt(i)];
    if (letter === undefined) return foldAny(chunk);
    folded += letter;
  }
  return folded;
}

function foldAny(text: string): string {
  return text
    .normalize('NFKD')
    .replace(IGNORED, '')
    .toLowerCase()
    .replace(SPECIAL_LETTER, (letter) => LETTERS[letter] ?? letter)
    .normalize('NFC');
}
