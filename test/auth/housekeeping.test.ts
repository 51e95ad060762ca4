import { mkdir, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { filesOf } from '../media/files.js';
import { startApp, useApp } from '../support/app.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

describe('what is cleared away', () => {
  const app = useApp();

  it('is sessions a week after their end, and limits that are over', async () => {
    const ann = await app.registerUser();
    const expire = async (email: string, agoMs: number) => {
      const { data } = await app.http().post('/api/auth/login', { email, password: ann.password });
      const id = (await app.http(data.token).get('/api/auth/sessions')).data.find(
        (one: { current: boolean }) => one.current,
      ).id;
      await app.sql('UPDATE session SET expires_at = $2 WHERE id = $1', [
        id,
        new Date(app.clock.nowMs() - agoMs),
      ]);
      return id as string;
    };
    const old = await expire(ann.email, 7 * DAY + 1);
    const recent = await expire(ann.email, 6 * DAY);
    await app.sql("INSERT INTO login_limit VALUES ('over', 3, $1), ('counting', 3, $2)", [
      app.clock.nowMs() - 1,
      app.clock.nowMs() + 3 * HOUR,
    ]);
    app.clock.advance(HOUR);
    const left = async () =>
      (
        await app.sql<{ key: string }>(
          'SELECT id::text AS key FROM session UNION SELECT key FROM login_limit',
          [],
        )
      ).map(({ key }) => key);
    while ((await left()).some((key) => key === old || key === 'over')) continue;
    expect(await left()).toEqual(expect.arrayContaining([recent, 'counting']));
  });

  it('is what a killed process left of an upload, when the next one starts', async () => {
    const folder = path.join(app.dataDir, 'tmp');
    await mkdir(folder, { recursive: true });
    for (const name of ['abandoned', 'in-use']) await writeFile(path.join(folder, name), 'x');
    const longAgo = new Date(app.clock.nowMs() - 2 * HOUR);
    await utimes(path.join(folder, 'abandoned'), longAgo, longAgo);
    const now = new Date(app.clock.nowMs());
    await utimes(path.join(folder, 'in-use'), now, now);
    const second = await startApp({ shareDatabaseWith: app });
    await second.close();
    expect((await filesOf(app)).temporary).toEqual(['in-use']);
  });
});
