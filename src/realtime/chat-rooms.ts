import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import type { ClientServer, ClientSocket } from './client-socket.js';
import { MembershipsRepository, type MembershipRow } from './memberships.repository.js';
import { rooms } from './rooms.js';

const USER_PREFIX = rooms.user('');
const CHAT_PREFIX = rooms.chat('');
const OPEN_PREFIX = rooms.open('');

/** A membership is new for so long, in milliseconds: its signal may still be on its way. */
const NEW_FOR_MS = 30_000;

/** Told of a membership that a socket brought along and that began a moment ago. */
type NewMembershipHandler = (chatId: string, userId: string, since: number) => void;

/**
 * Which sockets of this instance are in which chats' rooms.
 *
 * A socket that is connecting is in its user's room before its chats are read, so what changes meanwhile finds it; a
 * removal that comes in between makes it read them again.
 */
@Injectable()
export class ChatRooms {
  private io: ClientServer | undefined;
  /** How many times somebody was taken out of a chat: a list of chats read before one may be too long. */
  private removals = 0;
  private onNewMembership: NewMembershipHandler = () => undefined;

  constructor(
    private readonly repository: MembershipsRepository,
    private readonly clock: Clock,
  ) {}

  start(io: ClientServer, onNewMembership: NewMembershipHandler): void {
    this.io = io;
    this.onNewMembership = onNewMembership;
  }

  /** Whether anybody in the chat is connected to this instance. */
  has(chatId: string): boolean {
    return this.adapter?.rooms.has(rooms.chat(chatId)) ?? false;
  }

  /** Whether the person is connected to this instance. */
  isHere(userId: string): boolean {
    return this.adapter?.rooms.has(rooms.user(userId)) ?? false;
  }

  /** The people whose sockets here are in the chat. */
  listUsers(chatId: string): Set<string> {
    const users = new Set<string>();
    for (const socketId of this.adapter?.rooms.get(rooms.chat(chatId)) ?? []) {
      for (const room of this.adapter?.socketRooms(socketId) ?? []) {
        if (!room.startsWith(USER_PREFIX)) continue;
        users.add(room.slice(USER_PREFIX.length));
        break;
      }
    }
    return users;
  }

  join(chatId: string, userId: string): void {
    for (const socketId of this.adapter?.rooms.get(rooms.user(userId)) ?? []) {
      void this.adapter?.addAll(socketId, new Set([rooms.chat(chatId)]));
    }
  }

  leave(chatId: string, userId: string): void {
    this.removals++;
    for (const socketId of this.adapter?.rooms.get(rooms.user(userId)) ?? []) {
      for (const room of [rooms.chat(chatId), rooms.open(chatId)]) void this.adapter?.del(socketId, room);
    }
  }

  /** Brings a socket that connects into the rooms of its user's chats. It is in its user's room already. */
  async enter(socket: ClientSocket): Promise<void> {
    await this.joinAll(socket, await this.listMemberships(socket.data.principal.userId));
  }

  /** Looks up again in which chats the user of a connected socket is. */
  async reenter(socket: ClientSocket): Promise<void> {
    const memberships = await this.listMemberships(socket.data.principal.userId);
    // What a socket that has gone would join, nobody would ever take back.
    if (!socket.connected) return;
    const present = new Set(memberships.map((membership) => membership.chat_id));
    for (const room of socket.rooms) {
      const prefix = [CHAT_PREFIX, OPEN_PREFIX].find((one) => room.startsWith(one));
      if (prefix !== undefined && !present.has(room.slice(prefix.length))) await socket.leave(room);
    }
    await this.joinAll(socket, memberships);
  }

  private async joinAll(socket: ClientSocket, memberships: readonly MembershipRow[]): Promise<void> {
    const newAfter = this.clock.nowMs() - NEW_FOR_MS;
    for (const { chat_id, since, joined_at } of memberships) {
      if (since > 0 && joined_at.getTime() >= newAfter)
        this.onNewMembership(chat_id, socket.data.principal.userId, since);
    }
    await socket.join(memberships.map((membership) => rooms.chat(membership.chat_id)));
  }

  /** The chats of a person, read again if somebody was taken out of a chat meanwhile. */
  private async listMemberships(userId: string): Promise<MembershipRow[]> {
    for (;;) {
      const { removals } = this;
      const memberships = await this.repository.listMemberships(userId);
      if (removals === this.removals) return memberships;
    }
  }

  private get adapter(): ReturnType<ClientServer['of']>['adapter'] | undefined {
    return this.io?.of('/').adapter;
  }
}
