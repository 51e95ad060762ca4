import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { useApp } from '../support/app.js';
import { eventsOf } from '../support/events-check.js';
import { openApiOf } from '../support/openapi-check.js';
import { ROOT } from '../support/project.js';

const app = useApp();

/** The cells under the heading `here`, of every table. */
async function cellsOfOurs(): Promise<string[]> {
  const lines = (await readFile(join(ROOT, 'docs/migrating.md'), 'utf8')).split('\n');
  const cells: string[] = [];
  let column = -1;
  for (const line of lines) {
    if (!line.startsWith('|')) {
      column = -1;
      continue;
    }
    const row = line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
    if (column === -1) column = row.indexOf('here');
    else if (!/^-+$/.test(row[0] ?? '')) cells.push(row[column] ?? '');
  }
  return cells;
}

describe('docs/migrating.md', () => {
  it('names on our side only what there is', async () => {
    const cells = await cellsOfOurs();
    expect(cells.length).toBeGreaterThan(60);
    const { paths } = await openApiOf(app.url);
    const { operations } = (await eventsOf(app.url)).document;
    const routes = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const events = Object.keys(operations).map((name) => name.replace(/^(send|receive)\./, ''));
    const known = new Set([...routes, ...events]);
    const fields = ['clientId', 'txnId', 'auth: { token, deviceId?, deviceName? }'];
    const named = cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name ?? ''));
    expect(named.filter((name) => !known.has(name) && !fields.includes(name))).toEqual([]);
    // Every row says something of ours, or that there is nothing.
    expect(cells.filter((cell) => !cell.includes('`') && cell !== '—')).toEqual([]);
  });

  it('maps the names that the contract lists', async () => {
    const text = await readFile(join(ROOT, 'docs/migrating.md'), 'utf8');
    for (const [theirs, ours] of [
      ['newMessage', 'new-message'],
      ['new_message', 'new-message'],
      ['messageUpdated', 'message-status-update'],
      ['message_status_update', 'message-status-update'],
      ['messageDeleted', 'message-deleted'],
    ]) {
      expect(text).toMatch(new RegExp(`^\\|[^|]*\`${theirs}\`[^|]*\\| \`${ours}\``, 'm'));
    }
  });
});
