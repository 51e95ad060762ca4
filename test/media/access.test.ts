import { randomUUID } from 'node:crypto';
import { SignedUrls, chatReader } from '../../src/infra/storage/signed-urls.js';
import { useApp, type TestPerson } from '../support/app.js';
import { createGroup, makeFriends } from '../chats/group-support.js';
import { makePicture } from './pictures.js';
import { uploaded } from './upload-support.js';

/** Who may read which file, by their bearer alone: everybody against everything. */
const app = useApp();

const PEOPLE = ['uploader', 'member', 'late', 'former', 'hider', 'clearer', 'stranger'] as const;
type Name = (typeof PEOPLE)[number];
type People = Record<Name, TestPerson>;

let people: People;
const media: Record<string, string> = {};

const idIn = (address: string): string => /\/api\/media\/([^?]+)/.exec(address)![1]!;
const uploadOne = async (person: TestPerson): Promise<string> =>
  (await uploaded(person, await makePicture('png'))).id;

beforeAll(async () => {
  const [uploader, member, late, former, hider, clearer] = await makeFriends(app, [
    'uploader',
    'member',
    'late',
    'former',
    'hider',
    'clearer',
  ]);
  people = { uploader, member, late, former, hider, clearer, stranger: await app.registerUser() };
  const groupId = await createGroup(
    uploader,
    [member, former, hider, clearer].map(({ id }) => id),
  );
  const path = `/api/chats/${groupId}/messages`;
  const picture = { fileName: 'a.png', content: await makePicture('gif') };

  media['never sent'] = await uploadOne(uploader);
  media['in a message'] = await uploadOne(uploader);
  const message = await uploader.http.post(path, { mediaId: media['in a message'] });
  media['in a deleted message'] = await uploadOne(uploader);
  const deleted = await uploader.http.post(path, { mediaId: media['in a deleted message'] });
  media['the group’s image'] = idIn(
    (await uploader.http.multipart('PATCH', `/api/chats/${groupId}`, {}, [{ name: 'image', ...picture }]))
      .data.image as string,
  );
  media['a profile picture'] = idIn(
    (
      await uploader.http.multipart('PUT', '/api/auth/update-profile', {}, [
        { name: 'profilePic', ...picture },
      ])
    ).data.profilePic as string,
  );

  const answers = [
    await uploader.http.delete(`/api/chats/messages/${deleted.data.id}?for=everyone`),
    await hider.http.delete(`/api/chats/messages/${message.data.id}?for=me`),
    await clearer.http.delete(`/api/chats/${groupId}`),
    await former.http.post(`/api/chats/${groupId}/leave`),
    await uploader.http.post(`/api/chats/${groupId}/members`, { userIds: [late.id] }),
  ];
  expect(answers.map(({ status }) => status).filter((status) => status >= 300)).toEqual([]);

  media['in a message after all that'] = await uploadOne(uploader);
  await uploader.http.post(path, { mediaId: media['in a message after all that'] });
});

const MATRIX: [string, readonly Name[]][] = [
  ['never sent', ['uploader']],
  ['in a message', ['uploader', 'member']],
  ['in a deleted message', []],
  ['in a message after all that', ['uploader', 'member', 'late', 'hider', 'clearer']],
  ['the group’s image', ['uploader', 'member', 'late', 'hider', 'clearer']],
  ['a profile picture', PEOPLE],
];

describe.each(MATRIX)('a file %s', (what, readers) => {
  it.each(PEOPLE)(`is read by its readers alone: %s`, async (name) => {
    const { http } = people[name];
    const whole = await http.get(`/api/media/${media[what]}`);
    const part = await http.get(`/api/media/${media[what]}?size=thumbnail`, {
      headers: { Range: 'bytes=0-3' },
    });
    if (readers.includes(name)) {
      expect([whole.status, part.status]).toEqual([200, 206]);
    } else {
      expect([whole.status, whole.code, part.status]).toEqual([404, 'MEDIA_NOT_FOUND', 404]);
    }
  });
});

describe('a signature', () => {
  const open = (id: string, reader: string) =>
    app.http().get(app.running.nest.get(SignedUrls).sign(id, reader));

  it('opens a file for whoever holds it: one of a person, and one of a chat', async () => {
    for (const reader of [people.stranger.id, chatReader('a-chat')]) {
      expect((await open(media['in a message']!, reader)).status).toBe(200);
    }
  });

  it('opens nothing that is gone, or was dropped', async () => {
    for (const id of [media['in a deleted message']!, randomUUID(), 'x']) {
      expect((await open(id, people.uploader.id)).code).toBe('MEDIA_NOT_FOUND');
    }
  });
});

it('nobody uploads without signing in', async () => {
  const part = { name: 'file', fileName: 'a', content: Buffer.from('a') };
  expect((await app.http().multipart('POST', '/api/media', {}, [part])).code).toBe('UNAUTHENTICATED');
});
