import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { CloudinaryStorage } from '../../src/infra/storage/cloudinary.storage.js';
import { LocalStorage } from '../../src/infra/storage/local.storage.js';
import type { Storage } from '../../src/infra/storage/storage.js';
import { FakeCloudinary } from '../fakes/cloudinary.js';
import { makeFolder } from '../support/folder.js';

const cloudinary = new FakeCloudinary();
let folder: string;

beforeAll(async () => {
  folder = await makeFolder('storages');
  await cloudinary.start();
});
afterAll(() => cloudinary.close());

function cloudinaryStorage(overrides: { apiSecret?: string; patienceMs?: number } = {}): CloudinaryStorage {
  const { env } = cloudinary;
  return new CloudinaryStorage(
    {
      cloudName: env.CLOUDINARY_CLOUD_NAME!,
      apiKey: env.CLOUDINARY_API_KEY!,
      apiSecret: overrides.apiSecret ?? env.CLOUDINARY_API_SECRET!,
      uploadPrefix: cloudinary.url,
    },
    overrides.patienceMs,
  );
}

async function fileWith(content: Buffer): Promise<string> {
  const file = path.join(folder, `source-${Math.random()}`);
  await writeFile(file, content);
  return file;
}

const content = Buffer.from(Array.from({ length: 1000 }, (_, i) => i % 251));
let made = 0;
const newFile = (mimeType: string, extension: string) => ({
  key: `${(++made).toString(16).padStart(40, '0')}.${extension}`,
  mimeType,
});

describe.each<[string, () => Storage]>([
  ['files in a folder', () => new LocalStorage(path.join(folder, 'uploads'))],
  ['Cloudinary', () => cloudinaryStorage()],
])('%s', (_name, open) => {
  it.each([
    ['image/png', 'png'],
    ['video/mp4', 'mp4'],
    ['audio/mpeg', 'mp3'],
    ['application/pdf', 'bin'],
    ['image/svg+xml', 'bin'],
  ])('keep %s, whole and in parts, until it is removed', async (mimeType, extension) => {
    const storage = open();
    const file = newFile(mimeType, extension);
    await expect(storage.read(file)).rejects.toMatchObject({ name: 'FileMissing' });
    await storage.put(file, await fileWith(content));
    expect(await buffer(await storage.read(file))).toEqual(content);
    expect(await buffer(await storage.read(file, { start: 10, end: 19 }))).toEqual(content.subarray(10, 20));
    expect(await buffer(await storage.read(file, { start: 999, end: 999 }))).toEqual(content.subarray(999));
    await storage.remove(file);
    await expect(storage.read(file)).rejects.toMatchObject({ name: 'FileMissing' });
    await expect(storage.remove(file)).resolves.toBeUndefined();
  });

  it('keep files apart', async () => {
    const storage = open();
    const [one, other] = [newFile('text/plain', 'bin'), newFile('text/plain', 'bin')];
    await storage.put(one, await fileWith(Buffer.from('one')));
    await storage.put(other, await fileWith(Buffer.from('other')));
    await storage.remove(one);
    expect((await buffer(await storage.read(other))).toString()).toBe('other');
  });

  it('take a file that does not exist for a failure', async () => {
    await expect(open().put(newFile('image/png', 'png'), path.join(folder, 'nothing'))).rejects.toThrow();
  });
});

describe('Cloudinary', () => {
  const file = () => newFile('image/png', 'png');

  it('delivers nothing without the right signature', async () => {
    const stored = file();
    await cloudinaryStorage().put(stored, await fileWith(content));
    const publicId = stored.key.replace('.png', '');
    const asset = cloudinary.assets.get(`image/authenticated/${publicId}`);
    expect(asset).toMatchObject({ type: 'authenticated', content });
    const plain = await fetch(
      `${cloudinary.url}/${cloudinary.env.CLOUDINARY_CLOUD_NAME}/image/authenticated/${publicId}`,
    );
    expect(plain.status).toBe(401);
    const thief = cloudinaryStorage({ apiSecret: 'guessed' });
    await expect(thief.read(stored)).rejects.toThrow('401');
    await expect(thief.remove(stored)).rejects.toThrow('Invalid Signature');
    await expect(thief.put(file(), await fileWith(content))).rejects.toThrow('Invalid Signature');
  });

  it.each(['error', 'cut'] as const)('says so when it fails: %s', async (trouble) => {
    const storage = cloudinaryStorage();
    const stored = file();
    cloudinary.plan('upload', trouble);
    await expect(storage.put(stored, await fileWith(content))).rejects.toThrow();
    await storage.put(stored, await fileWith(content));
    cloudinary.plan('delivery', trouble);
    await expect(storage.read(stored)).rejects.toThrow();
    cloudinary.plan('destroy', trouble);
    await expect(storage.remove(stored)).rejects.toThrow();
    expect(await buffer(await storage.read(stored))).toEqual(content);
  });

  it('is not waited for without end', async () => {
    const storage = cloudinaryStorage({ patienceMs: 150 });
    cloudinary.plan('upload', 'hang');
    await expect(storage.put(file(), await fileWith(content))).rejects.toThrow();
    cloudinary.plan('delivery', 'hang');
    await expect(storage.read(file())).rejects.toThrow('in time');
    cloudinary.plan('destroy', 'hang');
    await expect(storage.remove(file())).rejects.toThrow();
  });

  it('says which files it will never take', async () => {
    cloudinary.plan('upload', 'refuse');
    await expect(cloudinaryStorage().put(file(), await fileWith(content))).rejects.toMatchObject({
      name: 'FileRefused',
    });
  });

  it('may send the whole for a part', async () => {
    const storage = cloudinaryStorage();
    const stored = newFile('video/mp4', 'mp4');
    await storage.put(stored, await fileWith(Buffer.concat(Array.from({ length: 300 }, () => content))));
    cloudinary.plan('delivery', 'whole');
    const part = await buffer(await storage.read(stored, { start: 100_990, end: 101_009 }));
    expect(part).toEqual(Buffer.concat([content, content]).subarray(990, 1010));
  });

  it('gets in parts what is too long for one request', async () => {
    const storage = cloudinaryStorage();
    const stored = newFile('video/mp4', 'mp4');
    const long = Buffer.alloc(97_000_000, 'film');
    await storage.put(stored, await fileWith(long));
    expect([...cloudinary.parts.values()].map((parts) => parts.length)).toEqual([17]);
    expect(
      cloudinary.assets.get(`video/authenticated/${stored.key.replace('.mp4', '')}`)?.content.equals(long),
    ).toBe(true);
  }, 120_000);
});
