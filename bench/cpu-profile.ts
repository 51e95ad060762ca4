import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

interface ProfileNode {
  id: number;
  callFrame: { functionName: string; url: string; lineNumber: number };
  children?: number[];
}

/** The part of V8's `.cpuprofile` format that is read here; times are microseconds of the monotonic clock. */
interface CpuProfile {
  nodes: ProfileNode[];
  startTime: number;
  samples: number[];
  timeDeltas: number[];
}

export interface Window {
  from: number;
  to: number;
}

const NOT_BUSY = ['(idle)', '(root)'];

/** The functions, and the files and packages, in which the server spent most time within the window. */
export function summariseProfile(folder: string, pid: number, window: Window, top: number): string {
  const profile = readProfile(folder, pid);
  const times = timeByNode(profile, window);
  const callers = new Map(profile.nodes.flatMap((node) => (node.children ?? []).map((id) => [id, node])));
  const functions = new Map<string, number>();
  const owners = new Map<string, number>();
  let busy = 0;
  for (const node of profile.nodes) {
    const time = times.get(node.id) ?? 0;
    if (time === 0 || NOT_BUSY.includes(node.callFrame.functionName)) continue;
    busy += time;
    add(functions, functionOf(node), time);
    add(owners, ownerOf(node, callers), time);
  }
  const list = (totals: Map<string, number>): string =>
    [...totals]
      .sort(([, one], [, other]) => other - one)
      .slice(0, top)
      .map(([name, time]) => `${((100 * time) / busy).toFixed(1).padStart(6)} %  ${name}`)
      .join('\n');
  return [
    `The main thread was busy for ${(busy / 1e6).toFixed(1)} s of ${((window.to - window.from) / 1e6).toFixed(1)} s.`,
    `\nIn the function itself:\n${list(functions)}`,
    `\nIn the file or package, with what it calls in Node.js and the engine:\n${list(owners)}`,
  ].join('\n');
}

function readProfile(folder: string, pid: number): CpuProfile {
  // Node.js names it CPU.<date>.<time>.<pid>.<thread>.<number>.cpuprofile; the main thread is 0.
  const name = readdirSync(folder).find(
    (file) => file.includes(`.${pid}.0.`) && file.endsWith('.cpuprofile'),
  );
  if (name === undefined) throw new Error(`The server left no profile in ${folder}.`);
  return JSON.parse(readFileSync(join(folder, name), 'utf8')) as CpuProfile;
}

/** A sample stands for the time until the next one. */
function timeByNode({ samples, timeDeltas, startTime }: CpuProfile, window: Window): Map<number, number> {
  const times = new Map<number, number>();
  let at = startTime;
  for (const [index, nodeId] of samples.entries()) {
    at += timeDeltas[index] ?? 0;
    if (at >= window.from && at < window.to) add(times, nodeId, timeDeltas[index + 1] ?? 0);
  }
  return times;
}

function functionOf({ callFrame: { functionName, url, lineNumber } }: ProfileNode): string {
  const name = functionName || '(anonymous)';
  return url === '' ? name : `${name}  ${shorten(url)}:${lineNumber + 1}`;
}

/** The nearest caller, or the function itself, that is ours or a package's: the former by file. */
function ownerOf(node: ProfileNode, callers: ReadonlyMap<number, ProfileNode>): string {
  for (let at: ProfileNode | undefined = node; at; at = callers.get(at.id)) {
    const { url } = at.callFrame;
    if (!url.startsWith('file:')) continue;
    const path = shorten(url);
    if (!url.includes('/node_modules/')) return path;
    return path
      .split('/')
      .slice(0, path.startsWith('@') ? 2 : 1)
      .join('/');
  }
  return node.callFrame.url === '' ? node.callFrame.functionName : '(Node.js)';
}

/** Without what stands before the package's name, or before our own folders. */
function shorten(url: string): string {
  const installed = /.*\/node_modules\/(.+)$/.exec(url)?.[1];
  return installed ?? url.replace(/^file:.*\/dist\//, '');
}

function add<K>(totals: Map<K, number>, key: K, amount: number): void {
  totals.set(key, (totals.get(key) ?? 0) + amount);
}
