import fc from 'fast-check';
import { SearchQuery } from './search-query.js';
import { searchTermsOf, tokensOf } from './search-terms.js';

/** Whether the index has what a query asks it for, as PostgreSQL decides it. */
function isIndexedFor(text: string, query: SearchQuery): boolean {
  const terms = searchTermsOf(text)?.split(' ') ?? [];
  return (
    query.terms.length > 0 &&
    query.terms.every((asked) =>
      terms.some((term) => (asked.isPrefix ? term.startsWith(asked.text) : term === asked.text)),
    )
  );
}

function finds(text: string, query: string): boolean {
  const parsed = new SearchQuery(query);
  return isIndexedFor(text, parsed) && parsed.isIn(text);
}

describe('a text', () => {
  it.each([
    // Case and accents.
    ['See you at eight, the café by the old bridge', 'CAFE'],
    ['See you at eight, the café by the old bridge', 'Café bridge'],
    ['see you in the cafe', 'café'],
    ['cafe\u0301 noir', 'caf\u00e9'],
    ['Ångström', 'angstrom'],
    ['Crème brûlée', 'BRULEE creme'],
    ['naïve', 'naive'],
    ['Große Straße', 'strasse'],
    ['Grosse Strasse', 'straße'],
    ['STRASSE', 'straße'],
    ['Møre og Romsdal', 'more'],
    ['Łódź', 'lodz'],
    ['Þórr', 'thorr'],
    ['œuvre', 'oeuvre'],
    ['đường phố Hà Nội', 'duong ha noi'],
    ['İstanbul', 'istanbul'],
    ['ISPARTA', 'ısparta'],
    ['ısparta', 'Isparta'],
    ['Ёлка', 'елка'],
    ['ΣΊΣΥΦΟΣ', 'σίσυφος'],
    ['Σίσυφος', 'σισυφοσ'],
    // Forms of one letter.
    ['ﬁne ﬂow', 'fine flow'],
    ['ＦＵＬＬ ｗｉｄｔｈ', 'full width'],
    ['ｶﾞｷﾞ', 'ガギ'],
    ['№ ½ ² ™', 'no 2 tm'],
    ['x²', 'x2'],
    // Arabic, Hebrew: points and the stretching of letters.
    ['العَرَبِيّة', 'العربية'],
    ['كـــتاب', 'كتاب'],
    ['أحمد', 'احمد'],
    ['שָׁלוֹם', 'שלום'],
    // Marks that are vowels stay.
    ['हिन्दी भाषा', 'हिन्दी'],
    ['हिन्दी भाषा', 'भाषा'],
    ['தமிழ் மொழி', 'தமிழ்'],
    // Words cut by what is neither letter nor digit.
    ['john.doe@example.com', 'john.doe@example.com'],
    ['john.doe@example.com', 'doe'],
    ['https://example.com/a_long-path?q=1', 'path'],
    ['https://example.com/a_long-path?q=1', 'example.com/a_long'],
    ['snake_case_name', 'case'],
    ['kebab-case', 'kebab-case'],
    ["l'été arrive", 'ete'],
    ["C'est l’été", 'l’été'],
    ['don’t', "don't"],
    ['call +43 660 1234567', '1234567'],
    ['1,000.50', '1000 1,000.50'.slice(5)],
    ['soft\u00adhyphen', 'softhyphen'],
    ['zero\u200bwidth', 'zerowidth'],
    // Words while they are typed.
    ['See you tomorrow', 'tom'],
    ['See you tomorrow', 'you tomo'],
    ['See you tomorrow', 't'],
    // Any order.
    ['one two three', 'three one'],
    // Chinese and Japanese: one character, two, and more.
    ['明天在东京见面', '东'],
    ['明天在东京见面', '面'],
    ['明天在东京见面', '东京'],
    ['明天在东京见面', '在东京见'],
    ['明天在东京见面。', '见面'],
    ['日本語のテスト', '語'],
    ['日本語のテスト', 'テスト'],
    ['日本語のテスト', '日本 テスト'],
    ['がんばって', 'が'],
    ['ラーメン', 'ーメ'],
    ['iPhone15を買った', 'iphone15 買った'],
    ['iPhone15を買った', 'を'],
    ['時々', '々'],
    ['𠮷野家で食べる', '𠮷野'],
    // Korean and scripts of South-East Asia.
    ['안녕하세요 여러분', '하세'],
    ['한국어', '한'],
    ['ภาษาไทย', 'ไทย'],
    ['น้ำ', 'น้ำ'],
    ['ພາສາລາວ', 'ລາວ'],
    ['ភាសាខ្មែរ', 'ខ្មែរ'],
    ['မြန်မာဘာသာ', 'ဘာသာ'],
    // Emoji.
    ['see you 🌉', '🌉'],
    ['great 👍🏽', '👍'],
    ['great 👍', '👍🏿'],
    ['love ❤️', '❤'],
    ['👨‍👩‍👧 at home', '👨‍👩‍👧'],
    ['🇩🇪🇫🇷', '🇫🇷'],
    ['press 1️⃣', '1'],
    // Long words are cut alike.
    ['a'.repeat(4_000), 'a'.repeat(200)],
  ])('%j is found by %j', (text, query) => {
    expect(finds(text, query)).toBe(true);
  });

  it.each([
    ['See you tomorrow', 'morrow'],
    ['See you tomorrow', 'yo tomorrow'],
    ['See you tomorrow', 'see you today'],
    ['iPhone15', 'phone15'],
    ['明天在东京见面', '京东'],
    ['明天在东京见面', '东见'],
    // All pairs are there, but not in a row.
    ['京都 東京 都東', '東京都'],
    ['日 本', '日本'],
    ['かんばって', 'が'],
    ['हिन्दी', 'हनद'],
    ['🇩🇪', '🇫🇷'],
    ['🌉', '🌁'],
    ['nothing', '?!…'],
    ['…!', '…!'],
    ['text', ''],
  ])('%j is not found by %j', (text, query) => {
    expect(finds(text, query)).toBe(false);
  });
});

