import { Injectable } from '@nestjs/common';
import { groupBy } from '../common/group-by.js';
import { messageId } from '../common/ids.js';
import { ChatsService } from '../chats/chats.service.js';
import type { MessageBody } from '../chats/message.dto.js';
import { Cursors } from '../infra/http/cursors.js';
import { NO_MARKS } from './message-mapper.js';
import { MessageViews } from './message-views.js';
import { MessagesRepository, type MessageRow } from './messages.repository.js';
import type { MessagePage } from './history.service.js';
import type { SearchMessagesQuery } from './search.dto.js';
import { SearchQuery } from './search-query.js';
import {
  SearchRepository,
  type CandidateRow,
  type SearchPosition,
  type SearchScope,
} from './search.repository.js';

/** How many candidates are read at once when many of them may turn out not to hold the query. */
const LOOSE_STEP = 200;
/** How many candidates one page looks at: of texts made for it, all may hold the terms and none the query. */
const MAX_CANDIDATES = 2_000;

/** Full-text search in what a person may see. */
@Injectable()
export class SearchService {
  constructor(
    private readonly repository: SearchRepository,
    private readonly messages: MessagesRepository,
    private readonly chats: ChatsService,
    private readonly views: MessageViews,
    private readonly cursors: Cursors,
  ) {}

  /**
   * What holds the query, newest first.
   *
   * @throws AppError CHAT_NOT_FOUND, INVALID_CURSOR
   */
  async search(userId: string, dto: SearchMessagesQuery): Promise<MessagePage> {
    const { chatId = null } = dto;
    if (chatId !== null) await this.chats.requireMember(userId, chatId);
    return this.searchIn({ chatId, tenantId: null }, `search:${userId}:${chatId ?? ''}`, userId, dto);
  }

  /**
   * The same in the conversations of a tenant that the person works for: the caller has made sure of it.
   *
   * @throws AppError INVALID_CURSOR
   */
  async searchTenant(
    userId: string,
    tenantId: string,
    dto: Omit<SearchMessagesQuery, 'chatId'>,
  ): Promise<MessagePage> {
    return this.searchIn({ chatId: null, tenantId }, `search-tenant:${userId}:${tenantId}`, userId, dto);
  }

  private async searchIn(
    where: SearchScope,
    list: string,
    userId: string,
    dto: Omit<SearchMessagesQuery, 'chatId'>,
  ): Promise<MessagePage> {
    const scope = `${list}:${dto.query}`;
    const position = dto.cursor === undefined ? null : this.cursors.decode(scope, dto.cursor);
    const before = position && {
      at: new Date(String(position[0])),
      chatId: String(position[1]),
      seq: Number(position[2]),
    };
    const query = new SearchQuery(dto.query);
    const { hits, goesOnAt } = await this.find(userId, where, query, before, dto.limit + 1);
    const shown = hits.slice(0, dto.limit);
    const last = shown.at(-1);
    const next = last && hits.length > dto.limit ? positionOf(last) : goesOnAt;
    return {
      messages: await this.bodiesOf(userId, shown),
      page: {
        nextCursor: next && this.cursors.encode(scope, [next.at.toISOString(), next.chatId, next.seq]),
      },
    };
  }

  /**
   * The index proposes, the texts decide. After `MAX_CANDIDATES` that were not what they seemed the page ends, with
   * `goesOnAt` as its end.
   */
  private async find(
    userId: string,
    where: SearchScope,
    query: SearchQuery,
    start: SearchPosition | null,
    wanted: number,
  ): Promise<{ hits: CandidateRow[]; goesOnAt: SearchPosition | null }> {
    const hits: CandidateRow[] = [];
    if (query.terms.length === 0) return { hits, goesOnAt: null };
    const step = query.isLoose ? Math.max(wanted, LOOSE_STEP) : wanted;
    let before = start;
    for (let looked = 0; looked < MAX_CANDIDATES; looked += step) {
      const candidates = await this.repository.listCandidates(userId, where, query.terms, before, step);
      hits.push(...candidates.filter(({ text }) => text !== null && query.isIn(text)));
      const last = candidates.at(-1);
      if (!last || candidates.length < step || hits.length >= wanted) {
        return { hits: hits.slice(0, wanted), goesOnAt: null };
      }
      before = positionOf(last);
    }
    return { hits, goesOnAt: before };
  }

  private async bodiesOf(userId: string, hits: readonly CandidateRow[]): Promise<MessageBody[]> {
    if (hits.length === 0) return [];
    const chatIds = [...groupBy(hits, (hit) => hit.chat_id).keys()];
    const [rows, memberships] = await Promise.all([
      this.messages.listAt(
        userId,
        hits.map((hit) => hit.chat_id),
        hits.map((hit) => hit.seq),
      ),
      this.chats.listMemberships(userId, chatIds),
    ]);
    const rowOf = new Map(rows.map((row) => [messageId(row.chat_id, row.seq), row]));
    // A chat that the person has just left, or a message that was deleted meanwhile, is found no more.
    const found = hits.flatMap((hit) => rowOf.get(messageId(hit.chat_id, hit.seq)) ?? []).filter(isThere);
    const marksOf = (row: MessageRow) => memberships.get(row.chat_id);
    const visible = found.filter((row) => row.seq >= (marksOf(row)?.mine.firstSeq ?? Infinity));
    return this.views.of(userId, visible, (row) => marksOf(row) ?? NO_MARKS);
  }
}

function positionOf({ created_at: at, chat_id: chatId, seq }: CandidateRow): SearchPosition {
  return { at, chatId, seq };
}

function isThere(row: MessageRow): boolean {
  return row.deleted_at === null;
}
