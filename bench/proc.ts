import { readdirSync, readFileSync } from 'node:fs';

/** The kernel's unit in `/proc/<pid>/stat`: USER_HZ, 100 on every platform Node.js runs on. See proc_pid_stat(5). */
const MS_PER_TICK = 10;

interface ProcessTimes {
  parent: number;
  /** User and system time of all its threads, in milliseconds. */
  own: number;
  /** The same of its children that have ended. */
  endedChildren: number;
}

/** Processor time since the processes began, in milliseconds. */
export interface CpuTimes {
  server: number;
  postgres: number;
  driver: number;
}

/** Reads what the server, every process of its PostgreSQL, and this process have used so far. */
export function readCpuTimes(serverPid: number, postmasterPid: number): CpuTimes {
  const driver = process.cpuUsage();
  return {
    server: readTimes(serverPid)?.own ?? 0,
    postgres: readTreeTime(postmasterPid),
    driver: (driver.user + driver.system) / 1000,
  };
}

/** Resident memory of a process, in bytes. */
export function readRss(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1]) * 1024;
}

/** A process and all its descendants, the ended ones included. */
function readTreeTime(root: number): number {
  const times = new Map<number, ProcessTimes>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    const found = Number.isInteger(pid) ? readTimes(pid) : undefined;
    if (found) times.set(pid, found);
  }
  const isInTree = (pid: number): boolean => {
    const found = times.get(pid);
    return pid === root || (found !== undefined && found.parent > 1 && isInTree(found.parent));
  };
  let total = 0;
  for (const [pid, { own, endedChildren }] of times) if (isInTree(pid)) total += own + endedChildren;
  return total;
}

function readTimes(pid: number): ProcessTimes | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The second field is the program's name in brackets and may hold anything; the one behind it is the third.
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const field = (number: number): number => fields[number - 3] ?? 0;
  return {
    parent: field(4),
    own: (field(14) + field(15)) * MS_PER_TICK,
    endedChildren: (field(16) + field(17)) * MS_PER_TICK,
  };
}
