import { Injectable } from '@nestjs/common';
import { groupBy } from '../common/group-by.js';
import { messageId } from '../common/ids.js';
import type { MessageBody, ReactionBody } from '../chats/message.dto.js';
import type { MediaBody } from '../media/media.dto.js';
import { MediaService } from '../media/media.service.js';
import { MessageChannel, type ChannelFacts } from './message-channel.js';
import { toMessageBody, type MessageParts, type ReaderMarks } from './message-mapper.js';
import { MessagesRepository, type MessageRow, type ReactionRow } from './messages.repository.js';

/** Builds what a reader sees of messages, any number of them with at most three more queries. */
@Injectable()
export class MessageViews {
  constructor(
    private readonly repository: MessagesRepository,
    private readonly media: MediaService,
    private readonly channel: MessageChannel,
  ) {}

  /**
   * The bodies of `rows`, which are the reader's to see, in their order.
   *
   * @param marksOf the marks of a row's chat that decide its status
   */
  async of(
    readerId: string,
    rows: readonly MessageRow[],
    marksOf: (row: MessageRow) => ReaderMarks,
  ): Promise<MessageBody[]> {
    // Most pages have neither media nor reactions nor a channel, and pay for none of them.
    const shown = rows.filter((row) => row.deleted_at === null);
    const [media, reactions, facts] = await Promise.all([
      this.media.viewFor(
        readerId,
        shown.flatMap((row) => row.media_id ?? []),
      ),
      this.reactionsTo(shown.filter((row) => row.rev > 1)),
      this.factsOf(rows),
    ]);
    return rows.map((row) =>
      toMessageBody(row, readerId, marksOf(row), {
        media: row.media_id === null ? null : (media.get(row.media_id) ?? null),
        reactions: reactions.get(messageId(row.chat_id, row.seq)) ?? [],
        facts: facts.get(messageId(row.chat_id, row.seq)),
      }),
    );
  }

  /** One message whose row and reactions were read together, as `readerId` sees it. */
  one(
    readerId: string,
    row: MessageRow,
    reactions: readonly ReactionRow[],
    marks: ReaderMarks,
    { media, facts }: Omit<MessageParts, 'reactions'>,
  ): MessageBody {
    return toMessageBody(row, readerId, marks, { media, reactions: toReactions(reactions), facts });
  }

  /** What a channel knows of those messages that crossed it, by message id. */
  async factsOf(rows: readonly MessageRow[]): Promise<Map<string, ChannelFacts>> {
    const crossed = rows.filter((row) => row.channel !== null);
    return this.channel.factsOf(crossed.map((row) => ({ chatId: row.chat_id, seq: row.seq })));
  }

  /**
   * The medium of a message.
   *
   * @param readerId whom its addresses are signed for: a user's id or a `chatReader`
   */
  async mediaOf(row: MessageRow, readerId: string): Promise<MediaBody | null> {
    if (row.media_id === null || row.deleted_at !== null) return null;
    return (await this.media.viewFor(readerId, [row.media_id])).get(row.media_id) ?? null;
  }

  /** A reaction changes its message, so only revised messages can have one. */
  private async reactionsTo(revised: readonly MessageRow[]): Promise<Map<string, ReactionBody[]>> {
    if (revised.length === 0) return new Map();
    const rows = await this.repository.listReactions(
      revised.map((row) => row.chat_id),
      revised.map((row) => row.seq),
    );
    const byMessage = groupBy(rows, (row) => messageId(row.chat_id, row.seq));
    return new Map([...byMessage].map(([id, ofMessage]) => [id, toReactions(ofMessage)]));
  }
}

/** One entry an emoji, in the order in which they were first given. */
function toReactions(rows: readonly ReactionRow[]): ReactionBody[] {
  return [...groupBy(rows, (row) => row.emoji)].map(([emoji, ofEmoji]) => ({
    emoji,
    userIds: ofEmoji.map((row) => row.user_id),
  }));
}
