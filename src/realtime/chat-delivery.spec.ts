import { Adapter } from 'socket.io-adapter';
import { newId } from '../common/ids.js';
import { Clock } from '../common/clock.js';
import { ClusterBus } from '../infra/events/cluster-bus.js';
import type { PgSignalListener, PgSignals } from '../infra/events/pg-signals.js';
import type { Log } from '../infra/observability/log.js';
import { ChatDelivery } from './chat-delivery.js';
import { ChatRooms } from './chat-rooms.js';
import type { ClientServer } from './client-socket.js';
import type { MembersSnapshot, MembershipsRepository } from './memberships.repository.js';
import { rooms } from './rooms.js';

type Signal = PgSignals['chat-access-changed'];

class StillClock extends Clock {
  ms = 1_000_000;
  override nowMs(): number {
    return this.ms;
  }
  override after(): () => void {
    return () => undefined;
  }
}

/** One instance: people with a socket each, the signals it hears, and a database that answers when it is told to. */
class Instance {
  readonly clock = new StillClock();
  readonly delivery: ChatDelivery;
  readonly chatId = newId();
  /** What each person received, as the numbers of the packets; `resync` is 0. */
  readonly received = new Map<string, number[]>();
  /** Look-ups that wait for an answer. */
  readonly lookUps: ((snapshot: MembersSnapshot | Error) => void)[] = [];
  private signal: (signal: Signal) => void = () => undefined;
  private readonly adapter: Adapter;

  constructor() {
    const nsp = { name: '/', sockets: new Map(), server: { encoder: {} } };
    const adapter = new Adapter(nsp);
    this.adapter = adapter;
    adapter.broadcast = (packet: { data: [string, { upToSeq: number }] }, opts): void => {
      const except = new Set(
        [...(opts.except ?? [])].flatMap((room) => [...(adapter.rooms.get(room) ?? [])]),
      );
      const told = new Set([...opts.rooms].flatMap((room) => [...(adapter.rooms.get(room) ?? [])]));
      for (const socketId of told) {
        if (except.has(socketId)) continue;
        this.received.get(socketId)?.push(packet.data[0] === 'resync' ? 0 : packet.data[1].upToSeq);
      }
    };
    const io = { of: () => ({ adapter }) } as unknown as ClientServer;
    const repository = {
      readMembers: () =>
        new Promise((resolve, reject) => {
          this.lookUps.push((answer) => {
            if (answer instanceof Error) reject(answer);
            else resolve(answer);
          });
        }),
    } as unknown as MembershipsRepository;
    const signals = {
      on: (_name: string, handler: (signal: Signal) => void) => {
        this.signal = handler;
      },
      onDrop: () => undefined,
    } as unknown as PgSignalListener;
    const log = { error: () => undefined, warn: () => undefined } as unknown as Log;
    this.delivery = new ChatDelivery(
      new ChatRooms(repository, this.clock),
      repository,
      signals,
      new ClusterBus(null, null, log),
      this.clock,
      log,
    );
    this.delivery.start(io);
  }

  /** A person's only socket has the person's name. */
  connect(name: string, isMember = true): void {
    this.received.set(name, []);
    void this.adapter.addAll(
      name,
      new Set([rooms.user(name), ...(isMember ? [rooms.chat(this.chatId)] : [])]),
    );
  }

  hear(change: 'joined' | 'left', seq: number, ...userIds: string[]): void {
    this.signal({ chatId: this.chatId, userIds, change, seq });
  }

  /** Delivers the packet `number`, committed when the chat's `members_seq` was so. */
  deliver(number: number, membersSeq: number): void {
    const payload = { chatId: this.chatId, userId: 'x', upToSeq: number };
    this.delivery.tell({ audienceId: this.chatId, membersSeq, event: 'messages-delivered', payload });
  }

  /** Answers the oldest look-up: people, with the `members_seq` of their last change, negative for who left with it. */
  async answer(membersSeq: number, people: Record<string, number>): Promise<void> {
    this.lookUps.shift()?.({
      membersSeq,
      members: Object.entries(people).map(([user_id, since]) => ({
        user_id,
        present: since >= 0,
        since: Math.abs(since),
      })),
    });
    await settle();
  }

  of(name: string): number[] | undefined {
    return this.received.get(name);
  }
}

/** Lets what was resolved go on. */
async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

let here: Instance;
beforeEach(() => {
  here = new Instance();
  here.connect('ann');
  here.connect('ben');
  here.connect('cid', false);
});

describe('a chat whose members never changed', () => {
  it('asks nobody', () => {
    here.deliver(1, 0);
    expect([here.of('ann'), here.of('cid'), here.lookUps.length]).toEqual([[1], [], 0]);
  });
});

