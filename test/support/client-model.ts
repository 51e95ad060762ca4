import type { ChatBody, EventChatBody, MemberBody } from '../../src/chats/chats.dto.js';
import type { EventMessageBody, MessageBody, MessageStatus } from '../../src/chats/message.dto.js';
import type { MarksBody } from '../../src/messages/messages.dto.js';
import type { ServerEventName, ServerEventPayload } from '../../src/realtime/server-events.js';

type Payload<N extends ServerEventName> = ServerEventPayload<N>;
interface Marks {
  deliveredSeq: number;
  readSeq: number;
}
/** A chat without what follows from its messages and marks. */
type ModelChat = Omit<ChatBody, 'lastMessage' | 'unreadCount'>;
/** A message without its status, which follows from the marks. */
type ModelMessage = Omit<MessageBody, 'status'>;

/**
 * What a person's client knows: what it has fetched, and every event applied to it as the contract (§4) describes them.
 *
 * - A message's status follows from the marks of its chat; an event's own is not used.
 * - `replyTo` shows the message replied to as it is now: an edit or a deletion of it is applied to the quotes as well.
 * - Members are not in `chat-updated`, nor messages in `new-chat`: the model says in `needsMembers` and `needsHistory`
 *   what its owner has to fetch.
 */
export class ClientModel {
  readonly chats = new Map<string, ModelChat>();
  readonly messages = new Map<string, ModelMessage>();
  /** Chats whose members may have changed. */
  readonly needsMembers = new Set<string>();
  /** Chats that the model has just heard of. */
  readonly needsHistory = new Set<string>();
  /** Whatever comes late about a message that is no longer there. */
  private readonly hidden = new Set<string>();

  constructor(private readonly meId: string) {}

  /** A chat as it was fetched, or as an event to this person alone carries it. */
  putChat({ lastMessage: _lastMessage, unreadCount: _unreadCount, ...chat }: ChatBody): void {
    const known = this.chats.get(chat.id);
    if (known) {
      // It may have been read a moment before what has come since.
      chat.lastSeq = Math.max(chat.lastSeq, known.lastSeq);
      chat.my.firstSeq = Math.max(chat.my.firstSeq, known.my.firstSeq);
      raise(chat.my, known.my);
      raise(chat.others, known.others);
    }
    this.chats.set(chat.id, chat);
    this.forgetBefore(chat.id, chat.my.firstSeq);
  }

  putMembers(chatId: string, members: MemberBody[]): void {
    const chat = this.chats.get(chatId);
    if (chat) chat.members = members;
    this.needsMembers.delete(chatId);
  }

  /** A message as it was fetched or answered. */
  putMessage({ status: _status, ...message }: MessageBody): void {
    if (this.hidden.has(message.id) || (this.messages.get(message.id)?.rev ?? 0) > message.rev) return;
    this.messages.set(message.id, message);
  }

  /** A message that this person has just sent on a socket: nobody else tells that socket. */
  putSent(message: MessageBody): void {
    this.putMessage(message);
    this.count(message);
  }

  /** The person's own marks, as the answer to a report gives them. */
  putMarks({ chatId, deliveredSeq, readSeq }: MarksBody): void {
    const chat = this.chats.get(chatId);
    if (chat) raise(chat.my, { deliveredSeq, readSeq });
  }

  apply(event: string, payload: unknown): void {
    const apply = this.handlers[event as ServerEventName] as ((payload: unknown) => void) | undefined;
    apply?.(payload);
  }

  /** What a fresh fetch of the chat must give. */
  chatView(chatId: string): Omit<ChatBody, 'lastMessage'> & { lastMessage: unknown } {
    const chat = this.chats.get(chatId);
    if (!chat) throw new Error(`the model knows no chat ${chatId}`);
    const seen = Math.max(chat.my.readSeq, chat.my.firstSeq - 1);
    return {
      ...chat,
      unreadCount: chat.lastSeq - seen,
      lastMessage: this.messageViews(chatId).at(-1) ?? null,
    };
  }

  /** What a fresh fetch of the chat's messages must give, oldest first. */
  messageViews(chatId: string): MessageBody[] {
    return this.messagesOf(chatId).map((message) => ({ ...message, status: this.statusOf(message) }));
  }

  messagesOf(chatId: string): ModelMessage[] {
    return [...this.messages.values()]
      .filter((message) => message.chatId === chatId)
      .sort((a, b) => a.seq - b.seq);
  }

