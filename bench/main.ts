import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measure, type Measurement, type MeasureOptions } from './measure.js';
import { isFaultless, renderTables } from './report.js';
import { SCENARIOS, type Scenario } from './scenarios.js';

const HELP = `Measures the built server on an embedded database of its own, with the load in a process of its own.

  npm run bench -- [options]

  --only NAMES       comma-separated, of ${SCENARIOS.map(({ name }) => name).join(', ')}
  --seconds N        measured time of a sending scenario (10)
  --warm-up N        seconds before it (2)
  --idle-sockets N   (5000)
  --idle-people N    whom the idle sockets belong to (500)
  --markdown         prints the tables as in docs/performance.md
  --cpu-prof FOLDER  leaves processor profiles of the server there and prints where its time went;
                     the figures of such a run are not comparable

Ends with 1 when a message was lost, repeated or out of place; a missed budget is only shown.`;

interface Options extends MeasureOptions {
  scenarios: readonly Scenario[];
  markdown: boolean;
}

const options = readOptions();
if (options === undefined) process.exitCode = 2;
else process.exitCode = await run(options);

/** Undefined, with the reason printed, for what cannot be run. */
function readOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: SCENARIOS.map(({ name }) => name).join(',') },
      seconds: { type: 'string', default: '10' },
      'warm-up': { type: 'string', default: '2' },
      'idle-sockets': { type: 'string', default: '5000' },
      'idle-people': { type: 'string', default: '500' },
      markdown: { type: 'boolean', default: false },
      'cpu-prof': { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const names = values.only.split(',');
  const seconds = Number(values.seconds);
  const warmUpSeconds = Number(values['warm-up']);
  const idleSockets = Number(values['idle-sockets']);
  const idlePeople = Number(values['idle-people']);
  const areNamesKnown = names.every((name) => SCENARIOS.some((scenario) => scenario.name === name));
  const areNumbersUsable = [seconds, warmUpSeconds, idleSockets, idlePeople].every((number) => number > 0);
  if (values.help || !areNamesKnown || !areNumbersUsable) {
    print(HELP);
    return undefined;
  }
  if (process.platform !== 'linux') {
    print('The measurements read /proc, which only Linux has.');
    return undefined;
  }
  return {
    scenarios: SCENARIOS.filter(({ name }) => names.includes(name)),
    seconds,
    warmUpSeconds,
    idleSockets,
    idlePeople,
    markdown: values.markdown,
    profileFolder: values['cpu-prof'] === undefined ? undefined : resolve(values['cpu-prof']),
  };
}

/** Returns the exit code. */
async function run(chosen: Options): Promise<number> {
  const builder = fileURLToPath(new URL('../deploy/build-if-changed.mjs', import.meta.url));
  if (spawnSync(process.execPath, [builder], { stdio: 'inherit' }).status !== 0) return 1;
  const processors = cpus();
  print(
    `Node.js ${process.versions.node} · ${processors[0]?.model ?? 'unknown'}, ${processors.length} cores, shared with the load`,
  );
  print(
    'RATE_LIMITS=off, as each sender is faster than the 20 messages/s a person may send; all else is the default.',
  );
  try {
    const measurements = await measureAll(chosen);
    const all = measurements.map(({ measured }) => measured);
    print(`\n${renderTables(all, chosen.markdown)}`);
    return all.every(isFaultless) ? 0 : 1;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}

async function measureAll(chosen: Options): Promise<Measurement[]> {
  const interrupted = new Promise<never>((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        reject(new Error(`Stopped by ${signal}.`));
      });
    }
  });
  const measurements: Measurement[] = [];
  for (const scenario of chosen.scenarios) {
    print(`Measuring: ${scenario.title}…`);
    const measurement = await measure(scenario, chosen, interrupted);
    const { version, fsync, synchronousCommit } = measurement.database;
    print(`  on PostgreSQL ${version} · fsync ${fsync} · synchronous_commit ${synchronousCommit}`);
    if (measurement.profile !== undefined) print(`\n${measurement.profile}\n`);
    measurements.push(measurement);
  }
  return measurements;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