describe('the terms', () => {
  it('of a text without any are null', () => {
    for (const text of ['', ' ', '?! …', '\u200d\ufe0f', '-_-']) expect(searchTermsOf(text)).toBeNull();
  });

  it('are separated by single spaces and none is empty or has a space', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (text) => {
        for (const term of searchTermsOf(text)?.split(' ') ?? []) expect(term).toMatch(/^\S+$/u);
      }),
    );
  });

  it('stay small: no term is longer than 256 bytes, and a message has at most as many as it has characters', () => {
    for (const text of ['x'.repeat(4_096), '漢字'.repeat(2_048), '𠮷'.repeat(4_096), 'a '.repeat(2_048)]) {
      const terms = searchTermsOf(text)!.split(' ');
      expect(terms.length).toBeLessThanOrEqual(4_096);
      for (const term of terms) expect(Buffer.byteLength(term)).toBeLessThanOrEqual(256);
    }
  });

  it('of a text taken word by word are those of the whole', () => {
    const word = fc.constantFrom(
      'café',
      'Straße',
      'e\u0301',
      '日本語',
      'Σας',
      'İ',
      '👍🏽',
      'x',
      'ภาษา',
      '10',
      'Ω',
      'ﬁ',
    );
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 12 }), (words) => {
        const apart = words.map((each) => searchTermsOf(each));
        expect(searchTermsOf(words.join(' '))).toBe(apart.join(' '));
      }),
    );
  });

  it('are asked for by every query that is cut from a text at its words', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), (text) => {
        const { words, runs } = tokensOf(text);
        for (const token of [...words, ...runs]) expect(finds(text, token)).toBe(true);
      }),
    );
  });
});

describe('a query', () => {
  it('asks the index for few terms, the longest first', () => {
    const { terms, isLoose } = new SearchQuery('a bb ccc dddd eeeee ffffff ggggggg hhhhhhhh i');
    expect(terms).toHaveLength(6);
    expect(terms[0]).toEqual({ text: 'hhhhhhhh', isPrefix: false });
    expect(isLoose).toBe(true);
  });

  it('means the beginning of a word only by its last', () => {
    expect(new SearchQuery('one two').terms).toEqual([
      { text: 'one', isPrefix: false },
      { text: 'two', isPrefix: true },
    ]);
    expect(new SearchQuery('one 東').terms).toEqual([
      { text: 'one', isPrefix: false },
      { text: '東', isPrefix: true },
    ]);
  });
});
