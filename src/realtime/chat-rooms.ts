import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import type { ClientServer, ClientSocket } from './client-socket.js';
import { MembershipsRepository, type MembershipRow } from './memberships.repository.js';
import { rooms } from './rooms.js';

const USER_PREFIX = rooms.user('');
const CHAT_PREFIX = rooms.chat('');
const OPEN_PREFIX = rooms.open('', '');

/** A membership is new for so long, in milliseconds: its signal may still be on its way. */
const NEW_FOR_MS = 30_000;

/** Told of a membership that a socket brought along and that began a moment ago. */
type NewMembershipHandler = (audienceId: string, userId: string, since: number) => void;

/**
 * Which sockets of this instance are in which chats' rooms, and for the conversations of a tenant, of however many, in
 * the one room of its agents.
 *
 * A socket that is connecting is in its user's room before its chats are read, so what changes meanwhile finds it; a
 * removal that comes in between makes it read them again.
 */
@Injectable()
export class ChatRooms {
  private io: ClientServer | undefined;
  /** How many times somebody was taken out of an audience: a list of them read before one may be too long. */
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

  /** Whether anybody of the audience is connected to this instance. */
  has(audienceId: string): boolean {
    return this.adapter?.rooms.has(rooms.chat(audienceId)) ?? false;
  }

  /** Whether the person is connected to this instance. */
  isHere(userId: string): boolean {
    return this.adapter?.rooms.has(rooms.user(userId)) ?? false;
  }

  /** The people whose sockets here are in the audience's room. */
  listUsers(audienceId: string): Set<string> {
    const users = new Set<string>();
    for (const socketId of this.adapter?.rooms.get(rooms.chat(audienceId)) ?? []) {
      for (const room of this.adapter?.socketRooms(socketId) ?? []) {
        if (!room.startsWith(USER_PREFIX)) continue;
        users.add(room.slice(USER_PREFIX.length));
        break;
      }
    }
    return users;
  }

  join(audienceId: string, userId: string): void {
    for (const socketId of this.adapter?.rooms.get(rooms.user(userId)) ?? []) {
      void this.adapter?.addAll(socketId, new Set([rooms.chat(audienceId)]));
    }
  }

  leave(audienceId: string, userId: string): void {
    this.removals++;
    for (const socketId of this.adapter?.rooms.get(rooms.user(userId)) ?? []) {
      void this.adapter?.del(socketId, rooms.chat(audienceId));
      for (const room of this.adapter?.socketRooms(socketId) ?? []) {
        if (audienceOfOpen(room) === audienceId) void this.adapter?.del(socketId, room);
      }
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
    const present = new Set(memberships.map((membership) => membership.audience_id));
    for (const room of socket.rooms) {
      const audienceId = room.startsWith(CHAT_PREFIX) ? room.slice(CHAT_PREFIX.length) : audienceOfOpen(room);
      if (audienceId !== null && !present.has(audienceId)) await socket.leave(room);
    }
    await this.joinAll(socket, memberships);
  }

  private async joinAll(socket: ClientSocket, memberships: readonly MembershipRow[]): Promise<void> {
    const newAfter = this.clock.nowMs() - NEW_FOR_MS;
    for (const { audience_id, since, joined_at } of memberships) {
      if (since > 0 && joined_at.getTime() >= newAfter)
        this.onNewMembership(audience_id, socket.data.principal.userId, since);
    }
    await socket.join(memberships.map((membership) => rooms.chat(membership.audience_id)));
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

/** Whose members alone may be in a room of those who have a chat open; null for any other room. */
function audienceOfOpen(room: string): string | null {
  return room.startsWith(OPEN_PREFIX) ? (room.slice(OPEN_PREFIX.length).split(':', 1)[0] ?? null) : null;
}
