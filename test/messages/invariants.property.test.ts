import fc from 'fast-check';
import { useApp, type TestPerson } from '../support/app.js';
import { makePair } from '../support/people.js';
import type { TestSocket } from '../support/socket.js';

const app = useApp();

type Who = 0 | 1;
type Way = 'rest' | 'socket';

/** One thing a person does. `key` is the clientId: few of them, so that retries happen. */
type Action =
  | { kind: 'send'; who: Who; way: Way; key: number }
  | { kind: 'deliver' | 'read'; who: Who; way: Way; upTo: number }
  | { kind: 'open'; who: Who };

const who = fc.constantFrom<Who>(0, 1);
const way = fc.constantFrom<Way>('rest', 'socket');
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('send' as const), who, way, key: fc.nat(11) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('deliver' as const, 'read' as const),
      who,
      way,
      upTo: fc.nat(20),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('open' as const), who }) },
);
/** Actions of one group are done at the same time, groups one after the other. */
const schedule = fc.array(fc.array(action, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 6 });

interface Outcome {
  action: Action;
  seq?: number;
  marks?: { deliveredSeq: number; readSeq: number };
}

async function perform(
  action: Action,
  people: TestPerson[],
  sockets: TestSocket[],
  chatId: string,
): Promise<Outcome> {
  const person = people[action.who]!;
  const socket = sockets[action.who]!;
  switch (action.kind) {
    case 'send': {
      const body = { text: `text ${action.key}`, clientId: `key ${action.key}` };
      const message =
        action.way === 'socket'
          ? await socket.ok('send-message', { chatId, ...body })
          : (await person.http.post(`/api/chats/${chatId}/messages`, body)).data;
      return { action, seq: message.seq };
    }
    case 'deliver':
    case 'read': {
      const upToSeq = action.upTo;
      const marks =
        action.way === 'socket'
          ? await socket.ok(action.kind === 'read' ? 'mark-read' : 'mark-delivered', { chatId, upToSeq })
          : (
              await person.http.post(
                `/api/chats/${chatId}/messages/${action.kind === 'read' ? 'read' : 'delivered'}`,
                { upToSeq },
              )
            ).data;
      return { action, marks };
    }
    case 'open':
      await socket.ok('app-opened');
      return { action };
  }
}

/** What a person must have, as far as it can be known: actions of one group may take effect in any order. */
interface Model {
  keys: Map<string, number>;
  /** Bounds of each person's read mark. */
  read: [{ min: number; max: number }, { min: number; max: number }];
  lastSeq: number;
}

it('holds for any interleaving of sends, retries and receipts', async () => {
  await fc.assert(
    fc.asyncProperty(schedule, async (groups) => {
      const { ann, ben, chatId } = await makePair(app);
      const people = [ann, ben];
      const sockets = [await app.connect(ann), await app.connect(ben)];
      const model: Model = {
        keys: new Map(),
        read: [
          { min: 0, max: 0 },
          { min: 0, max: 0 },
        ],
        lastSeq: 0,
      };
      const marksBefore = people.map(() => ({ deliveredSeq: 0, readSeq: 0 }));
      const othersBefore = people.map(() => ({ deliveredSeq: 0, readSeq: 0 }));

      for (const group of groups) {
        const outcomes = await Promise.all(group.map((each) => perform(each, people, sockets, chatId)));
        const seqBefore = model.lastSeq;
        const created = new Set<number>();
        for (const { action, seq } of outcomes) {
          if (action.kind !== 'send' || seq === undefined) continue;
          const key = `${action.who}:${action.key}`;
          const known = model.keys.get(key);
          // Every answer for one key is the same message.
          if (known !== undefined) expect(seq).toBe(known);
          else created.add(seq);
          model.keys.set(key, seq);
          model.lastSeq = Math.max(model.lastSeq, seq);
        }
        // New messages take the next seqs, each one once.
        expect([...created].sort((a, b) => a - b)).toEqual(
          Array.from({ length: created.size }, (_, i) => seqBefore + 1 + i),
        );
        for (const { action, seq } of outcomes) {
          const mark = action.kind === 'open' ? undefined : model.read[action.who];
          if (action.kind === 'send' && seq !== undefined && created.has(seq)) {
            mark!.min = Math.max(mark!.min, seq);
            mark!.max = Math.max(mark!.max, seq);
          } else if (action.kind === 'read') {
            mark!.min = Math.max(mark!.min, Math.min(action.upTo, seqBefore));
            mark!.max = Math.max(mark!.max, Math.min(action.upTo, model.lastSeq));
          }
        }

        for (const me of [0, 1] as const) {
          const { data: chat } = await people[me]!.http.get(`/api/chats/${chatId}`);
          const { min, max } = model.read[me];
          expect(chat.lastSeq).toBe(model.lastSeq);
          expect(chat.my.readSeq).toBeGreaterThanOrEqual(min);
          expect(chat.my.readSeq).toBeLessThanOrEqual(max);
          expect(chat.unreadCount).toBe(chat.lastSeq - chat.my.readSeq);
          expect(chat.my.deliveredSeq).toBeGreaterThanOrEqual(chat.my.readSeq);
          // Marks never go backwards, as each sees their own and the other's.
          expect(chat.my.readSeq).toBeGreaterThanOrEqual(marksBefore[me]!.readSeq);
          expect(chat.my.deliveredSeq).toBeGreaterThanOrEqual(marksBefore[me]!.deliveredSeq);
          marksBefore[me] = chat.my;
          expect(chat.others.readSeq).toBeGreaterThanOrEqual(othersBefore[me]!.readSeq);
          expect(chat.others.deliveredSeq).toBeGreaterThanOrEqual(othersBefore[me]!.deliveredSeq);
          othersBefore[me] = chat.others;
          // What is known for sure is the naive model's count.
          if (min === max) expect(chat.unreadCount).toBe(model.lastSeq - min);
          model.read[me] = { min: chat.my.readSeq, max: chat.my.readSeq };
        }
      }

      // What each reports is what the other sees.
      const [annChat, benChat] = await Promise.all(
        people.map((person) => person.http.get(`/api/chats/${chatId}`)),
      );
      const marks = ({ deliveredSeq, readSeq }: { deliveredSeq: number; readSeq: number }) => ({
        deliveredSeq,
        readSeq,
      });
      expect(annChat!.data.others).toEqual(marks(benChat!.data.my));
      expect(benChat!.data.others).toEqual(marks(annChat!.data.my));

      const { data } = await ben.http.get(`/api/chats/${chatId}/messages?afterSeq=0&limit=100`);
      expect(data.map((message: { seq: number }) => message.seq)).toEqual(
        Array.from({ length: model.lastSeq }, (_, i) => i + 1),
      );
      const keys = data.map(
        (message: { senderId: string; clientId: string }) => `${message.senderId}:${message.clientId}`,
      );
      expect(new Set(keys).size).toBe(keys.length);
      for (const socket of sockets) socket.disconnect();
    }),
    { numRuns: 25 },
  );
}, 120_000);
