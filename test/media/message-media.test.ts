import { useApp, type TestPerson } from '../support/app.js';
import type { FilePart } from '../support/http.js';
import { makePair } from '../support/people.js';
import { makePicture } from './pictures.js';
import { makeWav, makeWebm } from './sounds-and-films.js';
import { bytesOf, keepingAll, keptBy, uploaded } from './upload-support.js';

const app = useApp();

const sendForm = (
  person: TestPerson,
  chatId: string,
  content: Buffer,
  fields: Record<string, string> = {},
  overrides: Partial<FilePart> = {},
) =>
  person.http.multipart('POST', `/api/chats/${chatId}/messages`, fields, [
    { name: 'media', fileName: 'photo.png', content, ...overrides },
  ]);

describe.each(['REST', 'socket'] as const)('a message with mediaId over %s', (way) => {
  async function stage() {
    const pair = await makePair(app);
    const [anns, bens] = await Promise.all([app.connect(pair.ann), app.connect(pair.ben)]);
    const send = async (body: object) => {
      if (way === 'socket') {
        const ack = await anns.emit('send-message', { chatId: pair.chatId, ...body });
        return { ok: ack.status === 'success', code: ack.code, data: ack.data, details: ack.details };
      }
      const {
        status,
        code,
        data,
        body: whole,
      } = await pair.ann.http.post(`/api/chats/${pair.chatId}/messages`, body);
      return { ok: status < 300, code, data, details: whole.details };
    };
    return { ...pair, anns, bens, send };
  }

  it('has its type from the file, and each reader an address of their own', async () => {
    const { ann, ben, chatId, bens, send } = await stage();
    const media = await uploaded(ann, await makePicture('png'), 'a b.png');
    const { ok, data } = await send({ mediaId: media.id, clientId: 'k' });
    expect(ok).toBe(true);
    expect(data).toMatchObject({ type: 'IMAGE', text: null, media });

    const event = await bens.next('new-message');
    const { url, thumbnailUrl, ...facts } = event.message.media;
    expect(media).toMatchObject(facts);
    expect(url).toContain(`reader=chat.${chatId}`);
    const [read] = (await ben.http.get(`/api/chats/${chatId}/messages`)).data;
    expect(read.media.url).toContain(`reader=${ben.id}`);
    const bytes = await bytesOf(app, media.url);
    for (const address of [url, read.media.url]) expect(await bytesOf(app, address)).toEqual(bytes);
    expect((await bytesOf(app, thumbnailUrl)).length).toBeGreaterThan(0);
    const [chat] = (await ben.http.get('/api/chats')).data;
    expect(chat.lastMessage).toMatchObject({ type: 'IMAGE', media: { id: media.id } });

    const again = await send({ mediaId: media.id, clientId: 'k' });
    expect(again).toMatchObject({ ok: true, data: { seq: 1, type: 'IMAGE', media } });
  });

  it('may have a caption, and a type that agrees', async () => {
    const { ann, send } = await stage();
    const voice = await uploaded(ann, makeWav(300));
    expect(await send({ mediaId: voice.id, type: 'AUDIO', text: 'listen' })).toMatchObject({
      ok: true,
      data: { type: 'AUDIO', text: 'listen', media: { durationMs: 300 } },
    });
    expect(await send({ mediaId: voice.id, type: null, text: null })).toMatchObject({
      ok: true,
      data: { type: 'AUDIO', text: null },
    });
    for (const type of ['TEXT', 'IMAGE', 'DOCUMENT']) {
      expect(await send({ mediaId: voice.id, type })).toMatchObject({
        ok: false,
        code: 'VALIDATION_FAILED',
        details: [{ field: 'type' }],
      });
    }
    expect(await send({ mediaId: voice.id, text: ' ' })).toMatchObject({ details: [{ field: 'text' }] });
    expect(await send({ type: 'AUDIO', text: 'a' })).toMatchObject({ details: [{ field: 'mediaId' }] });
    expect(await send({})).toMatchObject({ details: [{ field: 'text' }] });
    expect(await send({ text: 'a', media: '/etc/passwd' })).toMatchObject({ details: [{ field: 'media' }] });
  });

  it('takes only what its sender may see', async () => {
    const { ann, ben, chatId, send } = await stage();
    const stranger = await app.registerUser();
    const foreign = await uploaded(stranger, await makePicture('png'));
    for (const mediaId of [foreign.id, 'nothing', `${foreign.id.slice(0, -1)}x`, "'"]) {
      expect(await send({ mediaId, text: 'a' })).toMatchObject({ ok: false, code: 'MEDIA_NOT_FOUND' });
    }
    // What the other person sent into the chat, one may send on; a stranger may not.
    const film = await uploaded(ben, makeWebm({ durationMs: 900, video: { width: 8, height: 6 } }));
    expect(await send({ mediaId: film.id })).toMatchObject({ code: 'MEDIA_NOT_FOUND' });
    await ben.http.post(`/api/chats/${chatId}/messages`, { mediaId: film.id });
    expect(await send({ mediaId: film.id })).toMatchObject({ ok: true, data: { type: 'VIDEO' } });
    expect((await ann.http.get(`/api/chats/${chatId}/messages`)).data).toHaveLength(2);
  });
});

