import type { Percentiles } from './latencies.js';
import type { GroupResult } from './group-task.js';
import type { GroupScenario, IdleScenario, Measured, SendScenario } from './scenarios.js';
import type { IdleResult } from './idle-task.js';
import type { SendResult } from './send-task.js';
import type { Memory } from './server-memory.js';

type Row = readonly string[];

const SEND_HEAD: Row = [
  'private chat',
  'messages/s',
  'CPU ms/message',
  'server + PostgreSQL',
  'budget',
  '',
  'ack p50 / p99 ms',
  'delivery p50 / p99 ms',
  'lost',
  'duplicated',
  'gaps',
  'refused',
  'load’s own CPU',
];
const GROUP_HEAD: Row = [
  'group',
  'messages/s',
  'deliveries/s',
  'server CPU ms/delivery',
  'budget',
  '',
  'PostgreSQL',
  'ack p50 / p99 ms',
  'delivery p50 / p99 ms',
  'lost',
  'duplicated',
  'gaps',
  'refused',
  'load’s own CPU',
];
const IDLE_HEAD: Row = [
  'sockets',
  'people',
  'kB/socket',
  'budget',
  '',
  'heap kB/socket',
  'external kB/socket',
  'RSS MB before → after',
  'lost',
];

/** Whether every message arrived once and in order, and no socket was lost. */
export function isFaultless(measured: Measured): boolean {
  if (measured.kind === 'idle') return measured.result.lost === 0;
  return Object.values(measured.result.faults).every((count) => count === 0);
}

/** The results as tables, in columns for a terminal or as Markdown. */
export function renderTables(all: readonly Measured[], asMarkdown: boolean): string {
  const sends = all.flatMap((one) => (one.kind === 'send' ? [sendRow(one.scenario, one.result)] : []));
  const groups = all.flatMap((one) => (one.kind === 'group' ? [groupRow(one.scenario, one.result)] : []));
  const idles = all.flatMap((one) => (one.kind === 'idle' ? [idleRow(one.scenario, one.result)] : []));
  const render = asMarkdown ? toMarkdown : toColumns;
  return [
    ...(sends.length > 0 ? [render(SEND_HEAD, sends)] : []),
    ...(groups.length > 0 ? [render(GROUP_HEAD, groups)] : []),
    ...(idles.length > 0 ? [render(IDLE_HEAD, idles)] : []),
  ].join('\n\n');
}

function sendRow({ title, budget }: SendScenario, result: SendResult): Row {
  const { cpu, faults, perSecond } = result;
  const total = cpu.server + cpu.postgres;
  const isMet = total <= budget.cpuMs && perSecond >= (budget.perSecond ?? 0);
  return [
    title,
    thousands(perSecond),
    total.toFixed(3),
    `${cpu.server.toFixed(3)} + ${cpu.postgres.toFixed(3)}`,
    `≤ ${budget.cpuMs}${budget.perSecond === undefined ? '' : `, ≥ ${thousands(budget.perSecond)}/s`}`,
    verdict(isMet),
    spread(result.acknowledged),
    spread(result.delivered),
    String(faults.lostLive + faults.lostStored + faults.unanswered),
    String(faults.duplicated),
    String(faults.gaps),
    String(faults.refused),
    cpu.driver.toFixed(3),
  ];
}

function groupRow({ title, budget }: GroupScenario, result: GroupResult): Row {
  const { cpu, faults } = result;
  return [
    title,
    thousands(result.perSecond),
    thousands(result.deliveriesPerSecond),
    cpu.server.toFixed(4),
    `≤ ${budget.cpuMs}`,
    verdict(cpu.server <= budget.cpuMs),
    cpu.postgres.toFixed(4),
    spread(result.acknowledged),
    spread(result.delivered),
    String(faults.lost + faults.unanswered),
    String(faults.duplicated),
    String(faults.gaps),
    String(faults.refused),
    cpu.driver.toFixed(4),
  ];
}

function idleRow({ budget }: IdleScenario, { before, after, sockets, people, lost }: IdleResult): Row {
  const each = (part: keyof Memory): number => (after[part] - before[part]) / sockets;
  const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(0);
  return [
    thousands(sockets),
    thousands(people),
    kilobytes(each('rss')),
    `≤ ${kilobytes(budget.bytes)}`,
    verdict(each('rss') <= budget.bytes),
    kilobytes(each('heapUsed')),
    kilobytes(each('external')),
    `${megabytes(before.rss)} → ${megabytes(after.rss)}`,
    String(lost),
  ];
}

function verdict(isMet: boolean): string {
  return isMet ? 'PASS' : 'MISS';
}

function spread({ p50, p99 }: Percentiles): string {
  return `${p50.toFixed(1)} / ${p99.toFixed(1)}`;
}

function thousands(value: number): string {
  return Math.round(value).toLocaleString('en-GB');
}

function kilobytes(bytes: number): string {
  return (bytes / 1000).toFixed(1);
}

function toMarkdown(head: Row, rows: readonly Row[]): string {
  const line = (cells: Row): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function toColumns(head: Row, rows: readonly Row[]): string {
  const lines = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...lines.map((cells) => (cells[column] ?? '').length)));
  return lines
    .map((cells) =>
      cells
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
