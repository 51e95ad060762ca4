import { isDeepStrictEqual } from 'node:util';
import type { ChatBody } from '../../src/chats/chats.dto.js';
import type { MessageBody } from '../../src/chats/message.dto.js';
import type { ContactBody } from '../../src/contacts/contacts.dto.js';
import type { SyncBody } from '../../src/sync/sync.dto.js';
import type { PublicUserBody, UserBody } from '../../src/users/users.dto.js';
import type { Answer, TestHttp } from './http.js';

/** What a device knows, as `docs/sync.md` tells clients to keep it: pages of sync applied in their order. */
export class SyncStore {
  cursor: string | undefined;
  me: UserBody | undefined;
  readonly users = new Map<string, PublicUserBody>();
  readonly chats = new Map<string, ChatBody>();
  readonly messages = new Map<string, MessageBody>();
  readonly contacts = new Map<string, ContactBody>();

  constructor(private readonly http: TestHttp) {}

  /** Asks until nothing is left. Returns the pages it has applied. */
  async sync(limit?: number): Promise<SyncBody[]> {
    const pages: SyncBody[] = [];
    do {
      const answer = await this.http.post<SyncBody>('/api/sync', {
        ...(this.cursor !== undefined && { cursor: this.cursor }),
        ...(limit !== undefined && { limit }),
      });
      if (answer.status !== 200) throw new Error(`sync answered ${JSON.stringify(answer.body)}`);
      this.apply(answer.data);
      pages.push(answer.data);
    } while (pages.at(-1)?.hasMore);
    return pages;
  }

  apply(page: SyncBody): void {
    this.me = page.me;
    for (const user of page.users) this.users.set(user.id, user);
    for (const contact of page.contacts) this.contacts.set(contact.id, contact);
    for (const id of page.removed.contacts) this.contacts.delete(id);
    for (const chat of page.chats) this.chats.set(chat.id, chat);
    this.applyTeams(page.chats);
    for (const id of page.removed.chats) this.chats.delete(id);
    for (const message of page.messages) {
      if (message.rev >= (this.messages.get(message.id)?.rev ?? 0)) this.messages.set(message.id, message);
    }
    for (const id of page.removed.messages) this.messages.delete(id);
    for (const { id, chatId, seq } of this.messages.values()) {
      if (seq < (this.chats.get(chatId)?.my.firstSeq ?? Infinity)) this.messages.delete(id);
    }
    this.cursor = page.cursor;
  }

  /** Who the agents are is the same in all conversations of a tenant, and told with any of them. */
  private applyTeams(chats: readonly ChatBody[]): void {
    const newest = new Map(chats.flatMap((chat) => (chat.whatsapp ? [[chat.whatsapp.tenantId, chat]] : [])));
    if (newest.size === 0) return;
    for (const chat of this.chats.values()) {
      const told = chat.whatsapp && newest.get(chat.whatsapp.tenantId);
      if (!told) continue;
      const { members, memberCount, my } = told;
      const mine = Object.assign({}, chat.my, { role: my.role });
      this.chats.set(chat.id, Object.assign({}, chat, { members, memberCount, my: mine }));
    }
  }

  /** All of it in one comparable value. */
  state(): AccountState {
    const chats = [...this.chats.values()].sort(inListOrder);
    return {
      me: this.me,
      chats: chats.filter((chat) => !chat.my.archived),
      archived: chats.filter((chat) => chat.my.archived),
      messages: Object.fromEntries(chats.map(({ id }) => [id, this.messagesOf(id)])),
      contacts: byId([...this.contacts.values()].filter(({ status }) => status === 'ACCEPTED')),
      pending: byId([...this.contacts.values()].filter(({ status }) => status === 'PENDING')),
    };
  }

  /** Newest first, each with the status that the marks of its chat give it. */
  messagesOf(chatId: string): MessageBody[] {
    return [...this.messages.values()]
      .filter((message) => message.chatId === chatId)
      .sort((a, b) => b.seq - a.seq)
      .map((message) => Object.assign({}, message, { status: this.statusOf(message) }));
  }

  private statusOf({ chatId, seq, senderId, whatsapp, status }: MessageBody): MessageBody['status'] {
    if (whatsapp) return status;
    const { others, my } = this.chats.get(chatId)!;
    const { deliveredSeq, readSeq } = senderId === this.me?.id ? others : my;
    return seq <= readSeq ? 'READ' : seq <= deliveredSeq ? 'DELIVERED' : 'SENT';
  }
}

export interface AccountState {
  me: UserBody | undefined;
  chats: ChatBody[];
  archived: ChatBody[];
  messages: Record<string, MessageBody[]>;
  contacts: ContactBody[];
  pending: ContactBody[];
}

/** The same from the REST routes, every page of them. */
export async function fetchState(http: TestHttp): Promise<AccountState> {
  const [me, chats, archived, contacts, pending] = await Promise.all([
    http.get<UserBody>('/api/auth/profile'),
    fetchAll<ChatBody>(http, '/api/chats?limit=100'),
    fetchAll<ChatBody>(http, '/api/chats?limit=100&archived=true'),
    fetchAll<ContactBody>(http, '/api/contacts?limit=100'),
    fetchAll<ContactBody>(http, '/api/contacts/pending?limit=100'),
  ]);
  const messages = await Promise.all(
    [...chats, ...archived].map(async ({ id }) => [
      id,
      await fetchAll<MessageBody>(http, `/api/chats/${id}/messages?limit=100`),
    ]),
  );
  return {
    me: me.data,
    chats,
    archived,
    messages: Object.fromEntries(messages) as Record<string, MessageBody[]>,
    contacts: byId(contacts),
    pending: byId(pending),
  };
}

async function fetchAll<T>(http: TestHttp, path: string): Promise<T[]> {
  const all: T[] = [];
  let cursor: string | null = null;
  do {
    const answer: Answer<T[]> = await http.get<T[]>(path + (cursor === null ? '' : `&cursor=${cursor}`));
    if (answer.status !== 200) throw new Error(`${path} answered ${JSON.stringify(answer.body)}`);
    all.push(...answer.data);
    cursor = answer.page.nextCursor;
  } while (cursor !== null);
  return all;
}

/** Who is online is no part of sync: it is told live. */
const PASSING = ['online', 'lastSeenAt'];

export function withoutPresence<T>(value: T): T {
  return JSON.parse(
    JSON.stringify(value, (key, inner: unknown) => (PASSING.includes(key) ? undefined : inner)),
  ) as T;
}

/** Expects that a device which has synced holds exactly what the REST routes show. */
export async function expectRebuilt(store: SyncStore, http: TestHttp): Promise<void> {
  const expected = withoutPresence(await fetchState(http));
  const actual = withoutPresence(store.state());
  // Jest's comparison of large values is slow, and needed for its message alone.
  if (!isDeepStrictEqual(actual, expected)) expect(actual).toEqual(expected);
}

/** Pinned first, then by last activity: the order of `GET /api/chats`. */
function inListOrder(a: ChatBody, b: ChatBody): number {
  return (
    Number(b.my.pinned) - Number(a.my.pinned) ||
    b.updatedAt.localeCompare(a.updatedAt) ||
    (a.id < b.id ? 1 : -1)
  );
}

function byId<T extends { id: string }>(items: T[]): T[] {
  return items.sort((a, b) => (a.id < b.id ? -1 : 1));
}
