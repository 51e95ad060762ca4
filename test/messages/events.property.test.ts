import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import type { ChatBody, MemberBody } from '../../src/chats/chats.dto.js';
import type { MessageBody } from '../../src/chats/message.dto.js';
import type { MediaBody } from '../../src/media/media.dto.js';
import { useApp, type TestPerson } from '../support/app.js';
import { ClientModel } from '../support/client-model.js';
import { makeContacts } from '../support/people.js';
import type { TestSocket } from '../support/socket.js';
import { makePicture } from '../media/pictures.js';

/**
 * Applying the events to the old state gives what a fresh fetch gives. People do random things, several at once, over
 * REST and sockets; each has a client that is told of it by events alone (see `ClientModel`), and at the end every
 * client knows what REST shows.
 *
 * What the contract's events do not carry, clients fetch here as real ones do: the members of a group after
 * `chat-updated`, the messages of a chat after `new-chat`, their own marks after `app-opened`. One's own report of a
 * delivery is answered and not told, so the answer is applied. Compared without: who is online; signatures in addresses; the time of a deletion; in a
 * group, the others' marks, which authors alone are told of (the status of own messages is compared); the order of
 * different emojis.
 */
const app = useApp();
const PEOPLE = 4;
const EMOJIS = ['👍', '❤️', '🎉', ''];

interface Client {
  person: TestPerson;
  socket: TestSocket;
  model: ClientModel;
}

interface Action {
  kind: (typeof KINDS)[number];
  who: number;
  /** Which chat, message, person or variant: taken modulo how many there are. */
  chat: number;
  pick: number;
  variant: number;
}

const MESSAGE_KINDS = ['edit', 'react', 'hide', 'delete', 'star', 'unstar', 'forward', 'status'] as const;
const CHAT_KINDS = ['read', 'deliver', 'settings', 'clear'] as const;
const GROUP_KINDS = ['rename', 'add', 'remove', 'role', 'leave'] as const;
const KINDS = ['send', 'open', ...MESSAGE_KINDS, ...CHAT_KINDS, ...GROUP_KINDS] as const;
const WEIGHTS: Partial<Record<Action['kind'], number>> = {
  send: 8,
  edit: 3,
  react: 4,
  delete: 2,
  read: 2,
  clear: 1,
};

const action: fc.Arbitrary<Action> = fc.record({
  kind: fc.oneof(...KINDS.map((kind) => ({ weight: WEIGHTS[kind] ?? 1, arbitrary: fc.constant(kind) }))),
  who: fc.nat(PEOPLE - 1),
  chat: fc.nat(5),
  pick: fc.nat(50),
  variant: fc.nat(50),
});
/** Actions of one group are done at the same time, groups one after the other. */
const schedule = fc.array(fc.array(action, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 12 });

/** Everyone is everyone's contact; the first two have a private chat, and a group with the third. */
async function makeWorld(): Promise<Client[]> {
  const people = await Promise.all(Array.from({ length: PEOPLE }, () => app.registerUser()));
  for (const [i, a] of people.entries()) {
    await Promise.all(people.slice(i + 1).map((b) => makeContacts(a, b)));
  }
  const [ann, ben, cid] = people as [TestPerson, TestPerson, TestPerson];
  await ann.http.post('/api/chats', { type: 'PRIVATE', participantIds: [ben.id] });
  await ann.http.post('/api/chats', { type: 'GROUP', name: 'Garden', participantIds: [ben.id, cid.id] });
  return Promise.all(
    people.map(async (person) => {
      const socket = await app.connect(person);
      const model = new ClientModel(person.id);
      for (const chat of await fetchChats(person)) {
        model.putChat(chat);
        for (const message of await fetchMessages(person, chat.id)) model.putMessage(message);
      }
      socket.io.onAny((event: string, payload: unknown) => {
        model.apply(event, payload);
      });
      return { person, socket, model };
    }),
  );
}

