import { createHash, randomUUID } from 'node:crypto';
import { PublicUsers } from '../../src/users/public-users.service.js';
import { useApp, type TestPerson } from '../support/app.js';
import { makePicture } from './pictures.js';

const app = useApp();
const DAY = 24 * 3_600_000;

let ann: TestPerson;
let ben: TestPerson;
let address: string;
let whole: Buffer;

/** Signs the address again, as the day may have changed. */
const freshAddress = async (): Promise<string> => {
  const { token } = (await app.http().post('/api/auth/login', { email: ann.email, password: ann.password }))
    .data;
  return (await app.http(token).get('/api/auth/profile')).data.profilePic as string;
};
const bare = (): string => address.slice(0, address.indexOf('?'));

beforeAll(async () => {
  [ann, ben] = await Promise.all([app.registerUser(), app.registerUser()]);
  const content = await makePicture('png', 300, 200);
  const answer = await ann.http.multipart('PUT', '/api/auth/update-profile', {}, [
    { name: 'profilePic', fileName: 'me.png', content },
  ]);
  address = answer.data.profilePic as string;
  whole = (await app.http().get(address)).bytes;
});

describe('GET /api/media/:id', () => {
  it('answers a signed address without a header', async () => {
    const answer = await app.http().get(address);
    expect(answer.status).toBe(200);
    expect(answer.headers).toMatchObject({
      'content-type': 'image/webp',
      'content-length': String(whole.length),
      'x-content-type-options': 'nosniff',
      'cache-control': 'private, max-age=86400, immutable, no-transform',
      'accept-ranges': 'bytes',
      'cross-origin-resource-policy': 'cross-origin',
      etag: `"${createHash('sha256').update(whole).digest('hex')}"`,
    });
    const [row] = await app.sql('SELECT size, sha256 FROM media WHERE owner_id = $1', [ann.id]);
    expect(row).toEqual({ size: whole.length, sha256: createHash('sha256').update(whole).digest('hex') });
  });

  it('answers anyone who is signed in, as it is a profile picture', async () => {
    expect((await ben.http.get(bare())).bytes).toEqual(whole);
  });

  it('asks others to sign in', async () => {
    const answer = await app.http().get(bare());
    expect([answer.status, answer.code]).toEqual([401, 'UNAUTHENTICATED']);
    const invalid = await app.http('x').get(bare());
    expect([invalid.status, invalid.code]).toEqual([401, 'TOKEN_INVALID']);
  });

  it('shows a medium that is no profile picture to its owner alone', async () => {
    const [row] = await app.sql<{ id: string }>(
      `INSERT INTO media (id, owner_id, kind, mime_type, size, sha256, storage_key, created_at)
       SELECT $1, owner_id, kind, mime_type, size, sha256, storage_key, created_at FROM media WHERE owner_id = $2
       RETURNING id`,
      [randomUUID(), ann.id],
    );
    expect((await ann.http.get(`/api/media/${row!.id}`)).status).toBe(200);
    const refused = await ben.http.get(`/api/media/${row!.id}`);
    expect([refused.status, refused.code]).toEqual([404, 'MEDIA_NOT_FOUND']);
  });

  it.each([['x'], [randomUUID()], ["'"]])('does not find %s', async (id) => {
    const answer = await ann.http.get(`/api/media/${encodeURIComponent(id)}`);
    expect([answer.status, answer.code]).toEqual([404, 'MEDIA_NOT_FOUND']);
  });

  it('refuses a query that is none', async () => {
    for (const query of ['size=huge', 'expires=soon', 'width=100']) {
      expect((await ann.http.get(`${bare()}?${query}`)).status).toBe(400);
    }
  });

  describe('signatures', () => {
    it('are for one reader, one medium, one time', async () => {
      const seenByBen = (await app.running.nest.get(PublicUsers).view(ben.id, [ann.id])).get(
        ann.id,
      )?.profilePic;
      expect(seenByBen).not.toBe(address);
      expect((await app.http().get(seenByBen ?? '')).status).toBe(200);
      const changed = [
        address.replace(ann.id, ben.id),
        address.replace(/expires=(\d+)/, (_all, day: string) => `expires=${Number(day) + 1}`),
        address.replace(/signature=./, (start) => (start.endsWith('A') ? 'signature=B' : 'signature=A')),
        address.replace(/&signature=.*/, ''),
      ];
      for (const other of changed) expect((await app.http().get(other)).code).toBe('UNAUTHENTICATED');
      expect((await ben.http.get(changed[0]!)).status).toBe(200);
    });

    it('stay the same for a day, and die within two', async () => {
      const atMidnight = (): number => DAY - (app.clock.nowMs() % DAY);
      app.clock.advance(atMidnight());
      const first = await freshAddress();
      app.clock.advance(DAY - 1);
      expect(await freshAddress()).toBe(first);
      expect((await app.http().get(first)).status).toBe(200);
      app.clock.advance(1);
      expect(await freshAddress()).not.toBe(first);
      expect((await app.http().get(first)).status).toBe(200);
      app.clock.advance(DAY);
      expect((await app.http().get(first)).code).toBe('UNAUTHENTICATED');
      address = await freshAddress();
    });
  });

  describe('parts and conditions', () => {
    const get = (headers: Record<string, string>, path = address) => app.http().get(path, { headers });

    it.each([
      ['bytes=0-9', 0, 9],
      ['bytes=10-', 10, undefined],
      ['bytes=-5', -5, undefined],
      ['bytes=0-999999', 0, undefined],
    ])('answers %s', async (range, start, end) => {
      const answer = await get({ Range: range });
      const expected = end === undefined ? whole.subarray(start) : whole.subarray(start, end + 1);
      expect(answer.status).toBe(206);
      expect(answer.bytes).toEqual(expected);
      const first = start < 0 ? whole.length + start : start;
      expect(answer.headers['content-range']).toBe(
        `bytes ${first}-${first + expected.length - 1}/${whole.length}`,
      );
      expect(answer.headers['content-length']).toBe(String(expected.length));
    });

    it('answers a range of the thumbnail', async () => {
      const thumbnail = await get({}, `${address}&size=thumbnail`);
      expect(thumbnail.headers['content-length']).toBe(String(thumbnail.bytes.length));
      const answer = await get({ Range: 'bytes=2-5' }, `${address}&size=thumbnail`);
      expect(answer.status).toBe(206);
      expect(answer.bytes).toEqual(thumbnail.bytes.subarray(2, 6));
      expect(thumbnail.headers.etag).not.toBe((await get({})).headers.etag);
    });

    it('refuses a range outside the file', async () => {
      const answer = await get({ Range: `bytes=${whole.length}-` });
      expect(answer.status).toBe(416);
      expect(answer.headers['content-range']).toBe(`bytes */${whole.length}`);
      expect(answer.bytes).toHaveLength(0);
    });

    it.each([['bytes=0-1,4-5'], ['lines=1-2'], ['nonsense']])(
      'answers the whole file for %s',
      async (range) => {
        const answer = await get({ Range: range });
        expect(answer.status).toBe(200);
        expect(answer.bytes).toEqual(whole);
      },
    );

    it('answers a part only of the version that If-Range names', async () => {
      const { etag = '' } = (await get({})).headers;
      expect((await get({ Range: 'bytes=0-1', 'If-Range': etag })).status).toBe(206);
      expect((await get({ Range: 'bytes=0-1', 'If-Range': '"other"' })).status).toBe(200);
    });

    it('answers 304 to who has the bytes already', async () => {
      const { etag = '' } = (await get({})).headers;
      for (const tag of [etag, `"other", W/${etag}`, '*']) {
        const answer = await get({ 'If-None-Match': tag });
        expect(answer.status).toBe(304);
        expect(answer.bytes).toHaveLength(0);
        expect(answer.headers.etag).toBe(etag);
      }
      expect((await get({ 'If-None-Match': '"other"' })).status).toBe(200);
    });

    it('answers HEAD with the headers alone', async () => {
      const answer = await app.http().raw({ method: 'HEAD', path: address }, { undocumented: true });
      expect(answer.status).toBe(200);
      expect(answer.headers['content-length']).toBe(String(whole.length));
      expect(answer.headers['content-type']).toBe('image/webp');
    });

    it('says 404 when the file is gone', async () => {
      await app.sql("UPDATE media SET storage_key = '00000000' WHERE owner_id = $1", [ann.id]);
      expect((await get({})).code).toBe('MEDIA_NOT_FOUND');
    });
  });
});
