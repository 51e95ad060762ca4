import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** How long a test waits, in real time, for what a program must print. */
const PATIENCE_MS = 50_000;

export interface ProgramOptions {
  cwd: string;
  /** What it finds in its environment beside the way to programs: nothing of this run's. */
  env?: Record<string, string> | undefined;
}

export interface End {
  code: number | null;
  signal: NodeJS.Signals | null;
}

interface Waiter {
  pattern: RegExp;
  resolve: (match: RegExpMatchArray) => void;
}

/** A program in a process group of its own, as a shell starts one, with all that it prints. */
export class Program {
  out = '';
  err = '';
  /** Resolves when it has ended and all that it printed is here. */
  readonly ended: Promise<End>;
  private readonly child: ChildProcess;
  private readonly waiters = new Set<Waiter>();

  constructor(file: string, args: readonly string[], { cwd, env }: ProgramOptions) {
    this.child = spawn(file, args, {
      cwd,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, NPM_CONFIG_UPDATE_NOTIFIER: 'false', ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    this.child.stdin?.on('error', () => undefined);
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.out += text;
      this.wake();
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.err += text;
    });
    this.ended = new Promise((resolve, reject) => {
      this.child.once('error', reject);
      this.child.once('close', (code, signal) => {
        resolve({ code, signal });
      });
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** The lines it has printed, without empty ones. */
  get lines(): string[] {
    return this.out.split('\n').filter((line) => line.trim() !== '');
  }

  /** Writes to its standard input, as if it was typed. */
  type(text: string): void {
    this.child.stdin?.write(text);
  }

  /** Resolves once `pattern` is in what it has printed. @throws Error with what it printed when it ends before, or hangs */
  async prints(pattern: RegExp): Promise<RegExpMatchArray> {
    const found = this.out.match(pattern);
    if (found) return found;
    return new Promise((resolve, reject) => {
      const fail = (why: string): void => {
        this.waiters.delete(waiter);
        reject(new Error(`${pattern} was not printed: ${why}\n${this.out}\n${this.err}`));
      };
      const timer = setTimeout(() => fail('it took too long'), PATIENCE_MS);
      const waiter: Waiter = {
        pattern,
        resolve: (match) => {
          clearTimeout(timer);
          resolve(match);
        },
      };
      this.waiters.add(waiter);
      void this.ended.then(() => {
        clearTimeout(timer);
        if (this.waiters.has(waiter)) fail('it ended');
      });
    });
  }

  /** Sends a signal to this one process. */
  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Sends a signal to the whole process group, as Ctrl-C in a terminal does. */
  signalGroup(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  /** Ends what is left of it and of its group. */
  async destroy(): Promise<void> {
    this.signalGroup('SIGKILL');
    await this.ended;
  }

  private wake(): void {
    for (const waiter of this.waiters) {
      const match = this.out.match(waiter.pattern);
      if (!match) continue;
      this.waiters.delete(waiter);
      waiter.resolve(match);
    }
  }
}

/** The command lines of all living processes that work in `folder` or name it. */
export function processesOf(folder: string): string[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return [];
    const command = quietly(() => readFileSync(`/proc/${name}/cmdline`, 'utf8'))?.replaceAll('\0', ' ') ?? '';
    const cwd = quietly(() => readlinkSync(`/proc/${name}/cwd`)) ?? '';
    const concerned = command.includes(folder) || cwd === folder || cwd.startsWith(`${folder}/`);
    return concerned ? [`${name} ${command} in ${cwd}`] : [];
  });
}

function quietly<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
