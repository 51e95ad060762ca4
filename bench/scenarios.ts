import type { GroupResult } from './group-task.js';
import type { IdleResult } from './idle-task.js';
import type { SendResult, SendTask } from './send-task.js';

/** What must not be exceeded, or reached at least; the source of each is the design's budget table. */
interface SendBudget {
  /** Processor milliseconds per message, server and PostgreSQL together. */
  cpuMs: number;
  perSecond?: number;
}

export interface SendScenario {
  kind: 'send';
  name: string;
  title: string;
  over: SendTask['over'];
  inFlight: number;
  budget: SendBudget;
}

export interface IdleScenario {
  kind: 'idle';
  name: string;
  title: string;
  /** Bytes of the server's resident memory per socket. */
  budget: { bytes: number };
}

export interface GroupScenario {
  kind: 'group';
  name: string;
  title: string;
  members: number;
  senders: number;
  /** Processor milliseconds of the server per delivery. */
  budget: { cpuMs: number };
}

export type Scenario = SendScenario | IdleScenario | GroupScenario;

export const SENDERS = 20;
const SOCKET_CPU_MS = 0.12;
const REST_CPU_MS = 0.35;
const DELIVERY_CPU_MS = 0.012;

export const SCENARIOS: readonly Scenario[] = [
  {
    kind: 'send',
    name: 'socket-1',
    title: 'socket, 20 × 1 in flight',
    over: 'socket',
    inFlight: 1,
    budget: { cpuMs: SOCKET_CPU_MS },
  },
  {
    kind: 'send',
    name: 'socket-8',
    title: 'socket, 20 × 8 in flight',
    over: 'socket',
    inFlight: 8,
    budget: { cpuMs: SOCKET_CPU_MS, perSecond: 10_000 },
  },
  {
    kind: 'send',
    name: 'rest-1',
    title: 'REST, 20 × 1 in flight',
    over: 'rest',
    inFlight: 1,
    budget: { cpuMs: REST_CPU_MS },
  },
  {
    kind: 'send',
    name: 'rest-8',
    title: 'REST, 20 × 8 in flight',
    over: 'rest',
    inFlight: 8,
    budget: { cpuMs: REST_CPU_MS },
  },
  {
    kind: 'group',
    name: 'group-100',
    title: '100 online, 8 send',
    members: 100,
    senders: 8,
    budget: { cpuMs: DELIVERY_CPU_MS },
  },
  {
    kind: 'group',
    name: 'group-1024',
    title: '1,024 online, 4 send',
    members: 1024,
    senders: 4,
    budget: { cpuMs: DELIVERY_CPU_MS },
  },
  { kind: 'idle', name: 'idle', title: 'idle sockets', budget: { bytes: 20_000 } },
];

export type Measured =
  | { kind: 'send'; scenario: SendScenario; result: SendResult }
  | { kind: 'group'; scenario: GroupScenario; result: GroupResult }
  | { kind: 'idle'; scenario: IdleScenario; result: IdleResult };
