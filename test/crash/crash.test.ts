import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { io, type Socket } from 'socket.io-client';
import { findFreePort } from '../../src/infra/database/embedded/database-file.js';
import { BuiltServer } from '../support/built-server.js';
import { call, openChat, register } from '../support/call.js';
import { buildProject } from '../support/project.js';

const PAIRS = 10;
/** Sends of one person that wait for their acknowledgement at the same time. */
const IN_FLIGHT = 4;
/** What is acknowledged before each kill, and the rate below which a round does not count. */
const ACKNOWLEDGED_PER_ROUND = 600;
const MIN_RATE = 500;
/** Rounds that a stumbling machine may need more than asked for. */
const SPARE_ROUNDS = 20;

interface Message {
  seq: number;
  clientId: string;
  text: string;
}

interface Person {
  token: string;
  chatId: string;
  /** Every send by clientId: the seq it was acknowledged with, or null as long as it was not. */
  sends: Map<string, number | null>;
}

interface Verdict {
  lost: string[];
  doubled: string[];
  disordered: string[];
}

async function makePeople(url: string): Promise<Person[]> {
  return Promise.all(
    Array.from({ length: PAIRS }, async (_, i) => {
      const [one, two] = await Promise.all([register(url, `sender${i}`), register(url, `receiver${i}`)]);
      return { token: one.token, chatId: await openChat(url, one, two), sends: new Map() };
    }),
  );
}

/** Sends until told to stop or the server dies. What an earlier life of the server left open is sent again first. */
async function sendFrom(url: string, person: Person, stop: () => boolean, onAck: () => void): Promise<void> {
  const socket: Socket = io(url, {
    transports: ['websocket'],
    reconnection: false,
    auth: { token: person.token },
  });
  const died = new Promise<'died'>((resolveDied) => {
    socket.once('disconnect', () => {
      resolveDied('died');
    });
  });
  await new Promise<void>((resolveConnected, reject) => {
    socket.once('connect', resolveConnected);
    socket.once('connect_error', reject);
  });
  const open = [...person.sends].filter(([, seq]) => seq === null).map(([clientId]) => clientId);
  const lane = async (): Promise<void> => {
    while (!stop()) {
      const clientId = open.shift() ?? `${person.sends.size}`;
      if (!person.sends.has(clientId)) person.sends.set(clientId, null);
      const ack = await Promise.race([
        socket.emitWithAck('send-message', { chatId: person.chatId, clientId, text: `text ${clientId}` }),
        died,
      ]);
      if (ack === 'died') return;
      if (ack.status !== 'success') throw new Error(`refused: ${JSON.stringify(ack)}`);
      person.sends.set(clientId, ack.data.seq);
      onAck();
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  socket.disconnect();
}

async function history(url: string, person: Person): Promise<Message[]> {
  const messages: Message[] = [];
  for (;;) {
    const afterSeq = messages.at(-1)?.seq ?? 0;
    const path = `/api/chats/${person.chatId}/messages?limit=100&afterSeq=${afterSeq}`;
    const page = await call<Message[]>(url, 'GET', path, person.token);
    messages.push(...page);
    if (page.length < 100) return messages;
  }
}

/** Compares what was acknowledged with what is there. */
async function check(url: string, people: readonly Person[]): Promise<Verdict> {
  const verdict: Verdict = { lost: [], doubled: [], disordered: [] };
  for (const person of people) {
    const messages = await history(url, person);
    const seqs = new Map<string, number>();
    messages.forEach((message, i) => {
      if (message.seq !== i + 1) verdict.disordered.push(`seq ${message.seq} at place ${i + 1}`);
      if (seqs.has(message.clientId)) verdict.doubled.push(message.clientId);
      seqs.set(message.clientId, message.seq);
    });
    for (const [clientId, acknowledged] of person.sends) {
      if (acknowledged === null) continue;
      const stored = seqs.get(clientId);
      if (stored === undefined) verdict.lost.push(clientId);
      else if (stored !== acknowledged)
        verdict.disordered.push(`${clientId}: ${acknowledged} became ${stored}`);
    }
  }
  return verdict;
}

interface Run {
  /** Of the kills under the full load. */
  verdicts: Verdict[];
}

function isWrong({ lost, doubled, disordered }: Verdict): boolean {
  return lost.length + doubled.length + disordered.length > 0;
}

/** Starts, loads and kills the server `kills` times, and checks after each restart. */
async function crash(kills: number, preload: readonly string[]): Promise<Run> {
  const dataDir = await mkdtemp(join(tmpdir(), 'parley-crash-'));
  const port = await findFreePort();
  const options = { dataDir, port, preload, env: { RATE_LIMITS: 'off' } };
  const run: Run = { verdicts: [] };
  let server = await BuiltServer.start(options);
  try {
    const people = await makePeople(server.url);
    for (let round = 0; run.verdicts.length < kills && round < kills + SPARE_ROUNDS; round++) {
      let acknowledged = 0;
      const began = performance.now();
      const { url } = server;
      const enough = new Promise<void>((resolveEnough) => {
        void Promise.all(
          people.map((person) =>
            sendFrom(
              url,
              person,
              () => false,
              () => {
                acknowledged++;
                if (acknowledged >= ACKNOWLEDGED_PER_ROUND) resolveEnough();
              },
            ),
          ),
        );
      });
      await enough;
      await server.kill();
      const rate = (acknowledged / (performance.now() - began)) * 1000;
      server = await BuiltServer.start(options);
      const verdict = await check(server.url, people);
      // A kill under less load than asked for is checked all the same, and does not count.
      if (rate >= MIN_RATE || isWrong(verdict)) run.verdicts.push(verdict);
    }
    return run;
  } finally {
    await server.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

beforeAll(buildProject, 120_000);

const NOTHING_WRONG: Verdict = { lost: [], doubled: [], disordered: [] };

it('keeps every acknowledged message exactly once and in order through 20 kills under load', async () => {
  const run = await crash(20, []);
  expect(run.verdicts).toEqual(Array.from({ length: 20 }, () => NOTHING_WRONG));
}, 600_000);

it('finds the loss when messages are acknowledged before their commit', async () => {
  const fault = resolve(import.meta.dirname, 'acknowledge-before-commit.mjs');
  const run = await crash(3, [fault]);
  expect(run.verdicts.flatMap((verdict) => verdict.lost).length).toBeGreaterThan(0);
}, 120_000);
