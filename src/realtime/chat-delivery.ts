import { Injectable } from '@nestjs/common';
import { BoundedMap } from '../common/bounded-map.js';
import { Clock } from '../common/clock.js';
import { ClusterBus } from '../infra/events/cluster-bus.js';
import { IDS_PER_SIGNAL, PgSignalListener, type PgSignals } from '../infra/events/pg-signals.js';
import { Log } from '../infra/observability/log.js';
import { ChatRooms } from './chat-rooms.js';
import type { ClientServer } from './client-socket.js';
import { emitHere } from './emit-here.js';
import { MembershipLog } from './membership-log.js';
import { MembershipsRepository, type MembersSnapshot } from './memberships.repository.js';
import { rooms } from './rooms.js';
import type { ServerEventName, ServerEventPayload } from './server-events.js';

/** Something that all members of a chat, or all agents of a tenant, are told. */
export interface ChatPacket<N extends ServerEventName = ServerEventName> {
  /** Whose members: a chat's id, or for a conversation that of its tenant, whose agents are in all of them. */
  audienceId: string;
  /** The chat's `members_seq`, or the tenant's `agents_seq`, at the commit: those who were members then are told. */
  membersSeq: number;
  event: N;
  payload: ServerEventPayload<N>;
  /** Rooms that are not told. */
  except?: readonly string[];
}

interface ChatState {
  /** The rooms here hold everyone who came, and nobody who left, up to this `members_seq`. */
  applied: number;
  readonly log: MembershipLog;
  /** Packets in order, while the chat's members are looked up for the first of them. */
  waiting: ChatPacket[] | undefined;
}

const PACKET_TOPIC = 'chat-packet';
const CREATED_TOPIC = 'chat-created';
/** Chats whose members have changed; the first packet of one that was let go is looked up again. */
const MAX_CHATS = 20_000;
/** How late a packet may come, in milliseconds. */
const REMEMBERED_MS = 30_000;
/** How far back changes of a chat are looked up that nothing is known of yet, in messages. */
const LOOK_BACK = 1_000;
/** More than may wait while the database is asked once. */
const MAX_WAITING = 10_000;

/**
 * Delivers to exactly those who were members at the commit, on every instance.
 *
 * The rooms of Socket.IO follow signals of PostgreSQL, packets come from this instance or over Redis, and neither waits
 * for the other. So every packet carries the chat's `members_seq` at its commit, and:
 * - a packet that knows of a change of which the rooms do not (`membersSeq > applied`) waits, with all of its chat behind
 *   it, until the members are looked up: who was removed before the commit gets nothing, who was added gets it;
 * - a packet from before a change that the rooms have followed goes to who was there then: to those who have left since,
 *   and not to those who have joined since. One older than what is remembered goes to nobody: the chat hears `resync`.
 * A tenant is to its agents what a chat is to its members: one room for all of its conversations, with its `agents_seq`.
 * Packets of a chat leave in the order they came. Chats whose members never changed, all private ones, go straight to
 * their room. Losing Redis or the database loses packets, never these rules.
 */
@Injectable()
export class ChatDelivery {
  private io: ClientServer | undefined;
  private readonly states = new BoundedMap<string, ChatState>(MAX_CHATS);
  /** False from a cut of the signals until everyone's chats have been looked up again. */
  private areSignalsComplete = true;
  /** How often the signals have been cut. */
  cuts = 0;

