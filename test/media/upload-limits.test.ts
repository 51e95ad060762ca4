import { watch } from 'node:fs/promises';
import { request } from 'node:http';
import path from 'node:path';
import { startApp, useApp, type TestPerson } from '../support/app.js';
import { makePair } from '../support/people.js';
import { filesOf } from './files.js';
import { makePicture } from './pictures.js';
import { makeIsoMedia, makeMp3, makeWav } from './sounds-and-films.js';
import { bytesOf, keepingAll, upload, uploaded } from './upload-support.js';

const MB = 1024 * 1024;
const app = useApp({
  env: { MAX_IMAGE_MB: '1', MAX_AUDIO_MB: '2', MAX_VIDEO_MB: '4', MAX_DOCUMENT_MB: '3' },
});

let ann: TestPerson;
beforeAll(async () => {
  ann = await app.registerUser();
});

const padded = (content: Buffer, size: number): Buffer =>
  Buffer.concat([content, Buffer.alloc(size - content.length)]);
const film = makeIsoMedia({ video: { width: 4, height: 4 } });

describe('each kind has its own limit', () => {
  it.each<[string, () => Buffer | Promise<Buffer>, number]>([
    ['a picture', () => makePicture('jpeg'), 1],
    ['a sound', () => makeMp3(20), 2],
    ['a film', () => film, 4],
    ['a sound in a container of films', () => makeIsoMedia({}), 2],
    ['a text', () => Buffer.from('a'), 3],
    ['a PDF', () => Buffer.from('%PDF-1.7\n'), 3],
  ])('%s', async (what, make, megabytes) => {
    const start = await make();
    const filled = (size: number): Buffer =>
      what === 'a text' ? Buffer.alloc(size, 'a') : padded(start, size);
    expect((await upload(ann, filled(megabytes * MB))).status).toBe(201);
    const answer = await keepingAll(app, () => upload(ann, filled(megabytes * MB + 1)));
    expect([answer.status, answer.code]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
  });

  it('also in a message', async () => {
    const { ann: sender, chatId } = await makePair(app);
    const content = padded(await makePicture('jpeg'), MB + 1);
    const files = [{ name: 'media', fileName: 'a.mp4', content }];
    const answer = await keepingAll(app, () =>
      sender.http.multipart('POST', `/api/chats/${chatId}/messages`, {}, files),
    );
    expect([answer.status, answer.code]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
  });
});

/** Begins an upload by hand and sends only what it is told to. */
function begin(headers: Record<string, string>, person = ann) {
  const client = request(`${app.url}/api/media`, {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${person.token}`,
      'Content-Type': 'multipart/form-data; boundary=x',
      ...headers,
    },
  });
  client.on('error', () => undefined);
  const answered = new Promise<{ status: number; connection: string | undefined }>((resolve, reject) => {
    client.once('response', (response) => {
      response.resume();
      resolve({ status: response.statusCode ?? 0, connection: response.headers.connection });
    });
    client.once('close', () => {
      reject(new Error('the connection was closed without an answer'));
    });
  });
  return { client, answered };
}
const PART = '--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n';

describe('a body that is too large', () => {
  it('is refused by its announced length, before any of it is read', async () => {
    const { client, answered } = begin({ 'Content-Length': String(2 * 1024 ** 3) });
    client.flushHeaders();
    expect(await answered).toMatchObject({ status: 413, connection: 'close' });
    client.destroy();
  });

  it('is refused by what the route takes', async () => {
    const length = String(2.5 * MB);
    const answer = await app.http(ann.token).raw({
      method: 'PUT',
      path: '/api/auth/update-profile',
      headers: { 'Content-Type': 'multipart/form-data; boundary=x', 'Content-Length': length },
      body: '',
    });
    expect([answer.status, answer.code]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
  });

  it('is refused as soon as it is, when it has no announced length and no end', async () => {
    const picture = await makePicture('jpeg');
    const before = await filesOf(app);
    const { client, answered } = begin({ 'Transfer-Encoding': 'chunked' });
    client.write(PART);
    client.write(picture);
    let sent = picture.length;
    const block = Buffer.alloc(64 * 1024);
    const flood = (): void => {
      if (client.destroyed || sent > 50 * MB) return;
      sent += block.length;
      if (client.write(block)) setImmediate(flood);
      else client.once('drain', flood);
    };
    flood();
    expect((await answered).status).toBe(413);
    client.destroy();
    // What was under way between the two sockets, and no more.
    expect(sent).toBeLessThan(20 * MB);
    expect(await filesOf(app)).toEqual(before);
  });
});

describe('an upload that ends in the middle', () => {
  it('leaves no file', async () => {
    const before = await filesOf(app);
    const events = watch(path.join(app.dataDir, 'tmp'))[Symbol.asyncIterator]();
    const { client, answered } = begin({ 'Content-Length': '100000' });
    answered.catch(() => undefined);
    client.write(PART + 'x'.repeat(70_000));
    await events.next();
    client.destroy();
    while ((await filesOf(app)).temporary.length > 0) await events.next();
    await events.return?.();
    expect(await filesOf(app)).toEqual(before);
  });
});

describe('what is no upload', () => {
  it('is refused', async () => {
    const json = await ann.http.post('/api/media', { file: 'a' });
    expect([json.status, json.code]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
    const nothing = await ann.http.multipart('POST', '/api/media', {}, []);
    expect(nothing.body.details).toEqual([{ field: 'file', message: 'must be a file' }]);
    const part = { fileName: 'a.txt', content: Buffer.from('a') };
    const other = await keepingAll(app, () =>
      ann.http.multipart('POST', '/api/media', {}, [{ name: 'media', ...part }]),
    );
    expect(other.body.details).toMatchObject([{ field: 'media' }]);
    const field = await keepingAll(app, () =>
      ann.http.multipart('POST', '/api/media', { kind: 'IMAGE' }, [{ name: 'file', ...part }]),
    );
    expect(field.body.details).toMatchObject([{ field: 'kind' }]);
    const two = await keepingAll(app, () =>
      ann.http.multipart('POST', '/api/media', {}, [
        { name: 'file', ...part },
        { name: 'file', ...part },
      ]),
    );
    expect(two.status).toBe(400);
  });
});

describe('a name', () => {
  it.each([
    ['with a path', '../../../etc/passwd', 'passwd'],
    ['with a path of Windows', 'C:\\\\temp\\\\a.txt', 'a.txt'],
    ['that turns its direction', 'invoice\u202efdp.exe', 'invoicefdp.exe'],
    ['in other scripts', 'отчёт 報告.txt', 'отчёт 報告.txt'],
    ['with nothing in it to see', '\u202e\u2066', null],
    ['of 10 kB', `${'n'.repeat(10_240)}.txt`, `${'n'.repeat(196)}.txt`],
    ['that ends a header', 'a%0D%0AX-Evil: 1.txt', 'aX-Evil_ 1.txt'],
    ['with quotes', 'a%22; filename=%22evil.html', 'a_; filename=_evil.html'],
  ])('%s is harmless', async (_what, given, expected) => {
    const body = Buffer.from(
      `--x\r\nContent-Disposition: form-data; name="file"; filename="${given}"\r\n\r\nhello\r\n--x--\r\n`,
    );
    const headers = { 'Content-Type': 'multipart/form-data; boundary=x' };
    const answer = await app.http(ann.token).raw({ method: 'POST', path: '/api/media', headers, body });
    expect(answer).toMatchObject({ status: 201, data: { fileName: expected } });
    const file = await app.http().get(answer.data.url as string);
    expect(file.headers['content-disposition']).toMatch(/^attachment/);
    expect(file.headers['x-evil']).toBeUndefined();
    const [, encoded] = /filename\*=UTF-8''(\S+)/.exec(file.headers['content-disposition'] ?? '') ?? [];
    if (encoded !== undefined) expect(decodeURIComponent(encoded)).toBe(expected);
    const { uploads } = await filesOf(app);
    expect(uploads.filter((name) => !/^[0-9a-f]{40}\.\w{1,8}$/.test(name))).toEqual([]);
  });

  it('with a NUL is harmless', async () => {
    const body = Buffer.from(
      '--x\r\nContent-Disposition: form-data; name="file"; filename="a\u0000b.txt"\r\n\r\nhello\r\n--x--\r\n',
    );
    const headers = { 'Content-Type': 'multipart/form-data; boundary=x' };
    const answer = await keepingAllUnlessStored(() =>
      app.http(ann.token).raw({ method: 'POST', path: '/api/media', headers, body }),
    );
    expect([201, 400]).toContain(answer.status);
    if (answer.status === 201) expect(answer.data.fileName).not.toContain('\u0000');
  });
});

async function keepingAllUnlessStored<T extends { status: number }>(work: () => Promise<T>): Promise<T> {
  const before = await filesOf(app);
  const result = await work();
  if (result.status !== 201) expect(await filesOf(app)).toEqual(before);
  return result;
}

it('is served as what it is, and shown in place only where nothing can run', async () => {
  const served = async (content: Buffer, name: string) => {
    const { url } = await uploaded(ann, content, name);
    const { headers } = await app.http().get(url, { undocumented: true });
    return [headers['content-type'], headers['content-disposition'], headers['content-security-policy']];
  };
  const nothingRuns = "default-src 'none'; sandbox";
  const svg = '<svg xmlns="http://www.w3.org/2000/svg"/>';
  expect(await served(Buffer.from(svg), 'a.svg')).toEqual([
    'image/svg+xml',
    'attachment; filename="a.svg"',
    nothingRuns,
  ]);
  expect(await served(Buffer.from('<html>'), 'a.html')).toEqual([
    'text/plain',
    'attachment; filename="a.html"',
    nothingRuns,
  ]);
  expect((await served(Buffer.from('%PDF-1.7\n'), 'a.pdf')).slice(0, 2)).toEqual([
    'application/pdf',
    'attachment; filename="a.pdf"',
  ]);
  expect((await served(makeWav(100), 'a.wav')).slice(0, 2)).toEqual([
    'audio/wav',
    'inline; filename="a.wav"',
  ]);
  expect((await served(film, 'a.mp4')).slice(0, 2)).toEqual(['video/mp4', 'inline; filename="a.mp4"']);
});

it('is served in parts, a text too', async () => {
  const content = Buffer.from('0123456789'.repeat(1000));
  const { url } = await uploaded(ann, content, 'a.txt');
  const headers = { 'Accept-Encoding': 'gzip' };
  const whole = await app.http().get(url, { headers });
  expect(whole.headers).toMatchObject({ 'content-length': '10000', 'accept-ranges': 'bytes' });
  expect(whole.headers['content-encoding']).toBeUndefined();
  const part = await app.http().get(url, { headers: { ...headers, Range: 'bytes=9995-' } });
  expect([part.status, part.bytes.toString()]).toEqual([206, '56789']);
  expect(await bytesOf(app, url)).toBeDefined();
});

describe('uploads', () => {
  it('are limited to 30 a minute and person, messages with files included', async () => {
    const limited = await startApp({ config: { rateLimits: true } });
    try {
      const { ann: sender, chatId } = await makePair(limited);
      const content = Buffer.from('a');
      const send = () =>
        sender.http.multipart('POST', `/api/chats/${chatId}/messages`, {}, [
          { name: 'media', fileName: 'a', content },
        ]);
      for (let i = 0; i < 15; i++) {
        expect((await upload(sender, content)).status).toBe(201);
        expect((await send()).status).toBe(201);
      }
      for (const answer of [await upload(sender, content), await send()]) {
        expect(answer).toMatchObject({ status: 429, code: 'RATE_LIMITED' });
        expect(answer.headers['ratelimit-policy']).toBe('"uploads";q=30;w=60');
      }
      expect((await sender.http.post(`/api/chats/${chatId}/messages`, { text: 'a' })).status).toBe(201);
    } finally {
      await limited.close();
    }
  });
});
