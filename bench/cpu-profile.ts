import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The part of V8's `.cpuprofile` format that is read here; times are microseconds of the monotonic clock. */
interface CpuProfile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[];
  startTime: number;
  samples: number[];
  timeDeltas: number[];
}

export interface Window {
  from: number;
  to: number;
}

const NOT_BUSY = ['(idle)', '(root)'];

/** The functions, and the files and packages, in which the server spent most time of its own within the window. */
export function summariseProfile(folder: string, pid: number, window: Window, top: number): string {
  const profile = readProfile(folder, pid);
  const byNode = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  const functions = new Map<string, number>();
  const places = new Map<string, number>();
  let busy = 0;
  let at = profile.startTime;
  profile.samples.forEach((nodeId, index) => {
    const duration = profile.timeDeltas[index + 1] ?? 0;
    at += profile.timeDeltas[index] ?? 0;
    const frame = byNode.get(nodeId);
    if (!frame || NOT_BUSY.includes(frame.functionName) || at < window.from || at >= window.to) return;
    busy += duration;
    const place = placeOf(frame.url);
    add(
      functions,
      `${frame.functionName || '(anonymous)'}  ${place.file}${place.file === '' ? '' : `:${frame.lineNumber + 1}`}`,
      duration,
    );
    add(places, place.group, duration);
  });
  const list = (title: string, times: Map<string, number>): string[] => [
    `${title} (share of the ${(busy / 1e6).toFixed(1)} s that the main thread was busy)`,
    ...[...times]
      .sort(([, one], [, other]) => other - one)
      .slice(0, top)
      .map(([name, time]) => `${((100 * time) / busy).toFixed(1).padStart(6)} %  ${name}`),
  ];
  return [...list('By function', functions), '', ...list('By file or package', places)].join('\n');
}

function readProfile(folder: string, pid: number): CpuProfile {
  // Node.js names it CPU.<date>.<time>.<pid>.<thread>.<number>.cpuprofile; the main thread is 0.
  const name = readdirSync(folder).find(
    (file) => file.includes(`.${pid}.0.`) && file.endsWith('.cpuprofile'),
  );
  if (name === undefined) throw new Error(`The server left no profile in ${folder}.`);
  return JSON.parse(readFileSync(join(folder, name), 'utf8')) as CpuProfile;
}

/** Our own code is told apart by file, other people's by package. */
function placeOf(url: string): { file: string; group: string } {
  if (url === '') return { file: '', group: '(engine)' };
  const [, installed] = /.*\/node_modules\/(.+)$/.exec(url) ?? [];
  if (installed !== undefined) {
    const parts = installed.split('/');
    return { file: installed, group: parts.slice(0, installed.startsWith('@') ? 2 : 1).join('/') };
  }
  const [, own] = /\/dist\/(.+)$/.exec(url) ?? [];
  return { file: own ?? url, group: own ?? url };
}

function add(totals: Map<string, number>, key: string, amount: number): void {
  totals.set(key, (totals.get(key) ?? 0) + amount);
}
