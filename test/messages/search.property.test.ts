import fc from 'fast-check';
import { useApp, type TestPerson } from '../support/app.js';
import type { Answer } from '../support/http.js';
import { makePair, makePrivateChat } from '../support/people.js';

const app = useApp();

/** Few words, so that many texts share them; several scripts; accents and cases at random. */
const word = fc.constantFrom(
  'See',
  'see',
  'SÉE',
  'seed',
  'café',
  'CAFE',
  'Straße',
  'strasse',
  'x',
  '10',
  'ß',
  '👍',
  '👍🏽',
  '🌉',
  'don’t',
  'a_b',
  '東京',
  '東京都',
  '京都',
  '都',
  '日本',
  '本日',
  'か',
  'が',
  'カ',
  'ไทย',
  'ภาษา',
  '한국',
  '국',
  'مَدرسة',
  'مدرسة',
  'и́ва',
  '-',
  '…',
);
const text = fc
  .tuple(fc.array(word, { minLength: 1, maxLength: 6 }), fc.constantFrom(' ', '', ', ', '\n'))
  .map(([words, space]) => words.join(space));
const query = fc.oneof(
  word,
  fc.tuple(word, word).map((words) => words.join(' ')),
  fc.string({ maxLength: 4 }),
);

/** Folded as a whole and by other means than the product's. */
function naiveTokens(value: string): string[] {
  const folded = value
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]|[\u064b-\u065f]|\ufe0f|\u200d|[\u{1f3fb}-\u{1f3ff}]/gu, '')
    .toLowerCase()
    .replaceAll('ß', 'ss')
    .normalize('NFC');
  const unspaced = 'ก-๛一-鿿ぁ-ヿ가-힣';
  return (
    folded.match(
      new RegExp(`[${unspaced}]+|(?:(?![${unspaced}])[\\p{L}\\p{N}])+|\\p{Extended_Pictographic}`, 'gu'),
    ) ?? []
  );
}

function naiveFinds(value: string, asked: string): boolean {
  const have = naiveTokens(value);
  const wanted = naiveTokens(asked);
  return (
    wanted.length > 0 &&
    wanted.every((token, index) => {
      if (/^[ก-๛一-鿿ぁ-ヿ가-힣]/u.test(token)) return have.some((each) => each.includes(token));
      return have.some((each) => each === token || (index === wanted.length - 1 && each.startsWith(token)));
    })
  );
}

async function searchAll(person: TestPerson, asked: string): Promise<string[]> {
  const found: string[] = [];
  let cursor: string | null = null;
  do {
    const parameters: URLSearchParams = new URLSearchParams({
      query: asked,
      limit: '7',
      ...(cursor && { cursor }),
    });
    const answer: Answer = await person.http.get(`/api/chats/messages/search?${parameters.toString()}`);
    expect(answer.status).toBe(200);
    found.push(...answer.data.map((message: { id: string }) => message.id));
    cursor = answer.page.nextCursor;
  } while (cursor);
  return found;
}

it('finds what a look at every text finds, newest first', async () => {
  const { ann, ben, chatId } = await makePair(app);
  const cid = await app.registerUser();
  const chats = [chatId, await makePrivateChat(ann, cid)];
  const sent: { id: string; text: string }[] = [];
  const storable = (asked: string): boolean =>
    /\S/.test(asked) && !asked.includes('\u0000') && asked.isWellFormed();
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(text, fc.nat(1)), { minLength: 1, maxLength: 5 }),
      fc.array(query.filter(storable), { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      async (news, queries, throughTheIndex) => {
        for (const [each, place] of news) {
          const sender = place === 0 ? ben : cid;
          const answer = await sender.http.post(`/api/chats/${chats[place]}/messages`, { text: each });
          if (answer.status !== 201) continue;
          app.clock.advance(1_000);
          sent.push({ id: answer.data.id as string, text: each });
        }
        // A look at the newest messages is given up after some hundreds: then the index alone finds them.
        if (throughTheIndex) await pad(chats[0]!);
        for (const asked of queries) {
          const expected = sent.filter((message) => naiveFinds(message.text, asked)).map(({ id }) => id);
          expect([asked, await searchAll(ann, asked)]).toEqual([asked, expected.reverse()]);
        }
      },
    ),
    { numRuns: 30 },
  );
}, 120_000);

async function pad(chatId: string): Promise<void> {
  await app.sql(
    `WITH padded AS (
        UPDATE chat SET last_seq = last_seq + 1000 WHERE id = $1 RETURNING last_seq - 1000 AS from_seq, updated_at)
      INSERT INTO message (chat_id, seq, client_key, type, created_at)
      SELECT $1, from_seq + n, 's:' || from_seq + n, 'DOCUMENT', updated_at
      FROM padded, generate_series(1, 1000) AS n`,
    [chatId],
  );
}
