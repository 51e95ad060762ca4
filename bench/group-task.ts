import { setTimeout as sleep } from 'node:timers/promises';
import { makeCrowdGroup, type ServerInsides } from './crowd.js';
import { inParallel } from './in-parallel.js';
import { Latencies, type Percentiles } from './latencies.js';
import { LightSocket } from './light-socket.js';
import { readCpuTimes, type CpuTimes } from './proc.js';

/** What to measure: one group, all of it online, in which some send. */
export interface GroupTask extends ServerInsides {
  kind: 'group';
  url: string;
  serverPid: number;
  postmasterPid: number;
  /** Each with one socket. */
  members: number;
  /** As many of them send, each with one message unanswered. */
  senders: number;
  warmUpSeconds: number;
  seconds: number;
}

export interface GroupResult {
  /** Messages, and their deliveries to sockets. */
  perSecond: number;
  deliveriesPerSecond: number;
  /** Processor milliseconds per delivery. */
  cpu: CpuTimes;
  acknowledged: Percentiles;
  delivered: Percentiles;
  faults: { refused: number; unanswered: number; lost: number; duplicated: number; gaps: number };
  /** The measured time by the monotonic clock, in microseconds, to find it in a profile. */
  window: { from: number; to: number };
}

/** 47 characters, two of them outside ASCII: about the length of a chat message. */
const TEXT = 'See you at eight, the café by the old bridge 🌉.';
const CONNECTED_AT_ONCE = 16;
/** So many of those who only listen say how long a message took to them. */
const TIMED_LISTENERS = 4;
const SETTLE_POLL_MS = 20;
const SETTLE_MS = 20_000;

export async function measureGroup(task: GroupTask): Promise<GroupResult> {
  const { chatId, tokens } = await makeCrowdGroup(task, task.members);
  const sockets = await inParallel(CONNECTED_AT_ONCE, tokens, (token) =>
    LightSocket.connect(task.url, token),
  );
  const run = new GroupRun(chatId, sockets, task.senders);
  run.start();
  await sleep(task.warmUpSeconds * 1000);
  const from = { at: nowMicroseconds(), cpu: readCpuTimes(task.serverPid, task.postmasterPid) };
  run.measuring = true;
  const deliveriesBefore = run.deliveries;
  await sleep(task.seconds * 1000);
  run.measuring = false;
  const deliveries = run.deliveries - deliveriesBefore;
  const to = { at: nowMicroseconds(), cpu: readCpuTimes(task.serverPid, task.postmasterPid) };
  await run.finish();
  const cpuEach = (part: keyof CpuTimes): number => (to.cpu[part] - from.cpu[part]) / deliveries;
  return {
    perSecond: (run.acknowledged.count / (to.at - from.at)) * 1e6,
    deliveriesPerSecond: (deliveries / (to.at - from.at)) * 1e6,
    cpu: { server: cpuEach('server'), postgres: cpuEach('postgres'), driver: cpuEach('driver') },
    acknowledged: run.acknowledged.percentiles(),
    delivered: run.delivered.percentiles(),
    faults: run.faults(),
    window: { from: from.at, to: to.at },
  };
}

/** What one socket has seen; its own messages are not among it. */
interface Seen {
  lastSeq: number;
  count: number;
  own: number;
  duplicated: number;
  gaps: number;
}

class GroupRun {
  readonly acknowledged = new Latencies();
  readonly delivered = new Latencies();
  deliveries = 0;
  /** Whether latencies are kept. */
  measuring = false;
  private stopped = false;
  private sent = 0;
  private answered = 0;
  private refused = 0;
  private readonly seen: Seen[];
  private readonly sentAt = new Map<string, number>();
  /** Where the digits of a message's seq begin in its packet: behind the chat's id in the message's own. */
  private readonly marker: string;

  constructor(
    private readonly chatId: string,
    private readonly sockets: readonly LightSocket[],
    private readonly senders: number,
  ) {
    this.marker = `${chatId}.`;
    this.seen = sockets.map(() => ({ lastSeq: 0, count: 0, own: 0, duplicated: 0, gaps: 0 }));
  }

  start(): void {
    for (const [index, socket] of this.sockets.entries()) {
      const isTimed = index >= this.senders && index < this.senders + TIMED_LISTENERS;
      // Parsing every packet would cost the load more than the server spends on sending it.
      socket.onRawEvent = (packet) => {
        if (packet.startsWith('42["new-message"')) this.take(index, packet, isTimed);
      };
    }
    for (let index = 0; index < this.senders; index++) this.sendNext(index);
  }

  /** Stops sending and waits for the last answers and deliveries; what has not come then is lost. */
  async finish(): Promise<void> {
    this.stopped = true;
    const deadline = performance.now() + SETTLE_MS;
    while (!this.isSettled && performance.now() < deadline) await sleep(SETTLE_POLL_MS);
    for (const socket of this.sockets) socket.close();
  }

  faults(): GroupResult['faults'] {
    const stored = this.answered - this.refused;
    const sum = (of: (seen: Seen) => number): number => this.seen.reduce((total, one) => total + of(one), 0);
    return {
      refused: this.refused,
      unanswered: this.sent - this.answered,
      lost: sum((one) => Math.max(0, stored - one.own - one.count)),
      duplicated: sum((one) => one.duplicated),
      gaps: sum((one) => one.gaps),
    };
  }

  private get isSettled(): boolean {
    const stored = this.answered - this.refused;
    return this.sent === this.answered && this.seen.every((one) => one.count >= stored - one.own);
  }

  private take(index: number, packet: string, isTimed: boolean): void {
    const seen = this.seen[index];
    if (!seen) return;
    const seq = parseInt(packet.slice(packet.indexOf(this.marker) + this.marker.length), 10);
    if (seq <= seen.lastSeq) {
      seen.duplicated++;
      return;
    }
    // Who sends is not sent what is theirs.
    if (index >= this.senders && seq !== seen.lastSeq + 1) seen.gaps++;
    seen.lastSeq = seq;
    seen.count++;
    this.deliveries++;
    if (!isTimed || !this.measuring) return;
    const clientId = /"clientId":"(\d+)"/.exec(packet)?.[1] ?? '';
    this.delivered.add(performance.now() - (this.sentAt.get(clientId) ?? NaN));
  }

  private sendNext(index: number): void {
    if (this.stopped) return;
    const clientId = String(this.sent++);
    const at = performance.now();
    this.sentAt.set(clientId, at);
    this.sockets[index]?.emit('send-message', { chatId: this.chatId, clientId, text: TEXT }, ({ status }) => {
      this.answered++;
      const seen = this.seen[index];
      if (status !== 'success') this.refused++;
      else if (seen) seen.own++;
      if (this.measuring) this.acknowledged.add(performance.now() - at);
      this.sendNext(index);
    });
  }
}

function nowMicroseconds(): number {
  return Number(process.hrtime.bigint() / 1000n);
}