async function fetchChats(person: TestPerson): Promise<ChatBody[]> {
  const lists = await Promise.all(
    [false, true].map((archived) => person.http.get<ChatBody[]>(`/api/chats?limit=100&archived=${archived}`)),
  );
  return lists.flatMap((answer) => answer.data);
}

async function fetchMessages(person: TestPerson, chatId: string): Promise<MessageBody[]> {
  const answer = await person.http.get<MessageBody[]>(`/api/chats/${chatId}/messages?afterSeq=0&limit=100`);
  return answer.status === 200 ? answer.data : [];
}

function choose<T>(list: readonly T[], index: number): T | undefined {
  return list[index % list.length];
}

/** Does one thing; what one may not do, or what is no longer there, is refused, and that is as good. */
async function perform(
  clients: readonly Client[],
  { kind, who, chat, pick, variant }: Action,
): Promise<void> {
  const { person, socket, model } = clients[who]!;
  const { http } = person;
  if (kind === 'open') {
    await socket.ok('app-opened');
    for (const { id, my } of await fetchChats(person)) model.putMarks(Object.assign({ chatId: id }, my));
    return;
  }
  const chatId = choose([...model.chats.keys()].sort(), chat);
  if (chatId === undefined) return;
  const message = choose(model.messagesOf(chatId), pick);
  const other = choose(clients, pick)!.person;
  const path = `/api/chats/${chatId}`;
  const named = `/api/chats/messages/${message?.id}`;
  const viaSocket = variant % 2 === 0;
  if (!message && (MESSAGE_KINDS as readonly string[]).includes(kind)) return;

  const answerOf = async (): Promise<{ status: number } | undefined> => {
    switch (kind) {
      case 'send': {
        const body = {
          text: `text ${pick}`,
          ...(message && variant % 3 === 0 && { replyToId: message.id }),
          ...(variant % 5 === 0 && { mentions: [other.id] }),
        };
        if (!viaSocket) return http.post(`${path}/messages`, body);
        const ack = await socket.emit('send-message', { chatId, ...body });
        if (ack.status === 'success') model.putSent(ack.data);
        return undefined;
      }
      case 'edit':
        return http.patch(named, { text: `edited ${variant}` });
      case 'react':
        return http.post(`${named}/reactions`, { emoji: choose(EMOJIS, variant) });
      case 'hide':
        return http.delete(named);
      case 'delete':
        return http.delete(`${named}?for=everyone`);
      case 'star':
        return http.put(`${named}/star`);
      case 'unstar':
        return http.delete(`${named}/star`);
      case 'forward': {
        const target = choose([...model.chats.keys()].sort(), variant)!;
        return http.post(`${named}/forward`, { chatIds: [...new Set([target, chatId])] });
      }
      case 'status':
        return keepMarks(await http.patch(`${named}/status`, { status: viaSocket ? 'READ' : 'DELIVERED' }));
      case 'read':
      case 'deliver': {
        const event = kind === 'read' ? 'mark-read' : 'mark-delivered';
        if (!viaSocket) {
          const route = kind === 'read' ? 'read' : 'delivered';
          return keepMarks(await http.post(`${path}/messages/${route}`, { upToSeq: pick }));
        }
        const ack = await socket.emit(event, { chatId, upToSeq: pick });
        if (ack.status === 'success') {
          model.putMarks(ack.data);
          if (kind === 'read') model.apply('chat-read', { chatId, readSeq: ack.data.readSeq });
        }
        return undefined;
      }
      case 'settings': {
        const mutedUntil = new Date(app.clock.nowMs() + 3_600_000).toISOString();
        const settings = [
          { pinned: viaSocket },
          { archived: viaSocket },
          { markedUnread: viaSocket },
          { mutedUntil: viaSocket ? mutedUntil : null },
        ];
        return http.patch(`${path}/settings`, choose(settings, pick));
      }
      case 'clear':
        return http.delete(path);
      case 'rename':
        return http.patch(path, { name: `Garden ${variant}` });
      case 'add':
        return http.post(`${path}/members`, { userIds: [other.id] });
      case 'remove':
        return http.delete(`${path}/members/${other.id}`);
      case 'role':
        return http.patch(`${path}/members/${other.id}`, { role: viaSocket ? 'ADMIN' : 'MEMBER' });
      case 'leave':
        // A group of one has no others whose marks count.
        return variant % 4 === 0 ? http.post(`${path}/leave`) : undefined;
    }
  };
  const keepMarks = <T extends { status: number; data: Parameters<ClientModel['putMarks']>[0] }>(
    answer: T,
  ): T => {
    if (answer.status === 200) model.putMarks(answer.data);
    return answer;
  };
  const answer = await answerOf();
  if (answer && answer.status >= 500) throw new Error(`${kind} was answered ${answer.status}`);
}

