import { useApp, type TestPerson } from '../support/app.js';
import { makePair } from '../support/people.js';
import { createGroup, makeFriends, textsOf } from './group-support.js';

const app = useApp();

function set(person: TestPerson, chatId: string, body: unknown) {
  return person.http.patch(`/api/chats/${chatId}/settings`, body);
}

function send(person: TestPerson, chatId: string, text: string) {
  return person.http.post(`/api/chats/${chatId}/messages`, { text });
}

async function idsOf(person: TestPerson, query = ''): Promise<string[]> {
  return (await person.http.get(`/api/chats${query}`)).data.map((chat: { id: string }) => chat.id);
}

const DEFAULTS = { mutedUntil: null, pinned: false, archived: false, markedUnread: false };

describe('settings of a chat', () => {
  it('are answered with the whole chat, kept, and the caller’s own', async () => {
    const { ann, ben, chatId } = await makePair(app);
    const settings = {
      mutedUntil: '2030-01-02T03:04:05.678Z',
      pinned: true,
      archived: true,
      markedUnread: true,
    };
    expect(await set(ann, chatId, settings)).toMatchObject({
      status: 200,
      data: { id: chatId, type: 'PRIVATE', name: 'Ben', my: settings },
    });
    expect((await ann.http.get(`/api/chats/${chatId}`)).data.my).toMatchObject(settings);
    expect((await ben.http.get(`/api/chats/${chatId}`)).data.my).toMatchObject(DEFAULTS);
  });

  it('change one by one, and nothing by nothing', async () => {
    const { ann, chatId } = await makePair(app);
    const steps = [
      [{ pinned: true }, { pinned: true }],
      [{ archived: true }, { pinned: true, archived: true }],
      [
        { mutedUntil: '2030-01-01T02:00:00+02:00' },
        { mutedUntil: '2030-01-01T00:00:00.000Z', archived: true },
      ],
      [{}, { mutedUntil: '2030-01-01T00:00:00.000Z', pinned: true, archived: true }],
      [
        { mutedUntil: null, pinned: false },
        { mutedUntil: null, pinned: false, archived: true },
      ],
      [{ mutedUntil: '9999-12-31T23:59:59.999Z' }, { mutedUntil: '9999-12-31T23:59:59.999Z' }],
    ];
    for (const [body, expected] of steps) {
      expect(await set(ann, chatId, body)).toMatchObject({ status: 200, data: { my: expected } });
    }
  });

  it('put pinned chats first and archived ones into a list of their own', async () => {
    const [ann, ben] = await makeFriends(app, ['Ann', 'Ben']);
    const chatIds: string[] = [];
    for (let i = 0; i < 4; i++) {
      app.clock.advance(1000);
      chatIds.push(await createGroup(ann, [ben.id], `Group ${i}`));
    }
    const [one, two, three, four] = chatIds;
    await set(ann, one!, { pinned: true });
    await set(ann, three!, { archived: true });
    expect(await idsOf(ann)).toEqual([one, four, two]);
    expect(await idsOf(ann, '?archived=true')).toEqual([three]);
    expect(await idsOf(ann, '?archived=false')).toEqual([one, four, two]);
    expect(await idsOf(ben)).toEqual([four, three, two, one]);
    // Pages go on where the pinned ones end.
    const first = await ann.http.get('/api/chats?limit=1');
    const second = await ann.http.get(`/api/chats?limit=1&cursor=${first.page.nextCursor}`);
    expect(second.data[0].id).toBe(four);
    await set(ann, three!, { archived: false });
    expect(await idsOf(ann)).toEqual([one, four, three, two]);
  });

  it('marked as unread lasts until the next read or own message', async () => {
    const { ann, ben, chatId } = await makePair(app);
    await send(ben, chatId, 'hello');
    await ann.http.post(`/api/chats/${chatId}/messages/read`, {});
    const isMarked = async () => (await ann.http.get(`/api/chats/${chatId}`)).data.my.markedUnread as boolean;
    await set(ann, chatId, { markedUnread: true });
    expect(await isMarked()).toBe(true);
    await ann.http.post(`/api/chats/${chatId}/messages/read`, {});
    expect(await isMarked()).toBe(false);
    await set(ann, chatId, { markedUnread: true });
    await send(ann, chatId, 'me again');
    expect(await isMarked()).toBe(false);
    await set(ann, chatId, { markedUnread: true });
    expect((await set(ann, chatId, { markedUnread: false })).data.my.markedUnread).toBe(false);
  });

  it.each([
    [{ mutedUntil: 'tomorrow' }, 'mutedUntil'],
    [{ mutedUntil: '2026-13-01T00:00:00Z' }, 'mutedUntil'],
    [{ mutedUntil: '2026-12-01' }, 'mutedUntil'],
    [{ mutedUntil: '2026-W01' }, 'mutedUntil'],
    [{ mutedUntil: '+020000-01-01T00:00:00Z' }, 'mutedUntil'],
    [{ mutedUntil: '0000-01-01T00:00:00Z' }, 'mutedUntil'],
    [{ mutedUntil: '9999-12-31T23:59:59-23:00' }, 'mutedUntil'],
    [{ mutedUntil: 1_800_000_000_000 }, 'mutedUntil'],
    [{ mutedUntil: {} }, 'mutedUntil'],
    [{ pinned: 'yes' }, 'pinned'],
    [{ pinned: null }, 'pinned'],
    [{ archived: 1 }, 'archived'],
    [{ markedUnread: [] }, 'markedUnread'],
    [{ role: 'OWNER' }, 'role'],
  ])('refuse %j and name the field', async (body, field) => {
    const { ann, chatId } = await makePair(app);
    const answer = await set(ann, chatId, { pinned: true, ...body });
    expect(answer).toMatchObject({ status: 400, code: 'VALIDATION_FAILED' });
    expect(answer.body.details.map((detail: { field: string }) => detail.field)).toContain(field);
    expect((await ann.http.get(`/api/chats/${chatId}`)).data.my).toMatchObject(DEFAULTS);
  });
});

