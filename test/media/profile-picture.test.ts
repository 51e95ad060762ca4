import { randomUUID } from 'node:crypto';
import { watch } from 'node:fs/promises';
import { request } from 'node:http';
import path from 'node:path';
import sharp from 'sharp';
import { useApp, type TestPerson } from '../support/app.js';
import type { FilePart } from '../support/http.js';
import { filesOf } from './files.js';
import { makeBomb, makePicture, type PictureFormat } from './pictures.js';

const app = useApp({ env: { MAX_IMAGE_MB: '1' } });

const part = (content: Buffer, overrides: Partial<FilePart> = {}): FilePart => ({
  name: 'profilePic',
  fileName: 'me.png',
  content,
  ...overrides,
});
const upload = (person: TestPerson, ...files: FilePart[]) =>
  person.http.multipart('PUT', '/api/auth/update-profile', {}, files);
const bytesOf = async (address: string): Promise<Buffer> => {
  const answer = await app.http().get(address);
  expect(answer.status).toBe(200);
  return answer.bytes;
};

let ann: TestPerson;
beforeAll(async () => {
  ann = await app.registerUser();
});

describe('a profile picture', () => {
  it('comes with the registration', async () => {
    const account = { name: 'Ben', email: `${randomUUID()}@example.com`, password: 'long enough' };
    const picture = part(await makePicture('png'));
    const answer = await app.http().multipart('POST', '/api/auth/register', account, [picture]);
    expect(answer.status).toBe(201);
    const { profilePic } = answer.data.user;
    expect(profilePic).toMatch(/^\/api\/media\/[0-9a-f-]{36}\?reader=/);
    expect(await sharp(await bytesOf(profilePic)).metadata()).toMatchObject({
      format: 'webp',
      width: 40,
      height: 20,
    });
    const [row] = await app.sql(
      'SELECT owner_id, kind, mime_type, width, height, file_name FROM media WHERE owner_id = $1',
      [answer.data.user.id],
    );
    expect(row).toEqual({
      owner_id: answer.data.user.id,
      kind: 'IMAGE',
      mime_type: 'image/webp',
      width: 40,
      height: 20,
      file_name: null,
    });
  });

  it.each<[PictureFormat, string]>([
    ['jpeg', 'me.txt'],
    ['png', 'me.exe'],
    ['webp', 'me'],
    ['gif', '../../me.gif'],
    ['avif', 'me.html'],
  ])('may be %s, whatever its name says', async (format, fileName) => {
    const answer = await upload(ann, part(await makePicture(format), { fileName, type: 'text/html' }));
    expect(answer.status).toBe(200);
    expect(await sharp(await bytesOf(answer.data.profilePic)).metadata()).toMatchObject({
      format: 'webp',
      width: 40,
    });
  });

  it('is at most 1,024 pixels a side, and has a square thumbnail of 256', async () => {
    const { data } = await upload(ann, part(await makePicture('jpeg', 3000, 1500)));
    expect(await sharp(await bytesOf(data.profilePic)).metadata()).toMatchObject({
      width: 1024,
      height: 512,
    });
    const thumbnail = await bytesOf(`${data.profilePic}&size=thumbnail`);
    expect(await sharp(thumbnail).metadata()).toMatchObject({ format: 'webp', width: 256, height: 256 });
  });

  it('stands upright, and says nothing about where it was taken', async () => {
    const sideways = await sharp(await makePicture('jpeg', 400, 200))
      .withExif({
        IFD0: { Copyright: 'Ann' },
        IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '51/1 30/1 3230/100' },
      })
      .withMetadata({ orientation: 6 })
      .toBuffer();
    expect((await sharp(sideways).metadata()).orientation).toBe(6);
    const { data } = await upload(ann, part(sideways));
    const { width, height, exif, orientation } = await sharp(await bytesOf(data.profilePic)).metadata();
    expect({ width, height, exif, orientation }).toEqual({
      width: 200,
      height: 400,
      exif: undefined,
      orientation: undefined,
    });
  });

  it('replaces the old one, whose row and files go', async () => {
    const person = await app.registerUser();
    const first = await upload(person, part(await makePicture('png')));
    const before = await filesOf(app);
    const second = await upload(person, part(await makePicture('png', 30, 30)));
    expect(second.data.profilePic).not.toBe(first.data.profilePic);
    expect((await app.http().get(first.data.profilePic)).code).toBe('MEDIA_NOT_FOUND');
    expect(await app.sql('SELECT 1 FROM media WHERE owner_id = $1', [person.id])).toHaveLength(1);
    const after = await filesOf(app);
    expect(after.uploads).toHaveLength(before.uploads.length);
    expect(after.temporary).toEqual([]);
    const other = await person.http.put('/api/auth/update-profile', { bio: 'x' });
    expect(other.data.profilePic).toBe(second.data.profilePic);
  });

  it('is one picture, also when several come at once', async () => {
    const person = await app.registerUser();
    const before = await filesOf(app);
    const picture = await makePicture('png');
    const answers = await Promise.all(Array.from({ length: 5 }, () => upload(person, part(picture))));
    expect(answers.map(({ status }) => status)).toEqual(Array(5).fill(200));
    expect(await app.sql('SELECT 1 FROM media WHERE owner_id = $1', [person.id])).toHaveLength(1);
    expect((await filesOf(app)).uploads).toHaveLength(before.uploads.length + 2);
  });
});

