import path from 'node:path';
import { randomUUID } from 'node:crypto';
import { EICAR, FakeClamd, type ScanTrouble } from '../fakes/clamd.js';
import { useApp, type TestPerson, startApp } from '../support/app.js';
import { makeFolder } from '../support/folder.js';
import { makePair } from '../support/people.js';
import { makePicture } from './pictures.js';
import { keepingAll, upload, uploaded } from './upload-support.js';

const clamd = new FakeClamd(512 * 1024);
const env: Record<string, string> = {};
// Before the app starts, which then finds the address.
beforeAll(async () => {
  env.CLAMD_URL = (await clamd.start()).url;
});
const app = useApp({ env });
let ann: TestPerson;
beforeAll(async () => {
  ann = await app.registerUser();
});
afterAll(() => clamd.close());

/** A good picture that carries the virus behind its end. */
const infectedPicture = async (): Promise<Buffer> =>
  Buffer.concat([await makePicture('png'), Buffer.from(EICAR)]);

describe('with CLAMD_URL', () => {
  it('scans the very bytes that were sent', async () => {
    const picture = await makePicture('jpeg', 300, 300);
    await uploaded(ann, picture);
    expect(clamd.scanned.at(-1)).toEqual(picture);
    const long = Buffer.alloc(400_000, 'long text ');
    await uploaded(ann, long);
    expect(clamd.scanned.at(-1)).toEqual(long);
  });

  const ways: [string, (content: Buffer) => Promise<{ status: number; code: string | undefined }>][] = [
    ['an upload', (content) => upload(ann, content)],
    [
      'a message',
      async (content) => {
        const { ann: sender, chatId } = await makePair(app);
        return sender.http.multipart('POST', `/api/chats/${chatId}/messages`, {}, [
          { name: 'media', fileName: 'a.png', content },
        ]);
      },
    ],
    [
      'a profile picture',
      (content) =>
        ann.http.multipart('PUT', '/api/auth/update-profile', {}, [
          { name: 'profilePic', fileName: 'a.png', content },
        ]),
    ],
    [
      'the picture of a registration',
      (content) => {
        const account = { name: 'Ben', email: `${randomUUID()}@example.com`, password: 'long enough' };
        return app
          .http()
          .multipart('POST', '/api/auth/register', account, [
            { name: 'profilePic', fileName: 'a.png', content },
          ]);
      },
    ],
    [
      'the picture of a group',
      async (content) => {
        const { ann: owner, ben } = await makePair(app);
        const fields = { type: 'GROUP', name: 'Garden', participantIds: JSON.stringify([ben.id]) };
        const files = [{ name: 'image', fileName: 'a.png', content }];
        return owner.http.multipart('POST', '/api/chats', fields, files);
      },
    ],
  ];

  it.each(ways)('refuses %s that is infected, and keeps nothing of it', async (_what, send) => {
    const content = await infectedPicture();
    const answer = await keepingAll(app, () => send(content));
    expect([answer.status, answer.code]).toEqual([422, 'MEDIA_INFECTED']);
  });

  it.each(ways)('refuses %s while clamd cannot say', async (_what, send) => {
    clamd.plan('cut');
    const content = await makePicture('png');
    const answer = await keepingAll(app, () => send(content));
    expect([answer.status, answer.code]).toEqual([503, 'NOT_READY']);
  });

  it.each<ScanTrouble>(['garbage', 'cut', 'error', 'endless'])('takes no %s for clean', async (trouble) => {
    clamd.plan(trouble);
    const answer = await keepingAll(app, () => upload(ann, Buffer.from('hello')));
    expect([answer.status, answer.code]).toEqual([503, 'NOT_READY']);
    expect(answer.headers['retry-after']).toBe('10');
    expect((await upload(ann, Buffer.from('hello'))).status).toBe(201);
  });

  it('refuses what clamd finds too long, also in the middle of the file', async () => {
    for (const size of [512 * 1024 + 1, 8 * 1024 * 1024]) {
      const answer = await keepingAll(app, () => upload(ann, Buffer.alloc(size, 'x')));
      expect([answer.status, answer.code]).toEqual([503, 'NOT_READY']);
    }
  });

  it('does not wait for ever', async () => {
    clamd.plan('hang');
    const begun = clamd.hanging();
    await keepingAll(app, async () => {
      const answer = upload(ann, Buffer.from('hello'));
      await begun;
      app.clock.advance(60_000);
      expect(await answer).toMatchObject({ status: 503, code: 'NOT_READY' });
    });
  });

  it('tells nobody what clamd says, but the log', async () => {
    clamd.plan('garbage');
    const answer = await upload(ann, Buffer.from('hello'));
    expect(answer.body.message).toBe('Files cannot be checked for viruses just now: try again in a moment.');
    expect(app.logs.join('\n')).toContain('HTTP/1.1 400 Bad Request');
  });
});

it('is refused when nothing listens at CLAMD_URL', async () => {
  const alone = await startApp({ env: { CLAMD_URL: 'tcp://127.0.0.1:1' } });
  try {
    const person = await alone.registerUser();
    const answer = await keepingAll(alone, () => upload(person, Buffer.from('hello')));
    expect([answer.status, answer.code]).toEqual([503, 'NOT_READY']);
  } finally {
    await alone.close();
  }
});

it('reaches clamd over a Unix socket', async () => {
  const local = await new FakeClamd().start(path.join(await makeFolder('clamd'), 'clamd.ctl'));
  const alone = await startApp({ env: { CLAMD_URL: local.url } });
  try {
    const person = await alone.registerUser();
    expect((await upload(person, Buffer.from(EICAR))).code).toBe('MEDIA_INFECTED');
    expect((await upload(person, Buffer.from('hello'))).status).toBe(201);
  } finally {
    await alone.close();
    await local.close();
  }
});
