import { CONFIG } from '../../src/infra/config/config.js';
import { FakeCloudinary, type Trouble } from '../fakes/cloudinary.js';
import { startApp, useApp, type TestApp, type TestPerson } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { makePair } from '../support/people.js';
import { filesOf } from './files.js';
import { makePicture } from './pictures.js';
import { makeIsoMedia, makeMp3 } from './sounds-and-films.js';
import { bytesOf, upload, uploaded } from './upload-support.js';

const HOUR = 3_600_000;
const cloudinary = new FakeCloudinary();
const env: Record<string, string> = { JWT_EXPIRES_IN: '30d' };
beforeAll(async () => {
  await cloudinary.start();
  Object.assign(env, cloudinary.env);
});
afterAll(() => cloudinary.close());

/** How many files the app's storage holds. It asks the database too, so that who asks again and again lets others work. */
async function stored(app: TestApp): Promise<number> {
  await app.sql('SELECT 1');
  return app.running.nest.get<{ cloudinary?: object }>(CONFIG).cloudinary
    ? cloudinary.assets.size
    : (await filesOf(app)).uploads.length;
}

/** Everything that people do with files, on each storage alike. */
describe.each<[string, TestApp]>([
  ['files in the data folder', useApp({ env: { JWT_EXPIRES_IN: '30d' } })],
  ['files in Cloudinary', useApp({ env })],
])('%s', (_name, app) => {
  let ann: TestPerson;
  beforeAll(async () => {
    ann = await app.registerUser();
  });

  it.each([
    ['a picture', () => makePicture('png', 80, 60), 2],
    ['a film', () => makeIsoMedia({ video: { width: 8, height: 8 } }), 1],
    ['a sound', () => makeMp3(40), 1],
    ['a document', () => Buffer.from('0123456789'.repeat(500)), 1],
  ])('are served whole, in parts and by their head: %s', async (_what, make, files) => {
    const before = await stored(app);
    const media = await uploaded(ann, await make(), 'a');
    expect(await stored(app)).toBe(before + files);
    const whole = await bytesOf(app, media.url);
    expect(whole).toHaveLength(media.size);
    for (const [range, start, end] of [
      ['bytes=0-9', 0, 10],
      ['bytes=50-', 50, media.size],
      ['bytes=-7', media.size - 7, media.size],
    ] as const) {
      const part = await app.http().get(media.url, { headers: { Range: range } });
      expect([part.status, part.bytes]).toEqual([206, whole.subarray(start, end)]);
      expect(part.headers['content-range']).toBe(`bytes ${start}-${end - 1}/${media.size}`);
    }
    const head = await app.http().raw({ method: 'HEAD', path: media.url }, { undocumented: true });
    expect(head.headers).toMatchObject({ 'content-length': String(media.size), etag: `"${media.sha256}"` });
    expect(
      (await app.http().get(media.url, { headers: { 'If-None-Match': `"${media.sha256}"` } })).status,
    ).toBe(304);
    expect((await app.http().get(media.url, { headers: { Range: `bytes=${media.size}-` } })).status).toBe(
      416,
    );
    if (media.thumbnailUrl) expect((await bytesOf(app, media.thumbnailUrl)).length).toBeGreaterThan(0);
  });

  it('go with their message, their profile and their day', async () => {
    const { ann: sender, chatId } = await makePair(app);
    const before = await stored(app);
    const content = await makePicture('png');
    const sent = await sender.http.multipart('POST', `/api/chats/${chatId}/messages`, {}, [
      { name: 'media', fileName: 'a.png', content },
    ]);
    expect(await stored(app)).toBe(before + 2);
    await sender.http.delete(`/api/chats/messages/${sent.data.id}?for=everyone`);
    expect(await stored(app)).toBe(before);

    for (const _round of [1, 2]) {
      await sender.http.multipart('PUT', '/api/auth/update-profile', {}, [
        { name: 'profilePic', fileName: 'a.png', content },
      ]);
      expect(await stored(app)).toBe(before + 2);
    }
    await sender.http.delete('/api/auth/delete-profile', { password: sender.password });
    expect(await stored(app)).toBe(before);

    await uploaded(ann, content);
    // A day later; the clock is moved by an hour alone, as much else has its hours too.
    await app.sql("UPDATE media SET check_at = check_at - interval '24 hours'");
    app.clock.advance(HOUR);
    // What the tests before have uploaded goes with it.
    await eventually(
      () => stored(app),
      (count) => count === 0,
    );
    expect(await app.sql('SELECT id FROM media')).toEqual([]);
    await eventually(
      () => app.sql('SELECT key FROM loose_file'),
      (rows) => rows.length === 0,
    );
  });
});