  constructor(
    private readonly chatRooms: ChatRooms,
    private readonly repository: MembershipsRepository,
    private readonly signals: PgSignalListener,
    private readonly bus: ClusterBus,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  start(io: ClientServer): void {
    this.io = io;
    this.chatRooms.start(io, (audienceId, userId, since) => {
      this.noteNewMembership(audienceId, userId, since);
    });
    this.signals.on('chat-access-changed', (signal) => {
      this.follow(signal);
    });
    this.signals.onDrop(() => {
      this.areSignalsComplete = false;
      this.cuts++;
    });
    this.bus.onOthers(PACKET_TOPIC, (text) => {
      this.receive(text);
    });
    this.bus.onOthers(CREATED_TOPIC, (text) => {
      const [chatId, userIds] = JSON.parse(text) as [string, string[]];
      this.joinNew(chatId, userIds);
    });
  }

  /** Delivers a packet on every instance. */
  tell<N extends ServerEventName>(packet: ChatPacket<N>): void {
    this.deliver(packet);
    if (this.bus.isAlone) return;
    const { audienceId, membersSeq, event, payload, except } = packet;
    // Who needs not read the rest sees it by what stands first.
    this.bus.tellOthers(
      PACKET_TOPIC,
      `${audienceId} ${membersSeq} ${JSON.stringify([event, payload, except])}`,
    );
  }

  /** A chat is new: these people are in it from its beginning, also before any signal of it comes. */
  created(chatId: string, userIds: readonly string[]): void {
    this.joinNew(chatId, userIds);
    this.bus.tellOthers(CREATED_TOPIC, JSON.stringify([chatId, userIds]));
  }

  /**
   * Everyone's chats have been looked up since the signals came back: nothing is remembered of before, and the signals
   * are to be trusted from now on.
   *
   * @param cuts how often they had been cut when the looking up began; if they were again, it was in vain
   */
  startAfresh(cuts: number): void {
    if (cuts !== this.cuts) return;
    this.states.clear();
    this.areSignalsComplete = true;
  }

  private receive(text: string): void {
    const seqAt = text.indexOf(' ') + 1;
    const bodyAt = text.indexOf(' ', seqAt) + 1;
    const audienceId = text.slice(0, seqAt - 1);
    const membersSeq = Number(text.slice(seqAt, bodyAt - 1));
    const state = this.states.get(audienceId);
    if (!this.chatRooms.has(audienceId) && (state ? isSettled(state, membersSeq) : membersSeq === 0)) return;
    const [event, payload, except] = JSON.parse(text.slice(bodyAt)) as [
      ServerEventName,
      ChatPacket['payload'],
      readonly string[] | null | undefined,
    ];
    this.deliver({ audienceId, membersSeq, event, payload, except: except ?? [] });
  }

  private deliver(packet: ChatPacket): void {
    const { audienceId, membersSeq } = packet;
    let state = this.states.get(audienceId);
    if (!state) {
      if (membersSeq === 0) {
        this.emit(packet, undefined);
        return;
      }
      state = this.begin(audienceId, 0, membersSeq);
    }
    if (state.waiting) {
      if (state.waiting.length < MAX_WAITING) state.waiting.push(packet);
      else this.giveUp(audienceId, state, new Error('too many packets wait for the members of a chat'));
    } else if (membersSeq > state.applied) {
      state.waiting = [packet];
      void this.lookUp(audienceId, state);
    } else {
      this.emit(packet, state.log);
    }
  }

  /** Looks the members up until no packet that waits knows of more, and delivers all that wait. */
  private async lookUp(audienceId: string, state: ChatState): Promise<void> {
    try {
      for (;;) {
        const since = oldestOf(state);
        const wanted = Math.max(...(state.waiting ?? []).map(({ membersSeq }) => membersSeq));
        const snapshot = await this.repository.readMembers(audienceId, since);
        const { waiting = [] } = state;
        // There is no such chat any more.
        if (snapshot === null) waiting.length = 0;
        else this.apply(audienceId, state, snapshot, since);
        // Read after their commit, it holds all they know of, whatever it says.
        state.applied = Math.max(state.applied, wanted);
        const next = waiting.findIndex(({ membersSeq }) => membersSeq > state.applied);
        for (const packet of waiting.splice(0, next === -1 ? waiting.length : next)) {
          this.emit(packet, state.log);
        }
        if (waiting.length > 0) continue;
        if (state.waiting === waiting) state.waiting = undefined;
        return;
      }
    } catch (error) {
      this.giveUp(audienceId, state, error);
    }
  }

  /** Makes the rooms what the snapshot says, with what has become known since it was taken. */
  private apply(
    audienceId: string,
    state: ChatState,
    snapshot: MembersSnapshot,
    completeSince: number,
  ): void {
    const now = this.clock.nowMs();
    const present = new Set<string>();
    for (const { user_id, present: isPresent, since } of snapshot.members) {
      if (isPresent) present.add(user_id);
      if (since > completeSince) state.log.note(since, isPresent ? 'joined' : 'left', [user_id], now);
    }
    state.log.completeSince(completeSince);
    for (const { change, userIds } of state.log.changesAfter(snapshot.membersSeq)) {
      for (const userId of userIds) {
        if (change === 'joined') present.add(userId);
        else present.delete(userId);
      }
    }
    const gone = snapshot.members.filter((member) => !member.present).map((member) => member.user_id);
    for (const userId of new Set([...gone, ...this.chatRooms.listUsers(audienceId)])) {
      if (!present.has(userId)) this.chatRooms.leave(audienceId, userId);
    }
    for (const userId of present) this.chatRooms.join(audienceId, userId);
    state.applied = Math.max(state.applied, snapshot.membersSeq);
  }

  /** Without knowing the members nobody can be told; who is there asks for what was missed. */
  private giveUp(audienceId: string, state: ChatState, error: unknown): void {
    state.waiting = undefined;
    this.log.error({ err: error, audienceId }, 'packets of a chat could not be delivered');
    this.emitResync(audienceId);
  }

  /** Applies a change of membership to the sockets here, those still connecting included. */
  private follow({ chatId: audienceId, userIds, change, seq }: PgSignals['chat-access-changed']): void {
    if (change === 'block') return;
    if (seq === 0) {
      for (const userId of userIds) this.move(audienceId, userId, change);
      return;
    }
    const state = this.states.get(audienceId) ?? this.begin(audienceId, 0, 0);
    state.log.note(seq, change, userIds, this.clock.nowMs());
    if (seq < state.applied) return;
    for (const userId of userIds) this.move(audienceId, userId, change);
    // A full signal may be one of several for the same change.
    if (this.areSignalsComplete && userIds.length < IDS_PER_SIGNAL) state.applied = seq;
  }

  private move(audienceId: string, userId: string, change: 'joined' | 'left'): void {
    if (change === 'joined') this.chatRooms.join(audienceId, userId);
    else this.chatRooms.leave(audienceId, userId);
  }

  private joinNew(chatId: string, userIds: readonly string[]): void {
    const state = this.states.get(chatId);
    for (const userId of userIds) {
      if (state?.log.lastChangeOf(userId, 0) === undefined) this.chatRooms.join(chatId, userId);
    }
  }

  /** A socket that connects may know of its user's joining before this instance has heard of it. */
  private noteNewMembership(audienceId: string, userId: string, since: number): void {
    const state = this.states.get(audienceId) ?? this.begin(audienceId, 0, 0);
    if (since > state.applied) state.log.note(since, 'joined', [userId], this.clock.nowMs());
  }

  private begin(audienceId: string, applied: number, completeFrom: number): ChatState {
    const state: ChatState = { applied, log: new MembershipLog(completeFrom), waiting: undefined };
    this.states.set(audienceId, state);
    return state;
  }

  private emit(
    { audienceId, membersSeq, event, payload, except = [] }: ChatPacket,
    log?: MembershipLog,
  ): void {
    if (!this.io) return;
    if (!log || log.newestSeq <= membersSeq) {
      emitHere(this.io, [rooms.chat(audienceId)], except, event, payload);
      return;
    }
    log.forgetBefore(this.clock.nowMs() - REMEMBERED_MS);
    const audience = log.audienceAt(membersSeq);
    if (!audience) {
      this.emitResync(audienceId);
      return;
    }
    const receivers = [rooms.chat(audienceId), ...audience.gone.map(rooms.user)];
    emitHere(this.io, receivers, [...except, ...audience.notYet.map(rooms.user)], event, payload);
  }

  private emitResync(audienceId: string): void {
    if (this.io) emitHere(this.io, [rooms.chat(audienceId)], [], 'resync', {});
  }
}

/** The `members_seq` from which on the log must be complete, for what waits and for what may come late. */
function oldestOf({ applied, waiting = [] }: ChatState): number {
  const oldest = Math.min(...waiting.map(({ membersSeq }) => membersSeq));
  return applied > 0 ? Math.min(applied, oldest) : Math.max(0, oldest - LOOK_BACK);
}

/** Whether a packet concerns nobody but those in the room. */
function isSettled(state: ChatState, membersSeq: number): boolean {
  return !state.waiting && membersSeq <= state.applied && state.log.newestSeq <= membersSeq;
}
