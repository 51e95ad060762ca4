/** `npm run dev`: compiles what changes in `src`, and starts the server again with it. The build is there already. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const cwd = fileURLToPath(new URL('../', import.meta.url));
const compiler = ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--outDir', 'dist'];
const programs = [
  [...compiler, '--watch', '--preserveWatchOutput'],
  ['--watch', '--watch-preserve-output', 'dist/main.js'],
].map((args) => spawn(process.execPath, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] }));

function stop(signal) {
  for (const program of programs) program.kill(signal);
}
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => stop(signal));
const ended = programs.map((program) => once(program, 'close'));
await Promise.race(ended);
stop('SIGTERM');
await Promise.all(ended);
