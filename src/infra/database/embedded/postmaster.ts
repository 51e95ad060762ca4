import { spawn } from 'node:child_process';
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { StartupError } from '../../../common/startup-error.js';
import type { Cluster } from './cluster.js';
import { PROGRAM_ENVIRONMENT } from './database-user.js';
import type { PostgresBinaries } from './postgres-binaries.js';
import { commandLine, processBirth, worksIn } from './process-identity.js';

const POLL_MS = 20;
/** A crash recovery replays at most about `max_wal_size`; slower than this it does not come up at all. */
const READY_TIMEOUT_MS = 300_000;
const SLOW_START_MS = 3_000;
const FAST_SHUTDOWN_MS = 20_000;
const IMMEDIATE_SHUTDOWN_MS = 10_000;
const WATCH_MS = 500;
const LOG_KEPT_BYTES = 10_000_000;

/** A running PostgreSQL server process of ours. */
export interface Postmaster {
  pid: number;
  birth: string;
}

/**
 * The command line of the server. Commits are durable as PostgreSQL means them (fsync, synchronous_commit). Its log
 * has neither statements nor the details of errors, for both hold what people write.
 */
export function serverArguments(cluster: string, port: number): string[] {
  const settings = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    max_connections: '100',
    shared_buffers: '256MB',
    fsync: 'on',
    synchronous_commit: 'on',
    max_wal_size: '2GB',
    checkpoint_timeout: '15min',
    idle_in_transaction_session_timeout: '60s',
    jit: 'off',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_min_messages: 'log',
    log_min_error_statement: 'panic',
    log_error_verbosity: 'terse',
    log_checkpoints: 'off',
  };
  return ['-D', cluster, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
}

/** What came of a start: a server that takes connections, or the reason that PostgreSQL gave. */
export type StartResult = { postmaster: Postmaster } | { failure: string };

/** Starts PostgreSQL in a process group of its own and waits until it takes connections. */
export async function startPostmaster(
  cluster: Cluster,
  binaries: PostgresBinaries,
  port: number,
  logPath: string,
  log: (line: string) => void,
): Promise<StartResult> {
  await rotateLog(logPath);
  const logFile = await open(logPath, 'a', 0o600);
  const { size: logStart } = await logFile.stat();
  const { prefix, ids } = cluster.user;
  const [file, ...args] = [...prefix, binaries.postgres, ...serverArguments(cluster.path, port)];
  let child;
  try {
    child = spawn(file as string, args, {
      ...ids,
      cwd: '/',
      env: PROGRAM_ENVIRONMENT,
      stdio: ['ignore', logFile.fd, logFile.fd],
      detached: true,
    });
  } finally {
    await logFile.close();
  }
  let spawnError: Error | undefined;
  child.once('error', (error) => {
    spawnError = error;
  });
  child.unref();
  const birth = child.pid === undefined ? undefined : processBirth(child.pid);
  const postmaster = child.pid === undefined || birth === undefined ? undefined : { pid: child.pid, birth };
  if (postmaster && (await becomesReady(cluster.path, postmaster, log))) return { postmaster };
  if (spawnError) return { failure: spawnError.message };
  return { failure: await readFailure(logPath, logStart) };
}

/**
 * Finds the server that a killed process of ours left behind on this cluster. A pid file that names a living
 * process which is not PostgreSQL on this cluster is removed, for PostgreSQL itself would refuse to start.
 * The caller holds the server lock.
 */
export async function findOrphan(cluster: string): Promise<Postmaster | undefined> {
  const pid = (await readPidFile(cluster))?.pid;
  const birth = pid === undefined ? undefined : processBirth(pid);
  if (pid === undefined || birth === undefined) return undefined;
  const isOurs = commandLine(pid)?.includes(` -D ${cluster} `) === true || worksIn(pid, cluster);
  if (isOurs) return { pid, birth };
  await rm(join(cluster, 'postmaster.pid'), { force: true });
  return undefined;
}

/** Whether the server runs with the very program and settings that we would start it with. */
export function runsAsWeWould(
  { pid }: Postmaster,
  cluster: string,
  binaries: PostgresBinaries,
  port: number,
): boolean {
  return commandLine(pid) === [binaries.postgres, ...serverArguments(cluster, port)].join(' ');
}

/** Waits until the server takes connections; false when it ends before. Throws StartupError after five minutes. */
export async function becomesReady(
  cluster: string,
  postmaster: Postmaster,
  log: (line: string) => void,
): Promise<boolean> {
  const started = performance.now();
  let said = false;
  while (isRunning(postmaster)) {
    const file = await readPidFile(cluster);
    if (file?.pid === postmaster.pid && file.ready) return true;
    const waited = performance.now() - started;
    if (waited > SLOW_START_MS && !said) {
      log('PostgreSQL is still starting: after a crash it first replays its log.');
      said = true;
    }
    if (waited > READY_TIMEOUT_MS) {
      throw new StartupError(
        `PostgreSQL (pid ${postmaster.pid}) does not become ready: see its postgres.log.`,
      );
    }
    await sleep(POLL_MS);
  }
  return false;
}

/**
 * Ends the server and waits until its process is gone: open transactions are rolled back and everything is written
 * to disk. If that takes longer than `patienceMs` it is cut short, and the next start replays the log.
 */
export async function stopPostmaster(postmaster: Postmaster, patienceMs = FAST_SHUTDOWN_MS): Promise<void> {
  const steps: [NodeJS.Signals, number][] = [
    ['SIGINT', patienceMs],
    ['SIGQUIT', IMMEDIATE_SHUTDOWN_MS],
    ['SIGKILL', IMMEDIATE_SHUTDOWN_MS],
  ];
  for (const [signal, waitMs] of steps) {
    if (!isRunning(postmaster)) return;
    sendSignal(postmaster.pid, signal);
    const deadline = performance.now() + waitMs;
    while (isRunning(postmaster) && performance.now() < deadline) await sleep(POLL_MS);
  }
}

/** Calls `onEnd` once when the server ends; the returned function stops watching. Does not keep the process alive. */
export function watchPostmaster(postmaster: Postmaster, onEnd: () => void): () => void {
  const timer = setInterval(() => {
    if (isRunning(postmaster)) return;
    clearInterval(timer);
    onEnd();
  }, WATCH_MS);
  timer.unref();
  return () => {
    clearInterval(timer);
  };
}

function isRunning({ pid, birth }: Postmaster): boolean {
  return processBirth(pid) === birth;
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Line 1 of `postmaster.pid` is the pid and line 8 the state (PostgreSQL's `miscadmin.h`, LOCK_FILE_LINE_*). */
async function readPidFile(cluster: string): Promise<{ pid: number; ready: boolean } | undefined> {
  const text = await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => undefined);
  const lines = text?.split('\n') ?? [];
  const pid = Number(lines[0]);
  return Number.isInteger(pid) && pid > 1 ? { pid, ready: lines[7]?.trim() === 'ready' } : undefined;
}

async function rotateLog(logPath: string): Promise<void> {
  const size = await stat(logPath).then(
    (found) => found.size,
    () => 0,
  );
  if (size > LOG_KEPT_BYTES) await rename(logPath, `${logPath}.1`);
}

async function readFailure(logPath: string, from: number): Promise<string> {
  const text = (await readFile(logPath)).subarray(from).toString();
  return text.trim() || 'it said nothing';
}
