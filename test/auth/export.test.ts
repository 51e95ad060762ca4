import { once } from 'node:events';
import { connect } from 'node:net';
import { HistoryService } from '../../src/messages/history.service.js';
import { startApp, useApp, type TestPerson } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { makeContacts, makePair } from '../support/people.js';
import { PNG } from '../support/pictures.js';
import { unzip } from '../support/unzip.js';

const app = useApp();

const exportOf = (person: Pick<TestPerson, 'http'>) => person.http.get('/api/auth/export');
const jsonIn = (files: Map<string, Buffer>, path: string): unknown =>
  JSON.parse(files.get(path)?.toString() ?? 'null');
const upload = async (person: TestPerson, path: string, field: string) => {
  const answer = await person.http.multipart('POST', path, {}, [
    { name: field, fileName: 'garden.png', content: PNG, type: 'image/png' },
  ]);
  expect(answer.status).toBe(201);
  return answer.data;
};

describe('GET /api/auth/export', () => {
  it('holds what the REST routes show, as JSON and files', async () => {
    const { ann, ben, chatId } = await makePair(app);
    const [cem, dan, eve] = await Promise.all([1, 2, 3].map(() => app.registerUser()));
    await makeContacts(ann, cem!);
    await ann.http.post('/api/contacts/request', { userId: dan!.id });
    await ann.http.post('/api/contacts/block', { userId: eve!.id });
    await app.http().post('/api/auth/login', {
      email: ann.email,
      password: ann.password,
      deviceId: 'phone',
    });
    await ann.http.put('/api/auth/update-profile', { bio: 'Ünïcödé 🙂', settings: { lastSeen: 'contacts' } });
    for (let n = 1; n <= 120; n++)
      await ben.http.post(`/api/chats/${chatId}/messages`, { text: `number ${n}` });
    await ann.http.delete(`/api/chats/messages/${chatId}.3?for=me`);
    const bens = await upload(ben, `/api/chats/${chatId}/messages`, 'media');
    const own = await upload(ann, '/api/media', 'file');
    const group = { type: 'GROUP', name: 'Archived', participantIds: [cem!.id] };
    const groupId = (await ann.http.post('/api/chats', group)).data.id as string;
    await ann.http.patch(`/api/chats/${groupId}/settings`, { archived: true });

    const answer = await exportOf(ann);
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/zip');
    expect(answer.headers['content-disposition']).toBe('attachment; filename="parley-export.zip"');
    expect(answer.headers['cache-control']).toBe('no-store');
    const files = await unzip(answer.bytes);

    const get = async (path: string): Promise<unknown> => (await ann.http.get(path)).data as unknown;
    const list = async (path: string) => (await get(path)) as object[];
    expect(jsonIn(files, 'profile.json')).toEqual(await get('/api/auth/profile'));
    expect(jsonIn(files, 'sessions.json')).toEqual(await get('/api/auth/sessions'));
    expect(jsonIn(files, 'devices.json')).toEqual(await get('/api/devices'));
    expect(jsonIn(files, 'contacts.json')).toEqual([
      ...(await list('/api/contacts')),
      ...(await list('/api/contacts/pending')),
    ]);
    expect(jsonIn(files, 'blocked.json')).toEqual(await get('/api/contacts/blocked'));
    expect(jsonIn(files, 'chats.json')).toEqual([
      ...(await list('/api/chats')),
      ...(await list('/api/chats?archived=true')),
    ]);
    const messages = [
      ...(await list(`/api/chats/${chatId}/messages?afterSeq=0&limit=100`)),
      ...(await list(`/api/chats/${chatId}/messages?afterSeq=101&limit=100`)),
    ];
    expect(messages).toHaveLength(120);
    expect(jsonIn(files, `chats/${chatId}/messages.json`)).toEqual(messages);
    expect(jsonIn(files, `chats/${groupId}/messages.json`)).toEqual(
      await list(`/api/chats/${groupId}/messages?afterSeq=0`),
    );
    for (const id of [own.id, bens.media.id] as string[]) {
      const path = [...files.keys()].find((name) => name.startsWith(`media/${id}`));
      expect(path).toMatch(/garden\.png$/);
      expect(files.get(path!)).toEqual((await ann.http.get(`/api/media/${id}`)).bytes);
    }
    expect([...files.keys()].filter((name) => name.startsWith('media/'))).toHaveLength(2);
  });

  it('holds nothing of others, nor what its owner may not see', async () => {
    const { ann, ben, chatId } = await makePair(app);
    await upload(ben, '/api/media', 'file');
    await ben.http.post(`/api/chats/${chatId}/messages`, { text: 'before it is cleared' });
    await ann.http.delete(`/api/chats/${chatId}`);
    await ben.http.post(`/api/chats/${chatId}/messages`, { text: 'after it' });
    const files = await unzip((await exportOf(ann)).bytes);
    const text = [...files.values()].join('\n');
    expect(text).toContain('after it');
    expect(text).not.toContain('before it is cleared');
    expect(text).not.toContain(ben.email);
    expect([...files.keys()].filter((name) => name.startsWith('media/'))).toEqual([]);
  });

  it('is whole for an account with nothing in it', async () => {
    const files = await unzip((await exportOf(await app.registerUser())).bytes);
    expect([...files.keys()].sort()).toEqual([
      'blocked.json',
      'chats.json',
      'contacts.json',
      'devices.json',
      'profile.json',
      'sessions.json',
    ]);
    expect(jsonIn(files, 'chats.json')).toEqual([]);
  });

  it('leaves out a file that is gone', async () => {
    const ann = await app.registerUser();
    const { id } = await upload(ann, '/api/media', 'file');
    await app.sql("UPDATE media SET storage_key = 'aaaa-there-is-no-such-file.bin' WHERE id = $1", [id]);
    const files = await unzip((await exportOf(ann)).bytes);
    expect([...files.keys()].filter((name) => name.startsWith('media/'))).toEqual([]);
  });

  it('is cut off when something cannot be read: nobody takes half of it for the whole', async () => {
    const broken = await startApp();
    const ann = await broken.registerUser();
    await broken.sql('ALTER TABLE block RENAME TO elsewhere');
    await expect(exportOf(ann)).rejects.toThrow(/aborted|hang up|ECONNRESET/);
    expect(broken.logs.some((line) => line.includes('a request failed'))).toBe(true);
    await broken.close();
  });

  it('stops working when its reader goes away', async () => {
    const { ann, ben, chatId } = await makePair(app);
    // More than what fits between here and there without being read, also when it is packed.
    await app.sql(
      `INSERT INTO message (chat_id, seq, sender_id, client_key, type, text, mentions, created_at)
       SELECT $1, n, $2, 'c:' || n, 'TEXT',
         (SELECT string_agg(md5(random()::text || n || k), '') FROM generate_series(1, 120) k), '{}', now()
       FROM generate_series(1, 4000) n`,
      [chatId, ben.id],
    );
    await app.sql('UPDATE chat SET last_seq = 4000 WHERE id = $1', [chatId]);
    let pagesRead = 0;
    const history = app.running.nest.get(HistoryService);
    const list = history.list.bind(history);
    history.list = (readerId, ...rest) => {
      if (readerId === ann.id) pagesRead++;
      return list(readerId, ...rest);
    };
    const { hostname, port } = new URL(app.url);
    const reader = connect(Number(port), hostname);
    reader.write(
      `GET /api/auth/export HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ann.token}\r\nConnection: close\r\n\r\n`,
    );
    await once(reader, 'data');
    await eventually(
      async () => {
        await new Promise((resolve) => setImmediate(resolve));
        return pagesRead;
      },
      (pages) => pages > 1,
    );
    expect(pagesRead).toBeLessThan(40);
    const start = app.logs.length;
    reader.destroy();
    const line = await eventually(
      async () => {
        await new Promise((resolve) => setImmediate(resolve));
        return app.logs.slice(start).find((one) => one.includes('/api/auth/export'));
      },
      (one) => one !== undefined,
    );
    expect(JSON.parse(line!)).toMatchObject({ status: 499 });
    expect(app.logs.slice(start).filter((one) => one.includes('"level":50'))).toEqual([]);
    const readByThen = pagesRead;
    // Long enough for many pages more.
    const other = await app.registerUser();
    for (let n = 0; n < 5; n++) await exportOf(other);
    expect(pagesRead - readByThen).toBeLessThanOrEqual(1);
  });

  it('is limited to five an hour', async () => {
    const limited = await startApp({ shareDatabaseWith: app, env: { RATE_LIMITS: 'on' } });
    const ann = await app.registerUser();
    const answers = [];
    for (let n = 0; n < 6; n++) answers.push(await exportOf({ http: limited.http(ann.token) }));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 429]);
    await limited.close();
  });
});
