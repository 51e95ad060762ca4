import { StartupError } from '../common/startup-error.js';

/**
 * Runs a command of the project: what it prints goes to the standard output, a StartupError becomes one line on the
 * standard error and exit code 1, and any other error keeps its stack.
 */
export async function runCommand(command: (print: (line: string) => void) => Promise<void>): Promise<void> {
  try {
    await command((line) => process.stdout.write(`${line}\n`));
  } catch (error) {
    const text =
      error instanceof StartupError ? error.message : error instanceof Error ? error.stack : String(error);
    process.stderr.write(`${text}\n`);
    process.exitCode = 1;
  }
}
