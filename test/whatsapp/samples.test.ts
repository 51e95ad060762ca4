import { cp, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { DEMO_SAMPLES } from '../../src/commands/demo/demo-samples.js';
import { startApp, type TestApp, type TestPerson } from '../support/app.js';
import { makeFolder } from '../support/folder.js';
import { readRecorded } from './support/recorded.js';

const SAMPLES = resolve(import.meta.dirname, '../fixtures/whatsapp/samples');
const PHONE_NUMBER_ID = '629305560276479';

const apps: TestApp[] = [];

afterEach(async () => {
  for (const app of apps.splice(0).reverse()) await app.close();
});

async function start(options: Parameters<typeof startApp>[0]): Promise<TestApp> {
  const app = await startApp(options);
  apps.push(app);
  return app;
}

interface Conversation {
  waId: string;
  name: string;
  chatId: string;
  lastMessage: { text: string; status: string };
}

async function conversationsOf(person: TestPerson): Promise<Conversation[]> {
  const answer = await person.http.get<Conversation[]>('/api/conversations');
  expect(answer.status).toBe(200);
  return answer.data;
}

async function messagesOf(person: TestPerson, chatId: string): Promise<unknown[]> {
  const answer = await person.http.get<{ text: string; status: string; whatsapp: { direction: string } }[]>(
    `/api/chats/${chatId}/messages`,
  );
  return answer.data.map(({ text, status, whatsapp }) => [whatsapp.direction, status, text]).reverse();
}

/** What each table of the channel holds. */
async function rowsOf(app: TestApp): Promise<unknown> {
  const [row] =
    await app.sql(`SELECT (SELECT count(*) FROM tenant) AS tenants, (SELECT count(*) FROM message) AS messages,
    (SELECT count(*) FROM webhook_event) AS events, (SELECT count(*) FROM webhook_dead_letter) AS letters,
    (SELECT count(*) FROM pending_status) AS pending, (SELECT count(*) FROM customer) AS customers`);
  return row;
}

describe('SAMPLE_PAYLOADS_DIR', () => {
  it('is taken in at start, in the order of the names; what is broken is reported and skipped', async () => {
    const folder = await makeFolder('samples');
    await cp(SAMPLES, folder, { recursive: true });
    await writeFile(join(folder, 'a_broken_one.json'), '{"metaData":');
    await writeFile(join(folder, 'a_list.json'), '[]');
    await writeFile(join(folder, 'notes.txt'), 'no sample');
    const app = await start({ env: { SAMPLE_PAYLOADS_DIR: folder } });
    const reported = app.logs.filter((line) => line.includes('a sample could not be taken in'));
    expect(reported.map((line) => (JSON.parse(line) as { file: string }).file)).toEqual([
      'a_broken_one.json',
      'a_list.json',
    ]);

    const later = await app.registerUser();
    const conversations = await conversationsOf(later);
    expect(conversations.map(({ waId, name }) => [waId, name]).sort()).toEqual([
      ['919937320320', 'Ravi Kumar'],
      ['929967673820', 'Neha Joshi'],
    ]);
    const chatOf = (name: string): string => conversations.find((one) => one.name === name)?.chatId ?? '';
    expect(await messagesOf(later, chatOf('Ravi Kumar'))).toEqual([
      ['IN', 'READ', expect.stringMatching(/^Hi, I’d like/)],
      ['OUT', 'SENT', expect.stringMatching(/^Hi Ravi!/)],
    ]);
    expect(await messagesOf(later, chatOf('Neha Joshi'))).toEqual([
      ['IN', 'DELIVERED', expect.stringMatching(/^Hi, I saw your ad/)],
      ['OUT', 'READ', expect.stringMatching(/^Hi Neha!/)],
    ]);
    const [tenant] = await app.sql('SELECT phone_number_id, is_mock FROM tenant');
    expect(tenant).toEqual({ phone_number_id: PHONE_NUMBER_ID, is_mock: true });
  });

  it('changes nothing at the next start', async () => {
    const env = { SAMPLE_PAYLOADS_DIR: SAMPLES };
    const first = await start({ env });
    const before = await rowsOf(first);
    expect(before).toMatchObject({ messages: '4', events: '10', letters: '0', pending: '0' });
    const second = await start({ env, shareDatabaseWith: first });
    expect(await rowsOf(second)).toEqual(before);
  });

  it('answers nobody', async () => {
    const app = await start({ env: { SAMPLE_PAYLOADS_DIR: SAMPLES } });
    app.clock.advance(60_000);
    expect(await rowsOf(app)).toMatchObject({ messages: '4' });
  });

  it('makes nobody’s number a tenant in production', async () => {
    const app = await start({
      env: { SAMPLE_PAYLOADS_DIR: SAMPLES },
      config: { production: true },
    });
    expect(await rowsOf(app)).toMatchObject({ tenants: '0', messages: '0', events: '10' });
  });

  it('may not be there', async () => {
    const app = await start({ env: { SAMPLE_PAYLOADS_DIR: '/nowhere/at/all' } });
    expect(app.logs.some((line) => line.includes('SAMPLE_PAYLOADS_DIR cannot be read'))).toBe(true);
  });

  it('is for who serves clients, not for workers', async () => {
    const app = await start({ env: { SAMPLE_PAYLOADS_DIR: SAMPLES, ROLE: 'worker' } });
    expect(await rowsOf(app)).toMatchObject({ events: '0' });
  });
});

it('the demo has the recorded samples', () => {
  const recorded = readRecorded().filter(({ name }) => name.startsWith('samples/'));
  expect(DEMO_SAMPLES.map(({ name, body }) => ({ name: `samples/${name}.json`, body }))).toEqual(
    recorded.map(({ name, body }) => ({ name, body: body as unknown })),
  );
});
