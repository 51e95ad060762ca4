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
const SETTLE_POLL_MS = 20;
const SETTLE_MS = 20_000;
const AUDITED_AT_ONCE = 4;

export async function measureSending(task: SendTask): Promise<SendResult> {
  const client = new JsonClient(task.url, task.senders * task.inFlight);
  const conversations = await openConversations(client, task.senders);
  const acknowledged = new Latencies();
  const delivered = new Latencies();
  let measuring = false;
  let stopped = false;
  let count = 0;

  const receivers = await inParallel(8, conversations, (conversation) =>
    Receiver.connect(
      task.url,
      conversation,
      (message) => {
        const ms = conversation.deliver(message, performance.now());
        if (measuring && ms !== undefined) delivered.add(ms);
      },
      () => {
        conversation.refuseReport();
      },
    ),
  );
  const sockets: LightSocket[] = [];
  const connectSender = async (conversation: Conversation): Promise<Send> => {
    if (task.over === 'rest') return sendOverRest(client, conversation);
    const socket = await LightSocket.connect(task.url, conversation.sender.token);
    sockets.push(socket);
    return sendOverSocket(socket, conversation);
  };
  const sends = await inParallel(8, conversations, connectSender);

  const sendNext = (conversation: Conversation, send: Send): void => {
    if (stopped) return;
    const clientId = conversation.begin(performance.now());
    send({ clientId, text: TEXT }, (seq) => {
      if (seq === null) {
        conversation.refuse();
        return;
      }
      const ms = conversation.acknowledge(clientId, seq, performance.now());
      if (measuring) {
        acknowledged.add(ms);
        count++;
      }
      sendNext(conversation, send);
    });
  };
  conversations.forEach((conversation, index) => {
    const send = sends[index];
    for (let i = 0; send && i < task.inFlight; i++) sendNext(conversation, send);
  });

  await sleep(task.warmUpSeconds * 1000);
  const from = { at: nowMicroseconds(), cpu: readCpuTimes(task.serverPid, task.postmasterPid) };
  measuring = true;
  await sleep(task.seconds * 1000);
  measuring = false;
  const to = { at: nowMicroseconds(), cpu: readCpuTimes(task.serverPid, task.postmasterPid) };
  stopped = true;

  await settle(conversations);
  const faults = await inParallel(AUDITED_AT_ONCE, conversations, (conversation) =>
    conversation.audit(client),
  );
  for (const closable of [...receivers, ...sockets, client]) closable.close();

  return {
    perSecond: (count / (to.at - from.at)) * 1e6,
    cpu: {
      server: (to.cpu.server - from.cpu.server) / count,
      postgres: (to.cpu.postgres - from.cpu.postgres) / count,
      driver: (to.cpu.driver - from.cpu.driver) / count,
    },
    acknowledged: acknowledged.percentiles(),
    delivered: delivered.percentiles(),
    faults: faults.reduce(addFaults),
    window: { from: from.at, to: to.at },
  };
}

async function openConversations(client: JsonClient, count: number): Promise<Conversation[]> {
  const people = await registerPeople(client, 2 * count);
  const pairs = people.slice(0, count).flatMap((sender, index) => {
    const receiver = people[count + index];
    return receiver ? [{ sender, receiver }] : [];
  });
  return inParallel(8, pairs, async ({ sender, receiver }) => {
    return new Conversation(await openPrivateChat(client, sender, receiver), sender, receiver);
  });
}

/** Waits for the last answers and deliveries; what has not come then is lost. */
async function settle(conversations: readonly Conversation[]): Promise<void> {
  const deadline = performance.now() + SETTLE_MS;
  while (!conversations.every(({ isSettled }) => isSettled) && performance.now() < deadline) {
    await sleep(SETTLE_POLL_MS);
  }
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
