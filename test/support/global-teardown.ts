import { once } from 'node:events';

/** Lets the database server of the run end, and waits until its folder is gone. */
export default async function globalTeardown(): Promise<void> {
  const child = globalThis.testDatabaseServer;
  if (child?.exitCode !== null) return;
  child.ref();
  child.stdin?.end();
  await once(child, 'exit');
}
