import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';

const onLinux = process.platform === 'linux';

/**
 * Names one life of a process, so that a process id used again by another program is not mistaken for it.
 * Returns letters, digits and `-` only, or undefined when no such process lives (one that has ended and only
 * waits to be collected by its parent counts as gone).
 */
export function processBirth(pid: number): string | undefined {
  if (!onLinux) {
    const started = ps(pid, 'lstart=');
    return started === undefined ? undefined : String(Date.parse(started) / 1000);
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in brackets and may hold anything, brackets included.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, startTicks] = [fields[0], fields[19]];
    if (state === 'Z' || state === 'X' || startTicks === undefined) return undefined;
    return `${bootId()}-${startTicks}`;
  } catch {
    return undefined;
  }
}

/** The command line of a living process, its arguments joined by spaces; undefined when it cannot be seen. */
export function commandLine(pid: number): string | undefined {
  if (!onLinux) return ps(pid, 'command=');
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replace(/\0+$/, '').replaceAll('\0', ' ');
  } catch {
    return undefined;
  }
}

/** Whether the process works in this folder, whatever name the folder has now. False where that cannot be seen. */
export function worksIn(pid: number, folder: string): boolean {
  if (!onLinux) return false;
  try {
    const [theirs, ours] = [statSync(`/proc/${pid}/cwd`), statSync(folder)];
    return theirs.ino === ours.ino && theirs.dev === ours.dev;
  } catch {
    return false;
  }
}

/** Start times count from the boot, so that equal ones of two boots must not look alike. */
function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8);
}

function ps(pid: number, column: string): string | undefined {
  try {
    const output = execFileSync('ps', ['-o', column, '-p', String(pid)], { encoding: 'utf8', stdio: 'pipe' });
    return output.trim() || undefined;
  } catch {
    return undefined;
  }
}