describe('what is no picture', () => {
  const leavesNothing = async <T>(work: () => Promise<T>): Promise<T> => {
    const before = await filesOf(app);
    const rows = await app.sql('SELECT id FROM media ORDER BY id');
    const result = await work();
    expect(await filesOf(app)).toEqual({ uploads: before.uploads, temporary: [] });
    expect(await app.sql('SELECT id FROM media ORDER BY id')).toEqual(rows);
    return result;
  };

  it.each([
    ['text', Buffer.from('hello')],
    ['an SVG', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><rect width="1" height="1"/></svg>')],
    ['a PDF', Buffer.from('%PDF-1.7\n%âãÏÓ\n1 0 obj\n')],
    ['a page', Buffer.from('<!doctype html><script>alert(1)</script>')],
    ['an empty file', Buffer.alloc(0)],
  ])('is refused: %s', async (_what, content) => {
    const answer = await leavesNothing(() => upload(ann, part(content, { type: 'image/png' })));
    expect([answer.status, answer.code]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
  });

  it('is refused: a small file of billions of pixels', async () => {
    const bomb = makeBomb(50_000, 50_000);
    expect(bomb.length).toBeLessThan(200);
    const answer = await leavesNothing(() => upload(ann, part(bomb)));
    expect([answer.status, answer.code]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
    expect(answer.body.message).toBe('The picture has too many pixels: 50 million are the most.');
  });

  it('is refused: a damaged picture', async () => {
    const whole = await makePicture('jpeg', 600, 600, '#c0ffee');
    const answer = await leavesNothing(() => upload(ann, part(whole.subarray(0, whole.length / 2))));
    expect([answer.status, answer.code]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
  });

  it('is refused: a file above the limit', async () => {
    const answer = await leavesNothing(() => upload(ann, part(Buffer.alloc(1024 * 1024 + 1))));
    expect([answer.status, answer.code]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
  });

  it('is refused: a file in another field', async () => {
    const answer = await leavesNothing(async () =>
      upload(ann, part(await makePicture('png'), { name: 'avatar' })),
    );
    expect(answer.status).toBe(400);
    expect(answer.body.details).toEqual([
      { field: 'avatar', message: 'is not a file field of this request' },
    ]);
  });

  it('is refused: two files', async () => {
    const picture = part(await makePicture('png'));
    const answer = await leavesNothing(() => upload(ann, picture, picture));
    expect(answer.status).toBe(400);
    expect(answer.body.details[0].field).toBe('profilePic');
  });

  it('leaves no file of a form with a bad field', async () => {
    const picture = part(await makePicture('png'));
    const answer = await leavesNothing(() =>
      ann.http.multipart('PUT', '/api/auth/update-profile', { email: 'nobody' }, [picture]),
    );
    expect(answer.status).toBe(400);
    expect(answer.body.details[0].field).toBe('email');
  });

  it('leaves no file of a registration whose address is taken', async () => {
    const picture = part(await makePicture('png'));
    const account = { name: 'Ann', email: ann.email, password: 'long enough' };
    const answer = await leavesNothing(() =>
      app.http().multipart('POST', '/api/auth/register', account, [picture]),
    );
    expect(answer.code).toBe('EMAIL_TAKEN');
  });

  it('leaves no file when the client goes away in the middle', async () => {
    const events = watch(path.join(app.dataDir, 'tmp'))[Symbol.asyncIterator]();
    const client = request(`${app.url}/api/auth/update-profile`, {
      method: 'PUT',
      headers: {
        Authorization: `Bearer ${ann.token}`,
        'Content-Type': 'multipart/form-data; boundary=x',
        'Content-Length': '100000',
      },
    });
    client.on('error', () => undefined);
    client.write(
      '--x\r\nContent-Disposition: form-data; name="profilePic"; filename="a.png"\r\n\r\nsome bytes',
    );
    await events.next();
    client.destroy();
    while ((await filesOf(app)).temporary.length > 0) await events.next();
    await events.return?.();
  });

  it('is refused where no form is taken', async () => {
    const answer = await ann.http.multipart(
      'POST',
      '/api/auth/change-password',
      { currentPassword: 'x' },
      [],
    );
    expect([answer.status, answer.code]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
  });
});
