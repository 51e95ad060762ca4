import { RE2JS, RE2JSException } from 're2js';

/** Code points of a regex. */
export const MAX_PATTERN_SIZE = 500;
/** Instructions of one compiled regex. */
const MAX_SIZE = 500;
/** Of a longer text, the beginning is looked at: WhatsApp has none. In UTF-16 units. */
const MAX_TEXT = 8_192;

export interface Pattern {
  /** Instructions: the time for a text is at most its length times this. */
  size: number;
  isFoundIn: (text: string) => boolean;
}

/**
 * Compiles a regex in the syntax of RE2, which takes time in proportion to the text whatever it is: no backreferences,
 * no looking around. Case is ignored, `^` and `$` are the ends of the text unless `(?m)` says otherwise.
 */
export function compilePattern(regex: string): Pattern | { problem: string } {
  try {
    const compiled = RE2JS.compile(regex.normalize('NFC'), RE2JS.CASE_INSENSITIVE);
    const size = compiled.programSize();
    if (size > MAX_SIZE) return { problem: 'is too large: repeat less' };
    return { size, isFoundIn: (text) => compiled.test(text.normalize('NFC').slice(0, MAX_TEXT)) };
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    return { problem: `is no regex in the syntax of RE2: ${error.message.slice(0, 200).toWellFormed()}` };
  }
}
