import { access, mkdir, rm, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { MediaService } from '../../src/media/media.service.js';
import { startApp, useApp, type TestApp, type TestPerson } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { makePair } from '../support/people.js';
import { filesOf } from './files.js';
import { makePicture } from './pictures.js';
import { keptBy, uploaded } from './upload-support.js';

const HOUR = 3_600_000;
// Days go by here: nobody is to sign in again.
const app = useApp({ env: { JWT_EXPIRES_IN: '30d' } });

let ann: TestPerson;
beforeEach(async () => {
  ann = await app.registerUser();
});

interface Kept {
  media: { id: string }[];
  loose: { key: string }[];
  uploads: string[];
}

const kept = async (which: TestApp = app): Promise<Kept> => (await keptBy(which)) as Kept;
const keptIds = async (): Promise<string[]> => (await kept()).media.map(({ id }) => id);
/** A file of the storage as a crash may leave it. */
async function leaveFile(name: string): Promise<string> {
  const folder = path.join(app.dataDir, 'uploads', name.slice(0, 2), name.slice(2, 4));
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, name), 'left over');
  return path.join(folder, name);
}

describe('the sweep', () => {
  it('removes an upload that nothing has used for 24 hours, and no younger one', async () => {
    const before = await kept();
    const old = await uploaded(ann, await makePicture('png'));
    app.clock.advance(2 * HOUR);
    const young = await uploaded(ann, await makePicture('png'));
    app.clock.advance(22 * HOUR - 1);
    app.clock.advance(1 + HOUR);
    await eventually(keptIds, (ids) => !ids.includes(old.id));
    expect(await keptIds()).toContain(young.id);
    expect((await ann.http.get(`/api/media/${old.id}`)).code).toBe('MEDIA_NOT_FOUND');
    expect((await ann.http.get(`/api/media/${young.id}`)).status).toBe(200);
    app.clock.advance(2 * HOUR);
    await eventually(kept, (now) => JSON.stringify(now) === JSON.stringify(before));
  });

  it('keeps what is in a message, a profile or a group, however old', async () => {
    const { ann: sender, ben, chatId } = await makePair(app);
    const inMessage = await uploaded(sender, await makePicture('png'));
    await sender.http.post(`/api/chats/${chatId}/messages`, { mediaId: inMessage.id });
    const picture = { fileName: 'a.png', content: await makePicture('gif') };
    const profile = await sender.http.multipart('PUT', '/api/auth/update-profile', {}, [
      { name: 'profilePic', ...picture },
    ]);
    const group = await sender.http.multipart(
      'POST',
      '/api/chats',
      { type: 'GROUP', name: 'Garden', participantIds: JSON.stringify([ben.id]) },
      [{ name: 'image', ...picture }],
    );
    expect([profile.status, group.status]).toEqual([200, 201]);
    const unused = await uploaded(sender, await makePicture('png'));
    for (let day = 0; day < 3; day++) {
      app.clock.advance(25 * HOUR);
      await eventually(keptIds, (ids) => !ids.includes(unused.id));
    }
    const me = sender.http;
    const chat = (await me.get(`/api/chats/${group.data.id}`)).data;
    const { profilePic } = (await me.get('/api/auth/profile')).data;
    for (const url of [`/api/media/${inMessage.id}`, chat.image, profilePic] as string[]) {
      expect((await me.get(url)).status).toBe(200);
    }
    expect(await app.sql('SELECT id FROM media WHERE check_at <= $1', [app.clock.now()])).toEqual([]);
  });

  it('finishes what a process did not that died after a commit', async () => {
    const { ann: sender, chatId } = await makePair(app);
    const media = await uploaded(sender, await makePicture('png'));
    await sender.http.post(`/api/chats/${chatId}/messages`, { mediaId: media.id });
    app.clock.advance(25 * HOUR);
    await eventually(
      () => app.sql('SELECT id FROM media WHERE id = $1 AND check_at IS NULL', [media.id]),
      (rows) => rows.length === 1,
    );
    await app.sql('UPDATE message SET deleted_at = now(), text = NULL WHERE media_id = $1', [media.id]);
    // Not to be seen any more, before anything is removed.
    expect((await app.http().get(media.url)).code).toBe('MEDIA_NOT_FOUND');
    expect((await sender.http.get(`/api/media/${media.id}`)).code).toBe('MEDIA_NOT_FOUND');
    app.clock.advance(HOUR);
    await eventually(keptIds, (ids) => !ids.includes(media.id));
  });

  it('removes files that were stored and never got their medium', async () => {
    const before = await kept();
    const name = `${'ab'.repeat(20)}.png`;
    // Stored by a process that died before its transaction.
    await app.sql(`INSERT INTO loose_file VALUES ($1, 'local', 'image/png', $2)`, [
      name,
      new Date(app.clock.nowMs() + HOUR),
    ]);
    const file = await leaveFile(name);
    app.clock.advance(HOUR - 1);
    await access(file);
    app.clock.advance(HOUR);
    await eventually(kept, (now) => JSON.stringify(now) === JSON.stringify(before));
    await expect(access(file)).rejects.toThrow();
  });

  it('tries again what could not be removed', async () => {
    const media = await uploaded(ann, await makePicture('png'));
    const [row] = await app.sql<{ storage_key: string }>('SELECT storage_key FROM media WHERE id = $1', [
      media.id,
    ]);
    const key = row!.storage_key;
    const file = path.join(app.dataDir, 'uploads', key.slice(0, 2), key.slice(2, 4), key);
    // A folder in the place of the file cannot be removed as one.
    await rm(file);
    await mkdir(path.join(file, 'x'), { recursive: true });
    await app.running.nest.get(MediaService).releaseUnused([media.id]);
    expect(await keptIds()).not.toContain(media.id);
    expect((await kept()).loose).toEqual([{ key }]);
    await rm(file, { recursive: true });
    app.clock.advance(HOUR);
    await eventually(kept, ({ loose }) => loose.length === 0);
  });

  it('gives an upload up that takes longer than its file is kept, and never the file of a medium', async () => {
    const name = `${'cd'.repeat(20)}.png`;
    await app.sql(`INSERT INTO loose_file VALUES ($1, 'local', 'image/png', 'epoch', true)`, [name]);
    const { LooseFilesRepository } = await import('../../src/media/loose-files.repository.js');
    const { PrismaService } = await import('../../src/infra/database/prisma.service.js');
    const taken = await app.running.nest
      .get(PrismaService)
      .inTransaction((tx) => app.running.nest.get(LooseFilesRepository).takeIn(tx, [name]));
    expect(taken).toBe(0);
    await app.sql('DELETE FROM loose_file');
  });

  it('clears a thousand in one go', async () => {
    const before = await kept();
    await app.sql(
      `INSERT INTO media (id, owner_id, kind, mime_type, size, sha256, storage_key, created_at, check_at)
       SELECT gen_random_uuid(), $1, 'DOCUMENT', 'text/plain', 1, '', lpad(n::text, 40, '0'), now(), 'epoch'
       FROM generate_series(1, 1000) n`,
      [ann.id],
    );
    app.clock.advance(HOUR);
    await eventually(kept, (now) => JSON.stringify(now) === JSON.stringify(before));
  });

  it('removes what a killed process left in the folder for temporary files', async () => {
    const file = path.join(app.dataDir, 'tmp', 'left');
    const young = path.join(app.dataDir, 'tmp', 'at-work');
    await writeFile(file, 'x');
    await writeFile(young, 'x');
    const twoHoursAgo = new Date(Date.now() - 2 * HOUR);
    await utimes(file, twoHoursAgo, twoHoursAgo);
    app.clock.advance(HOUR);
    await eventually(
      () => filesOf(app),
      ({ temporary }) => temporary.join() === 'at-work',
    );
    await rm(young);
  });
});

describe('two instances', () => {
  it('sweep side by side, and each file is removed once', async () => {
    const second = await startApp({ shareDatabaseWith: app });
    try {
      const before = await kept();
      for (let i = 0; i < 5; i++) await uploaded(ann, Buffer.from(`text ${i}`));
      app.clock.advance(26 * HOUR);
      await eventually(kept, (now) => JSON.stringify(now) === JSON.stringify(before));
      const failures = [...app.logs, ...second.logs].filter((line) =>
        /could not be removed|sweep of media/.test(line),
      );
      // The one of the test above.
      expect(failures.length).toBeLessThanOrEqual(1);
    } finally {
      await second.close();
    }
  });
});
