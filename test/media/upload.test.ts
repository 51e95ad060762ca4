import { createHash } from 'node:crypto';
import sharp from 'sharp';
import { useApp, type TestPerson } from '../support/app.js';
import { makeBomb, makePicture, type PictureFormat } from './pictures.js';
import { makeIsoMedia, makeMp3, makeOpus, makeWav, makeWebm } from './sounds-and-films.js';
import { bytesOf, keepingAll, upload, uploaded } from './upload-support.js';

const app = useApp();

let ann: TestPerson;
beforeAll(async () => {
  ann = await app.registerUser();
});

const svg = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>';
const page = '<!doctype html><script>alert(1)</script>';
const pdf = '%PDF-1.7\n1 0 obj\n<<>>\nendobj\n';
const zip = Buffer.concat([Buffer.from('504b0506', 'hex'), Buffer.alloc(18)]);

describe('the kind of an upload is that of its bytes', () => {
  it.each<[string, () => Buffer | Promise<Buffer>, string, object]>([
    [
      'JPEG',
      () => makePicture('jpeg'),
      'a.mp3',
      { kind: 'IMAGE', mimeType: 'image/jpeg', width: 40, height: 20 },
    ],
    [
      'PNG',
      () => makePicture('png'),
      'a.pdf',
      { kind: 'IMAGE', mimeType: 'image/png', width: 40, height: 20 },
    ],
    [
      'WebP',
      () => makePicture('webp'),
      'a',
      { kind: 'IMAGE', mimeType: 'image/webp', width: 40, height: 20 },
    ],
    [
      'GIF',
      () => makePicture('gif'),
      'a.gif',
      { kind: 'IMAGE', mimeType: 'image/gif', width: 40, height: 20 },
    ],
    [
      'AVIF',
      () => makePicture('avif'),
      'a.html',
      { kind: 'IMAGE', mimeType: 'image/avif', width: 40, height: 20 },
    ],
    [
      'MP4',
      () => makeIsoMedia({ durationMs: 2345, video: { width: 640, height: 360 } }),
      'a.jpg',
      { kind: 'VIDEO', mimeType: 'video/mp4', width: 640, height: 360, durationMs: 2345 },
    ],
    [
      'MP4 with 64-bit times',
      () => makeIsoMedia({ durationMs: 9_000_000, version: 1, video: { width: 1920, height: 1080 } }),
      'a.mp4',
      { kind: 'VIDEO', width: 1920, height: 1080, durationMs: 9_000_000 },
    ],
    [
      'MP4 filmed upright',
      () => makeIsoMedia({ video: { width: 1920, height: 1080, turned: true } }),
      'a.mp4',
      { kind: 'VIDEO', width: 1080, height: 1920 },
    ],
    [
      'MP4 in fragments',
      () => makeIsoMedia({ durationMs: 4000, fragmented: 'mehd', video: { width: 64, height: 64 } }),
      'a.mp4',
      { kind: 'VIDEO', durationMs: 4000 },
    ],
    [
      'MP4 in fragments with an index',
      () => makeIsoMedia({ durationMs: 4500, fragmented: 'sidx', video: { width: 64, height: 64 } }),
      'a.mp4',
      { kind: 'VIDEO', durationMs: 4500 },
    ],
    [
      'QuickTime',
      () => makeIsoMedia({ brand: 'qt', video: { width: 320, height: 240 } }),
      'a.mov',
      { kind: 'VIDEO', mimeType: 'video/quicktime', width: 320, height: 240, durationMs: 1500 },
    ],
    [
      'MP4 without pictures',
      () => makeIsoMedia({ durationMs: 700 }),
      'a.mp4',
      { kind: 'AUDIO', mimeType: 'audio/mp4', width: null, height: null, durationMs: 700 },
    ],
    [
      'M4A',
      () => makeIsoMedia({ brand: 'M4A ' }),
      'a',
      { kind: 'AUDIO', mimeType: 'audio/mp4', durationMs: 1500 },
    ],
    [
      'WebM',
      () => makeWebm({ durationMs: 1234, video: { width: 800, height: 600 } }),
      'a.webm',
      { kind: 'VIDEO', mimeType: 'video/webm', width: 800, height: 600, durationMs: 1234 },
    ],
    [
      'WebM that a browser recorded',
      () => makeWebm({ durationMs: 5600, recorded: true, video: { width: 80, height: 60 } }),
      'a.webm',
      { kind: 'VIDEO', durationMs: 5600, width: 80, height: 60 },
    ],
    [
      'WebM of a voice',
      () => makeWebm({ durationMs: 3000, recorded: true }),
      'a.webm',
      { kind: 'AUDIO', mimeType: 'audio/webm', durationMs: 3000, width: null },
    ],
    ['MP3', () => makeMp3(50), 'a.txt', { kind: 'AUDIO', mimeType: 'audio/mpeg', durationMs: 1800 }],
    ['Ogg Opus', () => makeOpus(2500), 'a.ogg', { kind: 'AUDIO', mimeType: 'audio/ogg', durationMs: 2500 }],
    ['WAV', () => makeWav(1250), 'a.wav', { kind: 'AUDIO', mimeType: 'audio/wav', durationMs: 1250 }],
    ['PDF', () => Buffer.from(pdf), 'a.jpg', { kind: 'DOCUMENT', mimeType: 'application/pdf', width: null }],
    ['ZIP', () => zip, 'a.zip', { kind: 'DOCUMENT', mimeType: 'application/zip' }],
    ['text', () => Buffer.from('Grüße'), 'a.exe', { kind: 'DOCUMENT', mimeType: 'text/plain' }],
    [
      'UTF-16 text',
      () => Buffer.from('\ufeffhello', 'utf16le'),
      'a.txt',
      { kind: 'DOCUMENT', mimeType: 'text/plain' },
    ],
    ['CSV', () => Buffer.from('a;b\n1;2\n'), 'a.csv', { kind: 'DOCUMENT', mimeType: 'text/csv' }],
    ['JSON', () => Buffer.from('{"a":1}'), 'a.txt', { kind: 'DOCUMENT', mimeType: 'application/json' }],
    [
      'a contact',
      () => Buffer.from('BEGIN:VCARD\r\nEND:VCARD'),
      'a',
      { kind: 'DOCUMENT', mimeType: 'text/vcard' },
    ],
    [
      'SVG',
      () => Buffer.from(svg),
      'a.png',
      { kind: 'DOCUMENT', mimeType: 'image/svg+xml', thumbnailUrl: null },
    ],
    [
      'SVG behind a prolog',
      () => Buffer.from(`<?xml version="1.0"?>\n<!-- x -->\n${svg}`),
      'a',
      { kind: 'DOCUMENT', mimeType: 'image/svg+xml' },
    ],
    ['HTML', () => Buffer.from(page), 'a.html', { kind: 'DOCUMENT', mimeType: 'text/plain' }],
    [
      'XHTML',
      () => Buffer.from(`<?xml version="1.0"?>${page}`),
      'a',
      { kind: 'DOCUMENT', mimeType: 'text/plain' },
    ],
  ])('%s', async (_what, make, fileName, expected) => {
    const content = await make();
    const answer = await upload(ann, content, fileName, 'application/x-nonsense');
    expect(answer).toMatchObject({ status: 201, data: expected });
    const { id, size, sha256, url } = answer.data;
    expect(url).toMatch(new RegExp(`^/api/media/${id}\\?reader=${ann.id}&`));
    const bytes = await bytesOf(app, url);
    expect({ size, sha256 }).toEqual({
      size: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    });
    if (answer.data.kind !== 'IMAGE') expect(bytes).toEqual(content);
  });

  it('a WebP of 512 by 512 pixels that can be seen through is a sticker', async () => {
    const square = (alpha: number): Promise<Buffer> =>
      sharp({ create: { width: 512, height: 512, channels: 4, background: { r: 9, g: 99, b: 9, alpha } } })
        .webp()
        .toBuffer();
    const sticker = await uploaded(ann, await square(0.5));
    expect(sticker).toMatchObject({ kind: 'STICKER', mimeType: 'image/webp', width: 512, height: 512 });
    const opaque = await sharp(await square(1))
      .flatten({ background: '#fff' })
      .webp()
      .toBuffer();
    expect((await uploaded(ann, opaque)).kind).toBe('IMAGE');
    expect((await uploaded(ann, await makePicture('webp', 512, 512))).kind).toBe('IMAGE');
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['noise', createHash('sha512').update('noise').digest()],
    ['a Windows program', Buffer.concat([Buffer.from('MZ'), Buffer.alloc(200)])],
    ['a Linux program', Buffer.concat([Buffer.from('7f454c4602010100', 'hex'), Buffer.alloc(200)])],
    [
      'a picture that cannot be cleaned',
      Buffer.concat([Buffer.from('49492a0008000000', 'hex'), Buffer.alloc(64)]),
    ],
  ])('%s is refused', async (_what, content) => {
    const answer = await keepingAll(app, () => upload(ann, content, 'a.txt', 'text/plain'));
    expect([answer.status, answer.code]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
  });
});

describe('a picture', () => {
  const show = async (url: string) => sharp(await bytesOf(app, url), { animated: true });

  it.each<PictureFormat>(['jpeg', 'png', 'webp', 'avif'])(
    'loses its metadata and stands upright: %s',
    async (format) => {
      const halves = await sharp({ create: { width: 60, height: 40, channels: 3, background: '#ff0000' } })
        .composite([
          {
            input: { create: { width: 30, height: 40, channels: 3, background: '#0000ff' } },
            left: 0,
            top: 0,
          },
        ])
        .toFormat(format, { quality: 100 })
        .withExif({
          IFD0: { Copyright: 'Ann', Orientation: '6' },
          IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '51/1 30/1 3230/100' },
        })
        .toBuffer();
      expect((await sharp(halves).metadata()).exif).toBeDefined();
      const { url, width, height } = await uploaded(ann, halves);
      const picture = await show(url);
      const found = await picture.metadata();
      expect(found).toMatchObject({ format: format === 'avif' ? 'heif' : format });
      expect([found.exif, found.xmp, found.iptc, found.orientation ?? 1]).toEqual([
        undefined,
        undefined,
        undefined,
        1,
      ]);
      const turned = (await sharp(halves).metadata()).orientation === 6;
      expect([width, height]).toEqual(turned ? [40, 60] : [60, 40]);
      const { data, info } = await picture.removeAlpha().raw().toBuffer({ resolveWithObject: true });
      const at = (x: number, y: number): number[] => [
        ...data.subarray((y * info.width + x) * 3, (y * info.width + x) * 3 + 3),
      ];
      // Turned by 90 degrees to the right, what was on the left is on top.
      const [blue, red] = turned ? [at(20, 5), at(20, 55)] : [at(5, 20), at(55, 20)];
      expect(blue[2]!).toBeGreaterThan(200);
      expect(red[0]!).toBeGreaterThan(200);
      expect(blue[0]! + red[2]!).toBeLessThan(60);
    },
  );

  it('keeps its colours when they were those of another profile', async () => {
    const wide = await sharp({ create: { width: 20, height: 20, channels: 3, background: '#30a050' } })
      .withIccProfile('p3')
      .jpeg({ quality: 100 })
      .toBuffer();
    expect((await sharp(wide).metadata()).icc).toBeDefined();
    const { url } = await uploaded(ann, wide);
    const picture = await show(url);
    expect((await picture.metadata()).icc).toBeUndefined();
    const [red, green, blue] = await picture.raw().toBuffer();
    expect(Math.abs(red! - 0x30) + Math.abs(green! - 0xa0) + Math.abs(blue! - 0x50)).toBeLessThan(12);
  });

  it.each(['gif', 'webp'] as const)('moves as before: %s', async (format) => {
    const frames = await Promise.all(
      ['#ff0000', '#00ff00', '#0000ff'].map((colour) => makePicture('png', 30, 20, colour)),
    );
    const animation = await sharp(frames, { join: { animated: true } })
      .toFormat(format, { delay: [100, 200, 300], loop: 2 })
      .toBuffer();
    const media = await uploaded(ann, animation);
    expect(media).toMatchObject({ kind: 'IMAGE', width: 30, height: 20 });
    expect(await (await show(media.url)).metadata()).toMatchObject({
      pages: 3,
      pageHeight: 20,
      delay: [100, 200, 300],
      loop: 2,
    });
    const thumbnail = await sharp(await bytesOf(app, media.thumbnailUrl!)).metadata();
    expect(thumbnail).toMatchObject({ format: 'webp', width: 256, height: 256 });
    expect(thumbnail.pages ?? 1).toBe(1);
  });

  it('has a square thumbnail, and keeps its size', async () => {
    const media = await uploaded(ann, await makePicture('jpeg', 3000, 1500));
    expect(media).toMatchObject({ width: 3000, height: 1500 });
    expect(await sharp(await bytesOf(app, media.thumbnailUrl!)).metadata()).toMatchObject({
      format: 'webp',
      width: 256,
      height: 256,
    });
  });

  it('is refused when a small file has too many pixels', async () => {
    const answer = await keepingAll(app, () => upload(ann, makeBomb(50_000, 50_000), 'a.png'));
    expect([answer.status, answer.code]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
  });

  it('is refused when all its frames together have too many pixels', async () => {
    const frames = await Promise.all(
      ['#ff0000', '#0000ff'].map((colour) => makePicture('png', 2000, 2000, colour)),
    );
    const long = await sharp(
      Array.from({ length: 13 }, (_, i) => frames[i % 2]!),
      { join: { animated: true }, limitInputPixels: false },
    )
      .gif({ effort: 1 })
      .toBuffer();
    expect(long.length).toBeLessThan(500_000);
    const answer = await keepingAll(app, () => upload(ann, long, 'a.gif'));
    expect([answer.status, answer.code]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
  });

  it('is refused when it is damaged', async () => {
    const whole = await makePicture('jpeg', 600, 600, '#c0ffee');
    const answer = await keepingAll(app, () => upload(ann, whole.subarray(0, whole.length / 2)));
    expect([answer.status, answer.code]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
  });
});

describe('sound and film that lie', () => {
  it.each([
    [
      'lengths of boxes',
      Buffer.concat([makeIsoMedia({ sound: false }), Buffer.from('7fffffff6d6f6f76', 'hex')]),
    ],
    [
      'an endless box',
      Buffer.concat([makeIsoMedia({ sound: false }), Buffer.from('000000006d6f6f76', 'hex')]),
    ],
    [
      'a box of no length',
      Buffer.concat([makeIsoMedia({ sound: false }), Buffer.from('000000016d6f6f760000000000000000', 'hex')]),
    ],
    ['half a film', makeWebm({ durationMs: 1000 }).subarray(0, 50)],
    ['a film of zeros', Buffer.concat([makeWebm({ durationMs: 1000 }).subarray(0, 24), Buffer.alloc(5000)])],
  ])('%s: are kept as they are', async (_what, content) => {
    const media = await uploaded(ann, content);
    expect(await bytesOf(app, media.url)).toEqual(content);
  });
});

describe('a text that is made to be hard to tell', () => {
  it.each([
    ['comments before nothing', `${'<!---->'.repeat(9_000)}x`, 'text/plain'],
    ['white space before nothing', `${' '.repeat(60_000)}x`, 'text/plain'],
    ['comments before a picture', `${'<!-- a -->\n'.repeat(100)}<svg xmlns="x"/>`, 'image/svg+xml'],
  ])('is told: %s', async (_name, text, mimeType) => {
    const answer = await upload(ann, Buffer.from(text), 'a.bin');
    expect(answer).toMatchObject({ status: 201, data: { kind: 'DOCUMENT', mimeType } });
  });

  it.each(['constructor', '__proto__', 'toString'])(
    'is a text, whatever it is called: a.%s',
    async (extension) => {
      const answer = await upload(ann, Buffer.from('hello'), `a.${extension}`);
      expect(answer).toMatchObject({ status: 201, data: { mimeType: 'text/plain' } });
    },
  );
});
