import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { summariseProfile } from './cpu-profile.js';
import type { Task } from './driver.js';
import type { GroupResult } from './group-task.js';
import type { IdleResult } from './idle-task.js';
import { SENDERS, type Measured, type Scenario } from './scenarios.js';
import type { SendResult } from './send-task.js';
import { ServerProcess, type DatabaseFacts } from './server-process.js';

export interface MeasureOptions {
  warmUpSeconds: number;
  seconds: number;
  idleSockets: number;
  idlePeople: number;
  /** Where the server's processor profile is left, if it is profiled. */
  profileFolder: string | undefined;
}

export interface Measurement {
  measured: Measured;
  database: DatabaseFacts;
  /** Where the server's time went, if it was profiled. */
  profile: string | undefined;
}

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const DRIVER = fileURLToPath(new URL('./driver.ts', import.meta.url));
const TOP = 25;

/**
 * Measures one scenario on a new server with a new database. Both, and the load, are gone when it returns or throws.
 *
 * @param interrupted rejects when the measurement is to be given up
 * @throws Error when the server or the load fails, or what `interrupted` is rejected with
 */
export async function measure(
  scenario: Scenario,
  options: MeasureOptions,
  interrupted: Promise<never>,
): Promise<Measurement> {
  const server = new ServerProcess(ROOT);
  const load = new Load();
  const { profileFolder } = options;
  try {
    await Promise.race([server.start(profileFolder), interrupted]);
    const database = await server.readDatabaseFacts();
    const measured = await Promise.race([drive(scenario, options, server, load), interrupted]);
    if (profileFolder === undefined || measured.kind === 'idle')
      return { measured, database, profile: undefined };
    // Node.js writes the profile when the server ends.
    const { pid } = server;
    await server.stop();
    return { measured, database, profile: summariseProfile(profileFolder, pid, measured.result.window, TOP) };
  } finally {
    load.stop();
    await server.stop();
  }
}

async function drive(
  scenario: Scenario,
  options: MeasureOptions,
  server: ServerProcess,
  load: Load,
): Promise<Measured> {
  const target = { url: server.url, serverPid: server.pid };
  if (scenario.kind === 'idle') {
    const result = await load.run<IdleResult>({
      kind: 'idle',
      ...target,
      serverLog: server.logPath,
      sockets: options.idleSockets,
      people: options.idlePeople,
    });
    return { kind: 'idle', scenario, result };
  }
  const postmasterPid = await server.findPostmasterPid();
  const { warmUpSeconds, seconds } = options;
  if (scenario.kind === 'group') {
    const result = await load.run<GroupResult>({
      kind: 'group',
      ...target,
      ...(await server.readInsides()),
      postmasterPid,
      members: scenario.members,
      senders: scenario.senders,
      warmUpSeconds,
      seconds,
    });
    return { kind: 'group', scenario, result };
  }
  const result = await load.run<SendResult>({
    kind: 'send',
    ...target,
    postmasterPid,
    over: scenario.over,
    senders: SENDERS,
    inFlight: scenario.inFlight,
    warmUpSeconds,
    seconds,
  });
  return { kind: 'send', scenario, result };
}

/** The process that plays the clients. */
export class Load {
  private driver: ChildProcess | undefined;

  async run<T>(task: Task): Promise<T> {
    const driver = fork(DRIVER, [JSON.stringify(task)]);
    this.driver = driver;
    let result: T | undefined;
    driver.on('message', (message) => {
      result = message as T;
    });
    await once(driver, 'exit');
    if (result === undefined) throw new Error('The load ended without a result.');
    return result;
  }

  stop(): void {
    this.driver?.kill('SIGKILL');
  }
}