describe('clearing a chat', () => {
  it('hides what there was from the caller alone, and leaves nothing unread', async () => {
    const { ann, ben, chatId } = await makePair(app);
    for (const text of ['one', 'two']) await send(ben, chatId, text);
    await set(ann, chatId, { markedUnread: true, pinned: true });
    expect(await ann.http.delete(`/api/chats/${chatId}`)).toMatchObject({ status: 200, data: null });
    expect(await idsOf(ann)).toEqual([chatId]);
    expect((await ann.http.get(`/api/chats/${chatId}`)).data).toMatchObject({
      lastSeq: 2,
      lastMessage: null,
      unreadCount: 0,
      my: { firstSeq: 3, readSeq: 0, pinned: true, markedUnread: false },
    });
    expect(await textsOf(ann, chatId)).toEqual([]);
    expect(await textsOf(ben, chatId)).toEqual(['one', 'two']);
    // Clearing is not reading: the other is told nothing.
    expect((await ben.http.get(`/api/chats/${chatId}`)).data.others.readSeq).toBe(0);
    await send(ben, chatId, 'three');
    expect(await textsOf(ann, chatId)).toEqual(['three']);
    expect((await ann.http.get(`/api/chats/${chatId}`)).data).toMatchObject({
      unreadCount: 1,
      lastMessage: { text: 'three' },
    });
    expect((await ann.http.get(`/api/chats/messages/${chatId}.2/receipts`)).status).toBe(404);
  });

  it('works in a group and twice', async () => {
    const [ann, ben] = await makeFriends(app, ['Ann', 'Ben']);
    const chatId = await createGroup(ann, [ben.id]);
    await ann.http.patch(`/api/chats/${chatId}`, { name: 'Kitchen' });
    for (let times = 0; times < 2; times++) {
      expect((await ben.http.delete(`/api/chats/${chatId}`)).status).toBe(200);
      expect((await ben.http.get(`/api/chats/${chatId}`)).data.my.firstSeq).toBe(2);
    }
    expect(await textsOf(ann, chatId)).toHaveLength(1);
  });

  it('hides exactly what was there when it is answered, whoever writes meanwhile', async () => {
    const { ann, ben, chatId } = await makePair(app);
    const clear = async () => {
      await ann.http.delete(`/api/chats/${chatId}`);
      return (await ann.http.get(`/api/chats/${chatId}`)).data.my.firstSeq as number;
    };
    const [firstSeq] = await Promise.all([
      clear(),
      ...Array.from({ length: 30 }, (_, i) => send(ben, chatId, `text ${i}`)),
    ]);
    const { data } = await ann.http.get(`/api/chats/${chatId}`);
    expect(data).toMatchObject({ lastSeq: 30, unreadCount: 31 - firstSeq, my: { firstSeq } });
    expect(await textsOf(ann, chatId)).toHaveLength(31 - firstSeq);
  });
});