describe('a socket', () => {
  it('has its messages in the order in which it sent them, with files and without', async () => {
    const { ann, chatId } = await makePair(app);
    const socket = await app.connect(ann);
    const media = await uploaded(ann, await makePicture('png'));
    const sends = Array.from({ length: 40 }, (_, i) =>
      i % 3 === 0 ? { mediaId: i % 2 === 0 ? media.id : 'unknown', text: String(i) } : { text: String(i) },
    );
    const acks = await Promise.all(sends.map((body) => socket.emit('send-message', { chatId, ...body })));
    const sent = acks.filter(({ status }) => status === 'success').map(({ data }) => data);
    expect(sent).toHaveLength(40 - 7);
    expect(sent.map(({ seq }) => seq as number)).toEqual(sent.map((_, i) => i + 1));
    const texts = sent.map(({ text }) => Number(text));
    expect(texts).toEqual([...texts].sort((a, b) => a - b));
  });
});

describe('a form with a media file', () => {
  it('uploads and sends at once', async () => {
    const { ann, ben, chatId } = await makePair(app);
    const socket = await app.connect(ben);
    const first = await ann.http.post(`/api/chats/${chatId}/messages`, { text: 'first' });
    const fields = {
      text: 'look',
      clientId: 'c',
      type: 'IMAGE',
      replyToId: first.data.id as string,
      mentions: JSON.stringify([ben.id]),
    };
    const answer = await sendForm(ann, chatId, await makePicture('png'), fields);
    expect(answer).toMatchObject({
      status: 201,
      data: {
        type: 'IMAGE',
        text: 'look',
        clientId: 'c',
        mentions: [ben.id],
        replyTo: { id: first.data.id },
        media: { kind: 'IMAGE', fileName: 'photo.png', width: 40, height: 20 },
      },
    });
    expect(answer.data.media.url).toContain(`reader=${ann.id}`);
    const event = await socket.next('new-message', ({ message }) => message.seq === 2);
    expect(event.message.media.url).toContain(`reader=chat.${chatId}`);

    const again = await keepingAll(app, async () => sendForm(ann, chatId, await makePicture('png'), fields));
    expect(again).toMatchObject({
      status: 200,
      data: { id: answer.data.id, media: { id: answer.data.media.id } },
    });
  });

  it('needs neither text nor type', async () => {
    const { ann, chatId } = await makePair(app);
    const answer = await sendForm(ann, chatId, Buffer.from('hello'), { text: '' }, { fileName: 'notes.txt' });
    expect(answer).toMatchObject({
      status: 201,
      data: { type: 'DOCUMENT', text: null, media: { fileName: 'notes.txt' } },
    });
  });

  it('may be a text alone', async () => {
    const { ann, chatId } = await makePair(app);
    const path = `/api/chats/${chatId}/messages`;
    expect(await ann.http.multipart('POST', path, { text: 'a' }, [])).toMatchObject({
      status: 201,
      data: { type: 'TEXT', media: null },
    });
    const empty = await ann.http.multipart('POST', path, { text: '' }, []);
    expect(empty.body.details).toMatchObject([{ field: 'text' }]);
  });

  it('leaves no file when the message is refused', async () => {
    const { ann, ben, chatId } = await makePair(app);
    const stranger = await app.registerUser();
    const picture = await makePicture('png');
    const refusals: [() => Promise<{ status: number; code: string | undefined }>, string][] = [
      [() => sendForm(stranger, chatId, picture), 'CHAT_NOT_FOUND'],
      [() => sendForm(ann, 'nowhere', picture), 'CHAT_NOT_FOUND'],
      [() => sendForm(ann, chatId, picture, { replyToId: `${chatId}.99` }), 'MESSAGE_NOT_FOUND'],
      [
        () => sendForm(ann, chatId, picture, { mentions: JSON.stringify([stranger.id]) }),
        'VALIDATION_FAILED',
      ],
      [() => sendForm(ann, chatId, picture, { type: 'VIDEO' }), 'VALIDATION_FAILED'],
      [() => sendForm(ann, chatId, picture, { text: ' ' }), 'VALIDATION_FAILED'],
      [() => sendForm(ann, chatId, picture, { mediaId: 'x' }), 'VALIDATION_FAILED'],
      [() => sendForm(ann, chatId, picture, { unknown: 'x' }), 'VALIDATION_FAILED'],
      [() => sendForm(ann, chatId, picture, {}, { name: 'file' }), 'VALIDATION_FAILED'],
      [() => sendForm(ann, chatId, Buffer.alloc(0)), 'UNSUPPORTED_MEDIA_TYPE'],
    ];
    for (const [call, code] of refusals) expect((await keepingAll(app, call)).code).toBe(code);
    await ben.http.post('/api/contacts/block', { userId: ann.id });
    const blocked = await keepingAll(app, () => sendForm(ann, chatId, picture));
    expect(blocked).toMatchObject({ status: 403, code: 'BLOCKED' });
  });
});

