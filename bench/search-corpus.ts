/** Texts as people in several languages might write them, the same in every run. */

export interface Corpus {
  next(): string;
}

/** Numbers in [0, 1), the same in every run (mulberry32). */
export function makeRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const LATIN_FIRST =
  'the to and you of it for is in that on we at me be this not have will so what see are can do no yes ok please thanks today tomorrow when where meeting lunch train photo price table report evening';
const GERMAN_FIRST =
  'ich du und die der das ist nicht es wir ja nein zu in auf mit für heute morgen schön grüße später können über straße müssen treffen bitte danke wann wo zug';
const FRENCH_FIRST =
  'je tu et le la les est pas que de à nous oui non en pour avec aujourd’hui demain très déjà été où voilà réunion café merci bientôt quand train élève';
const RUSSIAN_FIRST =
  'я ты и в не на что мы да нет с как это по сегодня завтра очень ещё всё пока встреча спасибо когда где поезд хорошо';
const CHINESE_FIRST =
  '的一是不了我你在有他这中大来上个国到说们为子和地出道也时年得就那要下以生会自着去之过家学对可里';
const JAPANESE_FIRST =
  'のにはをたがでてとしれさいるなもすからありこまうくよん今日明行来見会社東京駅前後時間電話';
const EMOJI = ['👍', '😂', '❤️', '🎉', '🙏', '🌉'];
const SYLLABLES =
  'ba ce di fo gu ha je ki lo mu na pe ri so tu va we xi yo zu an er in on ul sta bre cli dro fla'.split(' ');
const CYRILLIC = 'ба ве ги до жу за ке ли мо ну па ре си то фу ха че ши ан ер ин он'.split(' ');

const VOCABULARY = 20_000;
const CJK_CHARACTERS = 2_500;
const FIRST_HAN = 0x4e00;

interface Language {
  weight: number;
  units: string[];
  /** What stands between two units. */
  space: string;
  end: string;
  length: [number, number];
}

/** Words by Zipf's law, common ones first; Chinese and Japanese by their characters. */
export function makeCorpus(random: () => number): Corpus {
  const languages: Language[] = [
    { weight: 0.4, units: withRare(LATIN_FIRST, SYLLABLES, random), space: ' ', end: '.', length: [3, 16] },
    { weight: 0.12, units: withRare(GERMAN_FIRST, SYLLABLES, random), space: ' ', end: '!', length: [3, 14] },
    {
      weight: 0.12,
      units: withRare(FRENCH_FIRST, SYLLABLES, random),
      space: ' ',
      end: ' ?',
      length: [3, 14],
    },
    { weight: 0.1, units: withRare(RUSSIAN_FIRST, CYRILLIC, random), space: ' ', end: '.', length: [3, 12] },
    { weight: 0.14, units: withHan(CHINESE_FIRST), space: '', end: '。', length: [6, 28] },
    { weight: 0.12, units: withHan(JAPANESE_FIRST), space: '', end: '。', length: [6, 28] },
  ];
  return {
    next: () => {
      const language = pickLanguage(languages, random());
      const [least, most] = language.length;
      const count = least + Math.floor(random() * (most - least + 1));
      const units = Array.from(
        { length: count },
        () => language.units[zipf(language.units.length, random())],
      );
      const emoji = random() < 0.1 ? ` ${EMOJI[Math.floor(random() * EMOJI.length)]}` : '';
      return units.join(language.space) + language.end + emoji;
    },
  };
}

function pickLanguage(languages: readonly Language[], at: number): Language {
  let rest = at;
  for (const language of languages) {
    rest -= language.weight;
    if (rest < 0) return language;
  }
  return languages[0] as Language;
}

/** A rank below `count` with a probability that falls as 1/rank. */
function zipf(count: number, at: number): number {
  return Math.min(count - 1, Math.floor(Math.exp(at * Math.log(count + 1))) - 1);
}

function withRare(first: string, syllables: readonly string[], random: () => number): string[] {
  const words = new Set(first.split(' '));
  while (words.size < VOCABULARY) {
    const parts = 2 + Math.floor(random() * 3);
    let word = '';
    for (let i = 0; i < parts; i++) word += syllables[Math.floor(random() * syllables.length)] ?? '';
    words.add(word);
  }
  return [...words];
}

function withHan(first: string): string[] {
  const characters = new Set(first);
  for (let code = FIRST_HAN; characters.size < CJK_CHARACTERS; code += 7)
    characters.add(String.fromCodePoint(code));
  return [...characters];
}
