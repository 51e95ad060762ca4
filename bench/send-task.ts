import { setTimeout as sleep } from 'node:timers/promises';
import { Conversation, type Faults } from './conversation.js';
import { inParallel } from './in-parallel.js';
import { JsonClient } from './json-client.js';
import { Latencies, type Percentiles } from './latencies.js';
import { LightSocket } from './light-socket.js';
import { openPrivateChat, registerPeople } from './people.js';
import { readCpuTimes, type CpuTimes } from './proc.js';
import { Receiver, sendOverRest, sendOverSocket, type Send } from './sending.js';

/** What to measure: people who send to one other person each, every one with so many sends unanswered. */
export interface SendTask {
  kind: 'send';
  url: string;
  serverPid: number;
  postmasterPid: number;
  over: 'socket' | 'rest';
  senders: number;
  inFlight: number;
  warmUpSeconds: number;
  seconds: number;
}

export interface SendResult {
  perSecond: number;
  /** Processor milliseconds per acknowledged message. */
  cpu: CpuTimes;
  acknowledged: Percentiles;
  delivered: Percentiles;
  faults: Faults;
  /** The measured time by the monotonic clock, in microseconds, to find it in a profile. */
  window: { from: number; to: number };
}

/** 47 characters, two of them outside ASCII: about the length of a chat message. */
const TEXT = 'See you at eight, the café by the old bridge 🌉.';
const CONNECTED_AT_ONCE = 8;
const SETTLE_POLL_MS = 20;
const SETTLE_MS = 20_000;
const AUDITED_AT_ONCE = 4;

export async function measureSending(task: SendTask): Promise<SendResult> {
  const client = new JsonClient(task.url, task.senders * task.inFlight);
  const conversations = await openConversations(client, task.senders);
  const run = new SendRun(task, client, conversations);
  await run.start();
  await sleep(task.warmUpSeconds * 1000);
  const from = { at: nowMicroseconds(), cpu: readCpuTimes(task.serverPid, task.postmasterPid) };
  run.measuring = true;
  await sleep(task.seconds * 1000);
  run.measuring = false;
  const to = { at: nowMicroseconds(), cpu: readCpuTimes(task.serverPid, task.postmasterPid) };
  await run.finish();

  const faults = await inParallel(AUDITED_AT_ONCE, conversations, (conversation) =>
    conversation.audit(client),
  );
  client.close();
  const { acknowledged, delivered } = run;
  const cpuEach = (part: keyof CpuTimes): number => (to.cpu[part] - from.cpu[part]) / acknowledged.count;
  return {
    perSecond: (acknowledged.count / (to.at - from.at)) * 1e6,
    cpu: { server: cpuEach('server'), postgres: cpuEach('postgres'), driver: cpuEach('driver') },
    acknowledged: acknowledged.percentiles(),
    delivered: delivered.percentiles(),
    faults: faults.reduce(addFaults),
    window: { from: from.at, to: to.at },
  };
}

/** All senders and receivers at work: every sender keeps its sends in flight until the run is finished. */
class SendRun {
  readonly acknowledged = new Latencies();
  readonly delivered = new Latencies();
  /** Whether latencies are kept. */
  measuring = false;
  private stopped = false;
  private readonly closables: { close(): void }[] = [];

  constructor(
    private readonly task: SendTask,
    private readonly client: JsonClient,
    private readonly conversations: readonly Conversation[],
  ) {}

  async start(): Promise<void> {
    const sends = await inParallel(CONNECTED_AT_ONCE, this.conversations, async (conversation) => {
      await this.connectReceiver(conversation);
      return this.connectSender(conversation);
    });
    this.conversations.forEach((conversation, index) => {
      const send = sends[index];
      for (let i = 0; send && i < this.task.inFlight; i++) this.sendNext(conversation, send);
    });
  }

  /** Stops sending and waits for the last answers and deliveries; what has not come then is lost. */
  async finish(): Promise<void> {
    this.stopped = true;
    const deadline = performance.now() + SETTLE_MS;
    while (!this.conversations.every(({ isSettled }) => isSettled) && performance.now() < deadline) {
      await sleep(SETTLE_POLL_MS);
    }
    for (const closable of this.closables) closable.close();
  }

  private async connectReceiver(conversation: Conversation): Promise<void> {
    const receiver = await Receiver.connect(
      this.task.url,
      conversation,
      (message) => {
        const ms = conversation.deliver(message, performance.now());
        if (this.measuring && ms !== undefined) this.delivered.add(ms);
      },
      (code) => {
        conversation.refuseReport(code);
      },
    );
    this.closables.push(receiver);
  }

  private async connectSender(conversation: Conversation): Promise<Send> {
    if (this.task.over === 'rest') return sendOverRest(this.client, conversation);
    const socket = await LightSocket.connect(this.task.url, conversation.sender.token);
    this.closables.push(socket);
    return sendOverSocket(socket, conversation);
  }

  private sendNext(conversation: Conversation, send: Send): void {
    if (this.stopped) return;
    const clientId = conversation.begin(performance.now());
    send(
      { clientId, text: TEXT },
      (seq) => {
        const ms = conversation.acknowledge(clientId, seq, performance.now());
        if (this.measuring) this.acknowledged.add(ms);
        this.sendNext(conversation, send);
      },
      (code) => {
        conversation.refuse(code);
      },
    );
  }
}

async function openConversations(client: JsonClient, count: number): Promise<Conversation[]> {
  const people = await registerPeople(client, 2 * count);
  const pairs = people.slice(0, count).flatMap((sender, index) => {
    const receiver = people[count + index];
    return receiver ? [{ sender, receiver }] : [];
  });
  return inParallel(CONNECTED_AT_ONCE, pairs, async ({ sender, receiver }) => {
    return new Conversation(await openPrivateChat(client, sender, receiver), sender, receiver);
  });
}

function addFaults(one: Faults, other: Faults): Faults {
  return {
    refused: one.refused + other.refused,
    unanswered: one.unanswered + other.unanswered,
    lostLive: one.lostLive + other.lostLive,
    lostStored: one.lostStored + other.lostStored,
    duplicated: one.duplicated + other.duplicated,
    gaps: one.gaps + other.gaps,
  };
}

function nowMicroseconds(): number {
  return Number(process.hrtime.bigint() / 1000n);
}