/** Fetches what the events leave out. */
async function catchUp({ person, model }: Client): Promise<void> {
  for (const chatId of model.needsHistory) {
    model.needsHistory.delete(chatId);
    for (const message of await fetchMessages(person, chatId)) model.putMessage(message);
  }
  for (const chatId of model.needsMembers) {
    const { status, data } = await person.http.get<MemberBody[]>(`/api/chats/${chatId}/members?limit=50`);
    if (status === 200) model.putMembers(chatId, data);
  }
}

type Comparable = object;

function comparableMedia(media: MediaBody): Comparable {
  return Object.assign({}, media, {
    url: media.url.split('?')[0],
    thumbnailUrl: media.thumbnailUrl?.split('?')[0] ?? null,
  });
}

function comparableMessage(message: MessageBody): Comparable {
  return Object.assign({}, message, {
    deletedAt: message.deletedAt !== null,
    media: message.media && comparableMedia(message.media),
    reactions: [...message.reactions].sort((a, b) => (a.emoji < b.emoji ? -1 : 1)),
  });
}

function comparableChat(chat: ChatBody): Comparable {
  const members = chat.members
    .map(({ user, role, joinedAt }) => ({ id: user.id, name: user.name, role, joinedAt }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  return Object.assign({}, chat, {
    lastMessage: chat.lastMessage && comparableMessage(chat.lastMessage),
    members,
    image: chat.image?.split('?')[0] ?? null,
    others: chat.type === 'PRIVATE' ? chat.others : null,
  });
}

/** What the client knows and what REST shows, by chat. */
async function compare({ person, model }: Client): Promise<{ known: Comparable; shown: Comparable }> {
  const known: Record<string, unknown> = {};
  const shown: Record<string, unknown> = {};
  for (const chat of await fetchChats(person)) {
    shown[chat.id] = {
      chat: comparableChat(chat),
      messages: (await fetchMessages(person, chat.id)).map(comparableMessage),
    };
  }
  for (const chatId of model.chats.keys()) {
    known[chatId] = {
      chat: comparableChat(model.chatView(chatId) as ChatBody),
      messages: model.messageViews(chatId).map(comparableMessage),
    };
  }
  return { known, shown };
}

/** Events may still be on their way: waits until the two agree, and says where they differ if they never do. */
async function expectAgreement(client: Client): Promise<void> {
  const deadline = performance.now() + 5_000;
  for (;;) {
    await client.socket.barrier();
    await catchUp(client);
    const { known, shown } = await compare(client);
    if (isDeepStrictEqual(known, shown)) return;
    if (performance.now() > deadline) {
      expect(known).toEqual(shown);
      return;
    }
  }
}

describe('after every single action, all clients know what a fresh fetch gives', () => {
  let clients: Client[];
  let privateId: string;
  let groupId: string;

  beforeAll(async () => {
    clients = await makeWorld();
    for (const { id, type } of await fetchChats(clients[0]!.person)) {
      if (type === 'PRIVATE') privateId = id;
      else groupId = id;
    }
  });

  const http = (who: number) => clients[who]!.person.http;
  const idOf = (who: number): string => clients[who]!.person.id;
  /** The newest message of a text in a chat, as somebody sees it. */
  const messageWith = async (who: number, chatId: string, text: string): Promise<string> => {
    const messages = await fetchMessages(clients[who]!.person, chatId);
    return `/api/chats/messages/${messages.findLast((message) => message.text === text)!.id}`;
  };
  const post = (who: number, chatId: string, body: object) =>
    http(who).post(`/api/chats/${chatId}/messages`, body);

  const [ANN, BEN, CID, DAN] = [0, 1, 2, 3] as const;
  const STEPS: [string, () => Promise<{ status: number }>][] = [
    ['a send over REST', () => post(ANN, privateId, { text: 'one' })],
    ['another', () => post(BEN, privateId, { text: 'two', mentions: [idOf(ANN)] })],
    ['a reply', async () => reply(ANN, privateId, 'two', 'three')],
    ['a send over a socket', () => act('send', ANN, 0)],
    ['a delivery', () => act('deliver', BEN, 1)],
    ['a read over a socket', () => act('read', BEN, 0)],
    ['a read over REST', () => act('read', ANN, 1)],
    [
      'an edit of what has a reply',
      async () => http(BEN).patch(await messageWith(BEN, privateId, 'two'), { text: '2' }),
    ],
    ['a reaction', async () => react(ANN, privateId, '2', '👍')],
    ['one of the other', async () => react(BEN, privateId, '2', '👍')],
    ['one in place of the first', async () => react(ANN, privateId, '2', '🎉')],
    ['one taken back', async () => react(BEN, privateId, '2', '')],
    ['a star', async () => http(ANN).put(`${await messageWith(ANN, privateId, '2')}/star`)],
    [
      'an edit of what is starred',
      async () => http(BEN).patch(await messageWith(BEN, privateId, '2'), { text: 'II' }),
    ],
    ['a star taken back', async () => http(ANN).delete(`${await messageWith(ANN, privateId, 'II')}/star`)],
    [
      'a star on what will be deleted',
      async () => http(ANN).put(`${await messageWith(ANN, privateId, 'II')}/star`),
    ],
    [
      'a deletion for everyone',
      async () => http(BEN).delete(`${await messageWith(BEN, privateId, 'II')}?for=everyone`),
    ],
    ['a deletion for oneself', async () => http(BEN).delete(await messageWith(BEN, privateId, 'three'))],
    [
      'an edit of what the other deleted',
      async () => http(ANN).patch(await messageWith(ANN, privateId, 'three'), { text: 'III' }),
    ],
    ['a pin', () => settings(ANN, privateId, { pinned: true })],
    [
      'a mute',
      () => settings(ANN, privateId, { mutedUntil: new Date(app.clock.nowMs() + 60_000).toISOString() }),
    ],
    ['an archive', () => settings(ANN, privateId, { archived: true })],
    ['a mark as unread', () => settings(BEN, privateId, { markedUnread: true })],
    ['a read of it', () => http(BEN).post(`/api/chats/${privateId}/messages/read`, {})],
    ['a mark as unread, again', () => settings(BEN, privateId, { markedUnread: true })],
    ['a send into it', () => post(BEN, privateId, { text: 'four' })],
    ['a clear', () => http(ANN).delete(`/api/chats/${privateId}`)],
    ['a send after it', () => post(BEN, privateId, { text: 'five' })],
    ['a picture', () => sendPicture(BEN, privateId, 'a dgo')],
    ['a caption', async () => http(BEN).patch(await messageWith(BEN, privateId, 'a dgo'), { text: 'a dog' })],
    ['a forward of it', async () => forward(ANN, privateId, 'a dog', [privateId])],
    ['a deletion of it', async () => http(BEN).delete(`${await pictureOf(BEN)}?for=everyone`)],
    ['a message in the group', () => post(ANN, groupId, { text: 'hello all' })],
    ['a forward', async () => forward(BEN, privateId, 'five', [groupId, privateId])],
    ['a first read in the group', () => http(BEN).post(`/api/chats/${groupId}/messages/read`, {})],
    ['a second', () => http(CID).post(`/api/chats/${groupId}/messages/read`, {})],
    ['the app opened', () => act('open', ANN, 0)],
    ['a new name', () => http(ANN).patch(`/api/chats/${groupId}`, { name: 'Roses' })],
    ['somebody added', () => http(ANN).post(`/api/chats/${groupId}/members`, { userIds: [idOf(DAN)] })],
    ['a message of theirs', () => post(DAN, groupId, { text: 'thanks' })],
    ['a role', () => http(ANN).patch(`/api/chats/${groupId}/members/${idOf(DAN)}`, { role: 'ADMIN' })],
    ['a message that offends', () => post(CID, groupId, { text: 'no' })],
    [
      'a deletion by an admin',
      async () => http(DAN).delete(`${await messageWith(DAN, groupId, 'no')}?for=everyone`),
    ],
    ['somebody removed', () => http(ANN).delete(`/api/chats/${groupId}/members/${idOf(CID)}`)],
    ['a message without them', () => post(BEN, groupId, { text: 'without Cid' })],
    ['the removed one back', () => http(ANN).post(`/api/chats/${groupId}/members`, { userIds: [idOf(CID)] })],
    ['a reply to what they cannot see', async () => reply(BEN, groupId, 'without Cid', 'to that')],
    [
      'an edit of it',
      async () => http(BEN).patch(await messageWith(BEN, groupId, 'without Cid'), { text: 'as three' }),
    ],
    ['a hand-over', () => http(ANN).patch(`/api/chats/${groupId}/members/${idOf(BEN)}`, { role: 'OWNER' })],
    ['a leave', () => http(ANN).post(`/api/chats/${groupId}/leave`)],
    ['a clear of the group', () => http(BEN).delete(`/api/chats/${groupId}`)],
  ];

  const act = async (kind: Action['kind'], who: number, variant: number): Promise<{ status: number }> => {
    const chat = [privateId, groupId].sort().indexOf(privateId);
    await perform(clients, { kind, who, chat, pick: 50, variant });
    return { status: 200 };
  };
  const reply = async (who: number, chatId: string, to: string, text: string) => {
    const replyToId = (await messageWith(who, chatId, to)).split('/').at(-1);
    return post(who, chatId, { text, replyToId });
  };
  const react = async (who: number, chatId: string, text: string, emoji: string) =>
    http(who).post(`${await messageWith(who, chatId, text)}/reactions`, { emoji });
  const forward = async (who: number, chatId: string, text: string, chatIds: string[]) =>
    http(who).post(`${await messageWith(who, chatId, text)}/forward`, { chatIds });
  const sendPicture = async (who: number, chatId: string, text: string) =>
    http(who).multipart('POST', `/api/chats/${chatId}/messages`, { text }, [
      { name: 'media', fileName: 'dog.png', content: await makePicture('png'), type: 'image/png' },
    ]);
  const pictureOf = async (who: number): Promise<string> => {
    const messages = await fetchMessages(clients[who]!.person, privateId);
    const own = messages.find(({ senderId, type }) => senderId === idOf(who) && type === 'IMAGE');
    return `/api/chats/messages/${own!.id}`;
  };
  const settings = (who: number, chatId: string, body: object) =>
    http(who).patch(`/api/chats/${chatId}/settings`, body);

  it.each(STEPS)('%s', async (_name, step) => {
    app.clock.advance(1000);
    expect((await step()).status).toBeLessThan(300);
    for (const client of clients) await expectAgreement(client);
  });
});

it('gives by events what a fresh fetch gives, whatever people do', async () => {
  await fc.assert(
    fc.asyncProperty(schedule, async (groups) => {
      const clients = await makeWorld();
      try {
        for (const group of groups) {
          app.clock.advance(1000);
          await Promise.all(group.map((each) => perform(clients, each)));
          for (const client of clients) await catchUp(client);
        }
        for (const client of clients) await expectAgreement(client);
      } finally {
        for (const { socket } of clients) socket.disconnect();
      }
    }),
    { numRuns: 12, endOnFailure: true },
  );
}, 240_000);
