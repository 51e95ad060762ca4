import emojiRegex from 'emoji-regex';

/** The longest emoji that Unicode recommends have 10 code points of two units; a style for each leaves room to spare. */
const MAX_LENGTH = 40;
const EMOJI_STYLE = '\uFE0F';
/** Every sequence recommended for interchange (https://www.unicode.org/Public/emoji/, the version of emoji-regex). */
const ONE_EMOJI = new RegExp(`^(?:${emojiRegex().source})$`);
const LONE_SKIN_TONE = /^\p{Emoji_Modifier}$/u;
/** The style belongs behind a character that can be an emoji. */
const MISPLACED_STYLE = /(?<!\p{Emoji})\uFE0F/u;
/** What is shown as text unless the style follows: a skin tone takes its place. */
const SHOWN_AS_TEXT = /(?!\p{Emoji_Presentation})\p{Emoji}(?!\p{Emoji_Modifier})/gu;

/**
 * The one form of an emoji, whichever of its U+FE0F were typed, so that all who mean the same one share it: each stands
 * where Unicode's fully-qualified form has it. Null for anything but exactly one emoji.
 */
export function canonicalEmoji(text: string): string | null {
  if (text.length > MAX_LENGTH || MISPLACED_STYLE.test(text)) return null;
  const emoji = text.replaceAll(EMOJI_STYLE, '').replace(SHOWN_AS_TEXT, `$&${EMOJI_STYLE}`);
  return ONE_EMOJI.test(emoji) && !LONE_SKIN_TONE.test(emoji) ? emoji : null;
}