describe('a message that is deleted for everyone', () => {
  it('takes its file with it, at once and from everybody', async () => {
    const { ann, ben, chatId } = await makePair(app);
    const before = await keptBy(app);
    const { data } = await sendForm(ann, chatId, await makePicture('png'));
    const [bens] = (await ben.http.get(`/api/chats/${chatId}/messages`)).data;
    const addresses = [data.media.url, bens.media.url, data.media.thumbnailUrl] as string[];
    for (const url of addresses) expect((await app.http().get(url)).status).toBe(200);
    expect((await ann.http.delete(`/api/chats/messages/${data.id}?for=everyone`)).status).toBe(200);
    for (const url of addresses) expect((await app.http().get(url)).code).toBe('MEDIA_NOT_FOUND');
    expect((await ann.http.get(`/api/media/${data.media.id}`)).code).toBe('MEDIA_NOT_FOUND');
    expect(await keptBy(app)).toEqual(before);
  });

  it('leaves the file to another message that shows it', async () => {
    const { ann, ben, chatId } = await makePair(app);
    const { data } = await sendForm(ann, chatId, await makePicture('png'));
    const path = `/api/chats/${chatId}/messages`;
    const second = await ben.http.post(path, { mediaId: data.media.id });
    await ann.http.delete(`/api/chats/messages/${data.id}?for=everyone`);
    expect((await app.http().get(data.media.url)).status).toBe(200);
    await ben.http.delete(`/api/chats/messages/${second.data.id}?for=everyone`);
    expect((await app.http().get(data.media.url)).code).toBe('MEDIA_NOT_FOUND');
  });

  it('never takes a file that a send is attaching at that moment', async () => {
    const { ann, ben, chatId } = await makePair(app);
    const path = `/api/chats/${chatId}/messages`;
    for (let round = 0; round < 5; round++) {
      const { data } = await sendForm(ann, chatId, await makePicture('png', 10 + round));
      const mediaId = data.media.id as string;
      const [sent] = await Promise.all([
        ben.http.post(path, { mediaId }),
        ann.http.delete(`/api/chats/messages/${data.id}?for=everyone`),
      ]);
      expect([201, 404]).toContain(sent.status);
      const answer = await ben.http.get(`/api/media/${mediaId}`);
      expect(answer.status).toBe(sent.status === 201 ? 200 : 404);
    }
  });
});

describe('an account that goes', () => {
  it('leaves what it has sent, and nothing else', async () => {
    const { ann, ben, chatId } = await makePair(app);
    const { data } = await sendForm(ann, chatId, await makePicture('png'));
    const unsent = await uploaded(ann, await makePicture('gif'));
    expect((await ann.http.delete('/api/auth/delete-profile', { password: ann.password })).status).toBe(200);
    const [message] = (await ben.http.get(`/api/chats/${chatId}/messages`)).data;
    expect(message).toMatchObject({ senderId: null, media: { id: data.media.id } });
    expect((await ben.http.get(`/api/media/${data.media.id}`)).status).toBe(200);
    expect(await app.sql('SELECT owner_id FROM media WHERE id = $1', [data.media.id])).toEqual([
      { owner_id: null },
    ]);
    expect(await app.sql('SELECT id FROM media WHERE id = $1', [unsent.id])).toEqual([]);
    expect((await app.http().get(unsent.url)).code).toBe('MEDIA_NOT_FOUND');
  });
});
