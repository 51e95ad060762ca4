import type { TestApp, TestPerson } from '../support/app.js';
import type { Answer } from '../support/http.js';
import { filesOf } from './files.js';

export interface UploadedMedia {
  id: string;
  kind: string;
  mimeType: string;
  size: number;
  sha256: string;
  fileName: string | null;
  width: number | null;
  height: number | null;
  durationMs: number | null;
  url: string;
  thumbnailUrl: string | null;
}

export function upload(
  person: TestPerson,
  content: Buffer,
  fileName = 'file',
  type?: string,
): Promise<Answer<UploadedMedia>> {
  return person.http.multipart<UploadedMedia>('POST', '/api/media', {}, [
    { name: 'file', fileName, content, ...(type && { type }) },
  ]);
}

export async function uploaded(
  person: TestPerson,
  content: Buffer,
  fileName = 'file',
): Promise<UploadedMedia> {
  const answer = await upload(person, content, fileName);
  expect(answer.status).toBe(201);
  return answer.data;
}

/** The bytes as the server hands them out, past the check of a JSON answer against a schema. */
export async function bytesOf(app: TestApp, url: string): Promise<Buffer> {
  const answer = await app.http().get(url, { undocumented: true });
  expect(answer.status).toBe(200);
  return answer.bytes;
}

/** Everything that is kept of media: rows, files, files in the making. */
export async function keptBy(app: TestApp): Promise<object> {
  const [media, loose, files] = await Promise.all([
    app.sql('SELECT id FROM media ORDER BY id'),
    app.sql('SELECT key FROM loose_file ORDER BY key'),
    filesOf(app),
  ]);
  return { media, loose, ...files };
}

/** Runs `work` and expects that nothing of media was added or taken away. */
export async function keepingAll<T>(app: TestApp, work: () => Promise<T>): Promise<T> {
  const before = await keptBy(app);
  const result = await work();
  expect(await keptBy(app)).toEqual(before);
  return result;
}