describe('a packet that knows more than the rooms', () => {
  it('waits, with all behind it, and reaches nobody who was removed before', async () => {
    here.deliver(1, 0);
    here.deliver(5, 4);
    here.deliver(6, 4);
    expect([here.of('ann'), here.of('ben'), here.lookUps.length]).toEqual([[1], [1], 1]);
    await here.answer(4, { ann: 0, ben: -4 });
    expect([here.of('ann'), here.of('ben')]).toEqual([[1, 5, 6], [1]]);
    here.deliver(7, 4);
    expect([here.of('ann'), here.lookUps.length]).toEqual([[1, 5, 6, 7], 0]);
  });

  it('reaches who was added before', async () => {
    here.deliver(5, 4);
    await here.answer(4, { ann: 0, ben: 0, cid: 4 });
    expect(here.of('cid')).toEqual([5]);
  });

  it('is looked up again when another, known of still more, came behind it', async () => {
    here.deliver(5, 4);
    here.deliver(8, 7);
    await here.answer(4, { ann: 0, ben: 0, cid: 4 });
    expect([here.of('cid'), here.lookUps.length]).toEqual([[5], 1]);
    await here.answer(7, { ann: 0, ben: 0, cid: -7 });
    expect([here.of('ann'), here.of('cid')]).toEqual([[5, 8], [5]]);
  });

  it('goes to who was there then, when the look-up finds a later change', async () => {
    here.deliver(5, 4);
    await here.answer(9, { ann: 0, ben: -9, cid: 8 });
    expect([here.of('ann'), here.of('ben'), here.of('cid')]).toEqual([[5], [5], []]);
  });

  it('does not hold up one from before it that comes late', async () => {
    here.deliver(8, 7);
    here.deliver(5, 4);
    await here.answer(7, { ann: 0, ben: -7, cid: 7 });
    expect([here.of('ann'), here.of('ben'), here.of('cid')]).toEqual([[8, 5], [5], [8]]);
  });

  it('keeps what a signal said while it was looked up', async () => {
    here.deliver(5, 4);
    here.hear('left', 9, 'ben');
    await here.answer(4, { ann: 0, ben: 0 });
    here.deliver(10, 9);
    expect([here.of('ann'), here.of('ben')]).toEqual([[5, 10], [5]]);
  });

  it('says resync when the database does not answer', async () => {
    here.deliver(5, 4);
    here.lookUps.shift()?.(new Error('no database'));
    await settle();
    expect(here.of('ann')).toEqual([0]);
    here.deliver(6, 4);
    expect(here.lookUps).toHaveLength(1);
  });
});

describe('a packet from before a change that a signal told of', () => {
  it('still reaches who left, and does not reach who joined', () => {
    here.hear('left', 4, 'ben');
    here.hear('joined', 6, 'cid');
    here.deliver(3, 0);
    here.deliver(5, 4);
    here.deliver(7, 6);
    expect([here.of('ann'), here.of('ben'), here.of('cid')]).toEqual([[3, 5, 7], [3], [7]]);
    expect(here.lookUps).toEqual([]);
  });

  it('finds a person who left and came back where they were then', () => {
    here.hear('left', 4, 'ben');
    here.hear('joined', 6, 'ben');
    for (const [number, membersSeq] of [
      [3, 0],
      [5, 4],
      [7, 6],
    ] as const)
      here.deliver(number, membersSeq);
    expect(here.of('ben')).toEqual([3, 7]);
  });

  it('that is older than what is remembered goes to nobody: the chat hears resync', () => {
    here.hear('left', 4, 'ben');
    here.clock.ms += 31_000;
    here.deliver(3, 0);
    expect([here.of('ann'), here.of('ben')]).toEqual([[0], []]);
  });
});

describe('a change of more people than one signal holds', () => {
  it('is looked up, as the rest of its signals may still be on the way', async () => {
    const crowd = Array.from({ length: 100 }, (_, i) => `p${i}`);
    here.hear('joined', 4, ...crowd);
    here.deliver(5, 4);
    expect(here.lookUps).toHaveLength(1);
    await here.answer(4, { ann: 0, ben: 0, cid: 4 });
    expect(here.of('cid')).toEqual([5]);
  });

  it('needs no look-up once its last signal has come', () => {
    const crowd = Array.from({ length: 100 }, (_, i) => `p${i}`);
    here.hear('joined', 4, ...crowd);
    here.hear('joined', 4, 'cid');
    here.deliver(5, 4);
    expect([here.of('cid'), here.lookUps.length]).toEqual([[5], 0]);
  });
});

describe('a chat that is new', () => {
  it('has its people before any signal, but not those who have left it already', () => {
    here.hear('left', 2, 'cid');
    here.connect('dan', false);
    here.delivery.created(here.chatId, ['cid', 'dan']);
    here.deliver(3, 2);
    expect([here.of('cid'), here.of('dan')]).toEqual([[], [3]]);
  });
});