describe('when Cloudinary has trouble', () => {
  const app = useApp({ env });
  let ann: TestPerson;
  beforeAll(async () => {
    ann = await app.registerUser();
  });

  it.each<Trouble>(['error', 'cut', 'late-error'])(
    'an upload is refused, and leaves nothing: %s',
    async (trouble) => {
      const before = cloudinary.assets.size;
      cloudinary.plan('upload', trouble);
      const answer = await upload(ann, await makePicture('png'));
      expect([answer.status, answer.code]).toEqual([503, 'NOT_READY']);
      expect(answer.headers['retry-after']).toBeDefined();
      expect(JSON.stringify(answer.body)).not.toMatch(/cloudinary/i);
      expect(await app.sql('SELECT id FROM media')).toEqual([]);
      // What it did after all is found by the key that was written down before.
      expect((await app.sql('SELECT key FROM loose_file')).length).toBe(2);
      app.clock.advance(2 * HOUR);
      await eventually(
        () => app.sql('SELECT key FROM loose_file'),
        (rows) => rows.length === 0,
      );
      expect(cloudinary.assets.size).toBe(before);
    },
  );

  it('the second of two files fails, and the first goes', async () => {
    const before = cloudinary.assets.size;
    cloudinary.plan('upload', 'none', 'error');
    expect((await upload(ann, await makePicture('png'))).status).toBe(503);
    expect(cloudinary.assets.size).toBe(before);
  });

  it('a file that it cannot read is refused for good', async () => {
    cloudinary.plan('upload', 'refuse');
    const answer = await upload(ann, makeIsoMedia({ video: { width: 8, height: 8 } }));
    expect([answer.status, answer.code]).toEqual([422, 'UNPROCESSABLE']);
  });

  it('a reader is told to come again', async () => {
    const media = await uploaded(ann, await makePicture('png'));
    cloudinary.plan('delivery', 'error', 'cut');
    for (const _trouble of [1, 2]) {
      const answer = await app.http().get(media.url);
      expect([answer.status, answer.code]).toEqual([503, 'NOT_READY']);
      expect(answer.headers['cache-control']).toBe('no-store');
    }
    expect((await app.http().get(media.url)).status).toBe(200);
  });

  it('what cannot be removed now is removed later', async () => {
    const { ann: sender, chatId } = await makePair(app);
    const sent = await sender.http.multipart('POST', `/api/chats/${chatId}/messages`, {}, [
      { name: 'media', fileName: 'a.txt', content: Buffer.from('hello') },
    ]);
    const before = cloudinary.assets.size;
    cloudinary.plan('destroy', 'error');
    expect((await sender.http.delete(`/api/chats/messages/${sent.data.id}?for=everyone`)).status).toBe(200);
    expect(cloudinary.assets.size).toBe(before);
    expect((await app.http().get(sent.data.media.url as string)).code).toBe('MEDIA_NOT_FOUND');
    app.clock.advance(HOUR);
    await eventually(
      () => stored(app),
      (size) => size < before,
    );
  });
});

it('files stay where they are when the storage is changed', async () => {
  const first = await startApp();
  const both = await startApp({ shareDatabaseWith: first, env });
  try {
    const ann = await first.registerUser();
    const [local, remote] = [
      await uploaded(ann, Buffer.from('in the folder')),
      await uploaded({ ...ann, http: both.http(ann.token) }, Buffer.from('in the cloud')),
    ];
    expect((await bytesOf(both, local.url)).toString()).toBe('in the folder');
    expect((await bytesOf(both, remote.url)).toString()).toBe('in the cloud');
    expect(await first.sql('SELECT storage FROM media ORDER BY storage')).toEqual([
      { storage: 'cloudinary' },
      { storage: 'local' },
    ]);
    // The one without the account can do nothing about the other's files, and says so.
    expect((await first.http().get(remote.url)).status).toBe(503);
  } finally {
    await both.close();
    await first.close();
  }
});