  private readonly handlers: { [N in ServerEventName]?: (payload: Payload<N>) => void } = {
    'new-message': ({ message }) => {
      if (!this.chats.has(message.chatId)) return;
      const isKnown = this.messages.has(message.id);
      if (!isKnown) this.putMessage(Object.assign({ starred: false }, message));
      this.count(message);
    },
    'message-edited': ({ message }) => {
      this.quote(message.id, message.text);
      const known = this.messages.get(message.id);
      if (known) this.putMessage(Object.assign({ starred: known.starred }, message));
    },
    'message-deleted': ({ messageId, rev }) => {
      this.quote(messageId, null);
      this.revise(messageId, rev, {
        deletedAt: 'when it was deleted',
        text: null,
        media: null,
        mentions: [],
        reactions: [],
      });
    },
    'message-reaction': ({ messageId, rev, userId, emoji, action }) => {
      const known = this.messages.get(messageId);
      if (!known) return;
      const reactions = known.reactions
        .map((each) => ({ emoji: each.emoji, userIds: each.userIds.filter((id) => id !== userId) }))
        .filter((each) => each.userIds.length > 0);
      if (action === 'added') {
        const same = reactions.find((each) => each.emoji === emoji);
        if (same) same.userIds.push(userId);
        else reactions.push({ emoji, userIds: [userId] });
      }
      this.revise(messageId, rev, { reactions });
    },
    'message-hidden': ({ messageId }) => {
      this.hidden.add(messageId);
      this.messages.delete(messageId);
    },
    'message-starred': ({ messageId, starred }) => {
      const known = this.messages.get(messageId);
      if (known) known.starred = starred;
    },
    'message-status-update': ({ chatId, status, upToSeq }) => {
      const chat = this.chats.get(chatId);
      if (!chat) return;
      raise(chat.others, { deliveredSeq: upToSeq, readSeq: status === 'READ' ? upToSeq : 0 });
    },
    'chat-read': ({ chatId, readSeq }) => {
      const chat = this.chats.get(chatId);
      if (!chat) return;
      raise(chat.my, { deliveredSeq: readSeq, readSeq });
      chat.my.markedUnread = false;
    },
    'chat-cleared': ({ chatId, upToSeq }) => {
      const chat = this.chats.get(chatId);
      if (!chat) return;
      chat.my.firstSeq = Math.max(chat.my.firstSeq, upToSeq + 1);
      this.forgetBefore(chatId, chat.my.firstSeq);
    },
    'new-chat': ({ chat }) => {
      this.putChat(chat);
      this.needsHistory.add(chat.id);
    },
    'chat-updated': ({ chat }) => {
      const known = this.chats.get(chat.id);
      if (!known) return;
      if (isWhole(chat)) this.putChat(chat);
      else Object.assign(known, chat, { lastSeq: Math.max(known.lastSeq, chat.lastSeq) });
      if (chat.type === 'GROUP') this.needsMembers.add(chat.id);
    },
    'chat-removed': ({ chatId }) => {
      this.chats.delete(chatId);
      this.needsHistory.delete(chatId);
      this.needsMembers.delete(chatId);
      this.forgetBefore(chatId, Infinity);
    },
  };

  /** A new message moves the chat, and the marks of its sender: sending into a chat reads it. */
  private count(message: EventMessageBody): void {
    const chat = this.chats.get(message.chatId);
    if (!chat) return;
    chat.lastSeq = Math.max(chat.lastSeq, message.seq);
    if (message.createdAt > chat.updatedAt) chat.updatedAt = message.createdAt;
    const marks = { deliveredSeq: message.seq, readSeq: message.seq };
    if (message.senderId === this.meId) {
      raise(chat.my, marks);
      chat.my.markedUnread = false;
    } else if (chat.type === 'PRIVATE') {
      raise(chat.others, marks);
    }
  }

  private revise(messageId: string, rev: number, change: Partial<ModelMessage>): void {
    const known = this.messages.get(messageId);
    if (known && known.rev < rev) this.messages.set(messageId, { ...known, ...change, rev });
  }

  private quote(messageId: string, text: string | null): void {
    for (const message of this.messages.values()) {
      if (message.replyTo?.id === messageId) message.replyTo = Object.assign({}, message.replyTo, { text });
    }
  }

  private forgetBefore(chatId: string, firstSeq: number): void {
    for (const { id, seq } of this.messagesOf(chatId)) if (seq < firstSeq) this.messages.delete(id);
  }

  private statusOf({ chatId, seq, senderId }: ModelMessage): MessageStatus {
    const chat = this.chats.get(chatId);
    const marks: Marks = (senderId === this.meId ? chat?.others : chat?.my) ?? {
      deliveredSeq: 0,
      readSeq: 0,
    };
    if (seq <= marks.readSeq) return 'READ';
    return seq <= marks.deliveredSeq ? 'DELIVERED' : 'SENT';
  }
}

/** Marks only grow. */
function raise(marks: Marks, by: Marks): void {
  marks.deliveredSeq = Math.max(marks.deliveredSeq, by.deliveredSeq);
  marks.readSeq = Math.max(marks.readSeq, by.readSeq);
}

function isWhole(chat: ChatBody | EventChatBody): chat is ChatBody {
  return 'my' in chat;
}
