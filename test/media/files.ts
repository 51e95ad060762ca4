import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { TestApp } from '../support/app.js';

/** The names of all files the app keeps, uploads and what is being worked on. */
export async function filesOf(app: TestApp): Promise<{ uploads: string[]; temporary: string[] }> {
  return {
    uploads: await listFiles(path.join(app.dataDir, 'uploads')),
    temporary: await listFiles(path.join(app.dataDir, 'tmp')),
  };
}

async function listFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .map(({ name }) => name)
    .sort();
}
