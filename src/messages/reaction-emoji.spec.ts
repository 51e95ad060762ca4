import { canonicalEmoji } from './reaction-emoji.js';

const STYLE = '\uFE0F';
const ZWJ = '\u200D';
/** A subdivision's flag: a black flag, its letters as tags, the end of tags. */
const subdivision = (code: string): string =>
  `\u{1F3F4}${code.replace(/./g, (letter) => String.fromCodePoint(0xe0000 + letter.charCodeAt(0)))}\u{E007F}`;

describe('one emoji', () => {
  it.each([
    ['a face', '😀'],
    ['a thumb', '👍'],
    ['of Unicode 15.1, a sequence', '🙂‍↔️'],
    ['of Unicode 16', '\u{1FAE9}'],
    ['a heart with its style', '❤️'],
    ['a star', '⭐'],
    ['a copyright sign', '©️'],
    ['a snowman', '☃️'],
    ['an umbrella in rain', '☔'],
    ['a ball', '⚽'],
    ['Germany', '🇩🇪'],
    ['Japan', '🇯🇵'],
    ['the European Union', '🇪🇺'],
    ['the United Nations', '🇺🇳'],
    ['England', subdivision('gbeng')],
    ['Scotland', subdivision('gbsct')],
    ['Wales', subdivision('gbwls')],
    ['the white flag', '🏳️'],
    ['the rainbow flag', '🏳️‍🌈'],
    ['the transgender flag', '🏳️‍⚧️'],
    ['the pirate flag', '🏴‍☠️'],
    ['a light thumb', '👍🏻'],
    ['a medium thumb', '👍🏽'],
    ['a dark thumb', '👍🏿'],
    ['a hand with a tone', '✌🏽'],
    ['a wave', '👋🏾'],
    ['a couple of two tones', '👩🏽‍❤️‍👨🏿'],
    ['a handshake of two tones', '🫱🏻‍🫲🏿'],
    ['a family', '👨‍👩‍👧‍👦'],
    ['a kiss', '👩‍❤️‍💋‍👨'],
    ['a technologist', '👩🏻‍💻'],
    ['a detective with a tone', '🕵🏽‍♂️'],
    ['a health worker', '🧑‍⚕️'],
    ['a polar bear', '🐻‍❄️'],
    ['an eye in a bubble', '👁️‍🗨️'],
    ['a phoenix', '🐦‍🔥'],
    ['a red-haired person', '🧑‍🦰'],
    ['a heart on fire', '❤️‍🔥'],
    ['the key 1', '1️⃣'],
    ['the key #', '#️⃣'],
    ['the key *', '*️⃣'],
    ['ten', '🔟'],
    ['a button in Japanese', '🈵'],
    ['a zodiac sign', '♈'],
    ['a mahjong tile', '🀄'],
  ])('is %s', (_name, emoji) => {
    expect(canonicalEmoji(emoji)).toBe(emoji);
  });

  it.each([
    ['a heart', '❤', '❤️'],
    ['a smile', '☺', '☺️'],
    ['a key', `1\u20E3`, '1️⃣'],
    ['the rainbow flag', `🏳${ZWJ}🌈`, '🏳️‍🌈'],
    ['the pirate flag', `🏴${ZWJ}☠`, '🏴‍☠️'],
    ['a kiss', `👩${ZWJ}❤${ZWJ}💋${ZWJ}👨`, '👩‍❤️‍💋‍👨'],
    ['an eye in a bubble, in part', `👁${STYLE}${ZWJ}🗨`, '👁️‍🗨️'],
    ['a thumb with a style it does not need', `👍${STYLE}`, '👍'],
    ['a hand with both style and tone', `✌${STYLE}🏽`, '✌🏽'],
  ])('is one with %s, whatever styles were typed', (_name, typed, canonical) => {
    expect(canonicalEmoji(typed)).toBe(canonical);
    expect(canonicalEmoji(canonical)).toBe(canonical);
  });

  it.each([
    ['nothing', ''],
    ['two', '👍👍'],
    ['two hearts', '❤️❤️'],
    ['two flags', '🇩🇪🇫🇷'],
    ['a flag and a half', '🇩🇪🇫'],
    ['two keys', '1️⃣2️⃣'],
    ['a letter', 'a'],
    ['a word', 'thumbs up'],
    ['a sentence', 'This is not an emoji at all, but a sentence.'],
    ['a short code', ':+1:'],
    ['a smile of old', ':-)'],
    ['an emoji and a word', '👍 yes'],
    ['an emoji and a space', '👍 '],
    ['a line break and an emoji', '\n👍'],
    ['an emoji and a line break', '👍\n'],
    ['a digit', '1'],
    ['a digit with a style', `1${STYLE}`],
    ['a number sign', '#'],
    ['a lone keycap', '\u20E3'],
    ['a keycap on a letter', 'a\u20E3'],
    ['a lone skin tone', '🏽'],
    ['a styled skin tone', `🏽${STYLE}`],
    ['two tones on a thumb', '👍🏽🏽'],
    ['a tone on what takes none', '🔥🏽'],
    ['a lone joiner', ZWJ],
    ['a lone style', STYLE],
    ['a style before', `${STYLE}👍`],
    ['two styles', `❤${STYLE}${STYLE}`],
    ['a style on a joiner', `👩${ZWJ}${STYLE}💻`],
    ['the text style', '❤\uFE0E'],
    ['a joiner behind', `👩${ZWJ}`],
    ['a joiner before', `${ZWJ}👩`],
    ['a joined pair that means nothing', `🔥${ZWJ}🔥`],
    ['a regional indicator', '🇩'],
    ['a flag of no country', '🇽🇽'],
    ['a flag of no subdivision', subdivision('xxxxx')],
    ['tags without an end', '\u{1F3F4}\u{E0067}\u{E0062}'],
    ['a lone tag', '\u{E0067}'],
    ['a combining mark', '👍\u0301'],
    ['a zero-width space', '\u200B'],
    ['a right-to-left mark and an emoji', '\u200F👍'],
    ['a Chinese character', '好'],
    ['an arrow that is no emoji', '⇒'],
    ['a chess pawn with the text style', '♟\uFE0E'],
    ['a private character', '\uE000'],
    ['a lone surrogate', '\uD83D'],
    ['very many', '👍'.repeat(10_000)],
  ])('is not %s', (_name, text) => {
    expect(canonicalEmoji(text)).toBeNull();
  });
});
