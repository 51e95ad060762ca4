import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Debian keeps programs of the administrator where others do not look for them. */
const FOLDERS = [...(process.env.PATH ?? '').split(':'), '/usr/local/sbin', '/usr/sbin', '/sbin'];

/** The path of a program that the machine may lack, or undefined. */
export function findTool(name: string): string | undefined {
  return FOLDERS.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** `it`, or a skipped one that names the program it lacks. */
export function itWith(tool: string): (name: string, test: () => Promise<void>) => void {
  if (findTool(tool) !== undefined) return it;
  return (name, test) => it.skip(`${name} (${tool} is not installed)`, test);
}
