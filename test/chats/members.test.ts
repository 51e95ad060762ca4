import { useApp, type TestPerson } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import {
  befriend,
  changeWhileWaiting,
  createGroup,
  expectNoGaps,
  historyOf,
  lockWaiters,
  makeCrowd,
  makeFriends,
  membersOf,
  textsOf,
} from './group-support.js';

const app = useApp();
const UNKNOWN = '00000000-0000-4000-8000-000000000000';

function add(person: TestPerson, chatId: string, ...others: { id: string }[]) {
  return person.http.post(`/api/chats/${chatId}/members`, { userIds: others.map(({ id }) => id) });
}

function remove(person: TestPerson, chatId: string, other: { id: string }) {
  return person.http.delete(`/api/chats/${chatId}/members/${other.id}`);
}

function setRole(person: TestPerson, chatId: string, other: { id: string }, role: string) {
  return person.http.patch(`/api/chats/${chatId}/members/${other.id}`, { role });
}

function leave(person: TestPerson, chatId: string) {
  return person.http.post(`/api/chats/${chatId}/leave`);
}

function send(person: TestPerson, chatId: string, text: string) {
  return person.http.post(`/api/chats/${chatId}/messages`, { text });
}

async function roleOf(chatId: string, person: { id: string }): Promise<string | undefined> {
  return (await membersOf(app, chatId)).find((member) => member.userId === person.id)?.role;
}

describe('who may do what', () => {
  const CAST = [
    'Owner',
    'Admin',
    'Member',
    'Removed',
    'Stranger',
    'OtherAdmin',
    'OtherMember',
    'Friend',
  ] as const;
  type Name = (typeof CAST)[number];
  let cast: Record<Name, TestPerson>;
  /** For what is refused, and so changes nothing. */
  let untouched: string;

  beforeAll(async () => {
    const people = await makeFriends(app, CAST);
    cast = Object.fromEntries(CAST.map((name, place) => [name, people[place]])) as Record<Name, TestPerson>;
    untouched = await makeScene();
  });

  async function makeScene(): Promise<string> {
    const { Owner, Admin, Member, Removed, OtherAdmin, OtherMember } = cast;
    const others = [Admin, Member, Removed, OtherAdmin, OtherMember];
    const chatId = await createGroup(
      Owner,
      others.map(({ id }) => id),
    );
    for (const admin of [Admin, OtherAdmin]) await setRole(Owner, chatId, admin, 'ADMIN');
    await remove(Owner, chatId, Removed);
    return chatId;
  }

  const NO_CHAT = [404, 'CHAT_NOT_FOUND'];
  const NO_ADMIN = [403, 'NOT_A_GROUP_ADMIN'];
  const NO_OWNER = [403, 'NOT_THE_GROUP_OWNER'];
  const ITSELF = [422, 'UNPROCESSABLE'];

  type Doing = (me: TestPerson, chatId: string) => Promise<{ status: number; code: string | undefined }>;
  const ACTIONS: Record<string, { run: Doing; Owner: unknown; Admin: unknown; Member: unknown }> = {
    'see the group': {
      run: (me, id) => me.http.get(`/api/chats/${id}`),
      Owner: 200,
      Admin: 200,
      Member: 200,
    },
    'list the members': {
      run: (me, id) => me.http.get(`/api/chats/${id}/members`),
      Owner: 200,
      Admin: 200,
      Member: 200,
    },
    rename: {
      run: (me, id) => me.http.patch(`/api/chats/${id}`, { name: 'Other' }),
      Owner: 200,
      Admin: 200,
      Member: NO_ADMIN,
    },
    'take the picture away': {
      run: (me, id) => me.http.patch(`/api/chats/${id}`, { image: null }),
      Owner: 200,
      Admin: 200,
      Member: NO_ADMIN,
    },
    add: { run: (me, id) => add(me, id, cast.Friend), Owner: 201, Admin: 201, Member: NO_ADMIN },
    'remove a member': {
      run: (me, id) => remove(me, id, cast.OtherMember),
      Owner: 200,
      Admin: 200,
      Member: NO_ADMIN,
    },
    'remove an admin': {
      run: (me, id) => remove(me, id, cast.OtherAdmin),
      Owner: 200,
      Admin: 200,
      Member: NO_ADMIN,
    },
    'remove the owner': {
      run: (me, id) => remove(me, id, cast.Owner),
      Owner: ITSELF,
      Admin: NO_OWNER,
      Member: NO_ADMIN,
    },
    'remove oneself': { run: (me, id) => remove(me, id, me), Owner: ITSELF, Admin: ITSELF, Member: NO_ADMIN },
    'make an admin': {
      run: (me, id) => setRole(me, id, cast.OtherMember, 'ADMIN'),
      Owner: 200,
      Admin: NO_OWNER,
      Member: NO_OWNER,
    },
    'take a role': {
      run: (me, id) => setRole(me, id, cast.OtherAdmin, 'MEMBER'),
      Owner: 200,
      Admin: NO_OWNER,
      Member: NO_OWNER,
    },
    'hand over': {
      run: (me, id) => setRole(me, id, cast.OtherMember, 'OWNER'),
      Owner: 200,
      Admin: NO_OWNER,
      Member: NO_OWNER,
    },
    'make oneself the owner': {
      run: (me, id) => setRole(me, id, me, 'OWNER'),
      Owner: 200,
      Admin: NO_OWNER,
      Member: NO_OWNER,
    },
    leave: { run: (me, id) => leave(me, id), Owner: 200, Admin: 200, Member: 200 },
    'change own settings': {
      run: (me, id) => me.http.patch(`/api/chats/${id}/settings`, { pinned: true }),
      Owner: 200,
      Admin: 200,
      Member: 200,
    },
    clear: { run: (me, id) => me.http.delete(`/api/chats/${id}`), Owner: 200, Admin: 200, Member: 200 },
    write: { run: (me, id) => send(me, id, 'hello'), Owner: 201, Admin: 201, Member: 201 },
  };

  const table = Object.entries(ACTIONS).flatMap(([action, { run, ...expected }]) =>
    (['Owner', 'Admin', 'Member', 'Removed', 'Stranger'] as const).map((who) => ({
      action,
      who,
      run,
      expected: who === 'Removed' || who === 'Stranger' ? NO_CHAT : expected[who],
    })),
  );

  it.each(table)('$who: $action → $expected', async ({ who, run, expected }) => {
    const chatId = Array.isArray(expected) ? untouched : await makeScene();
    const before = await app.sql('SELECT * FROM chat WHERE id = $1', [chatId]);
    const membersBefore = await membersOf(app, chatId);
    const answer = await run(cast[who], chatId);
    if (Array.isArray(expected)) {
      expect([answer.status, answer.code]).toEqual(expected);
      expect(await app.sql('SELECT * FROM chat WHERE id = $1', [chatId])).toEqual(before);
      expect(await membersOf(app, chatId)).toEqual(membersBefore);
    } else {
      expect(answer.status).toBe(expected);
    }
    const owners = (await membersOf(app, chatId)).filter((member) => member.role === 'OWNER');
    expect(owners).toHaveLength(1);
    await expectNoGaps(app, chatId);
  });
});

describe('a chat that is no group', () => {
  it('has no name, members or roles to change', async () => {
    const [ann, ben, cid] = await makeFriends(app, ['Ann', 'Ben', 'Cid']);
    const chat = await ann.http.post('/api/chats', { type: 'PRIVATE', participantIds: [ben.id] });
    const chatId = chat.data.id as string;
    const answers = [
      await ann.http.patch(`/api/chats/${chatId}`, { name: 'x' }),
      await add(ann, chatId, cid),
      await remove(ann, chatId, ben),
      await setRole(ann, chatId, ben, 'ADMIN'),
      await leave(ann, chatId),
    ];
    for (const answer of answers) expect(answer).toMatchObject({ status: 422, code: 'NOT_A_GROUP' });
    expect(await historyOf(ann, chatId)).toEqual([]);
    const { data } = await ann.http.get(`/api/chats/${chatId}/members`);
    expect(data.map((member: { user: { id: string } }) => member.user.id).sort()).toEqual(
      [ann.id, ben.id].sort(),
    );
  });
});

describe('adding', () => {
  it('lets the new ones see the SYSTEM message of their joining and what follows, all of it read', async () => {
    const [ann, ben, cid, dan] = await makeFriends(app, ['Ann', 'Ben', 'Cid', 'Dan']);
    const chatId = await createGroup(ann, [ben.id]);
    await send(ann, chatId, 'before');
    const sockets = await Promise.all([cid, dan].map((person) => app.connect(person)));
    const answer = await add(ann, chatId, cid, dan);
    expect(answer).toMatchObject({
      status: 201,
      data: { memberCount: 4, lastSeq: 2, unreadCount: 0, my: { readSeq: 2 } },
    });
    const whole = 'Ann added Cid and Dan.';
    expect(answer.data.lastMessage).toMatchObject({ type: 'SYSTEM', senderId: null, text: whole });
    for (const socket of sockets) {
      expect((await socket.next('new-chat')).chat).toMatchObject({ id: chatId, my: { firstSeq: 2 } });
      socket.disconnect();
    }
    for (const person of [cid, dan]) {
      const { data } = await person.http.get(`/api/chats/${chatId}`);
      expect(data).toMatchObject({
        unreadCount: 0,
        my: { role: 'MEMBER', firstSeq: 2, readSeq: 2, deliveredSeq: 2 },
        lastMessage: { text: whole },
      });
      expect(await textsOf(person, chatId)).toEqual([whole]);
      expect(
        (await person.http.patch(`/api/chats/messages/${chatId}.1/status`, { status: 'READ' })).status,
      ).toBe(404);
    }
    expect(await textsOf(ben, chatId)).toEqual(['before', whole]);
    await send(ben, chatId, 'after');
    expect(await textsOf(cid, chatId)).toEqual([whole, 'after']);
    expect((await cid.http.get(`/api/chats/${chatId}`)).data.unreadCount).toBe(1);
  });

  it('does not lower what the others have read', async () => {
    const [ann, ben, cid] = await makeFriends(app, ['Ann', 'Ben', 'Cid']);
    const chatId = await createGroup(ann, [ben.id]);
    await send(ann, chatId, 'one');
    await ben.http.post(`/api/chats/${chatId}/messages/read`, {});
    expect((await add(ann, chatId, cid)).data.others).toMatchObject({ deliveredSeq: 1, readSeq: 1 });
    await ben.http.post(`/api/chats/${chatId}/messages/read`, {});
    const { data } = await ann.http.get(`/api/chats/${chatId}`);
    expect(data.others).toMatchObject({ deliveredSeq: 2, readSeq: 2 });
  });

  it('leaves those who are in it as they are, and says nothing when there is nobody new', async () => {
    const [ann, ben, cid] = await makeFriends(app, ['Ann', 'Ben', 'Cid']);
    const chatId = await createGroup(ann, [ben.id]);
    await setRole(ann, chatId, ben, 'ADMIN');
    expect(await add(ann, chatId, ben, ann)).toMatchObject({ status: 200, data: { lastSeq: 1 } });
    expect(await add(ben, chatId, ann, cid, ben)).toMatchObject({ status: 201, data: { memberCount: 3 } });
    expect((await textsOf(ann, chatId)).at(-1)).toBe('Ben added Cid.');
    expect(await roleOf(chatId, ann)).toBe('OWNER');
    expect(await roleOf(chatId, ben)).toBe('ADMIN');
  });

  it('adds nobody when one of them is no contact, blocked, or nobody', async () => {
    const [ann, ben, cid, dan, eve] = await makeFriends(app, ['Ann', 'Ben', 'Cid', 'Dan', 'Eve']);
    const stranger = await app.registerUser();
    await dan.http.post('/api/contacts/block', { userId: ann.id });
    await ann.http.post('/api/contacts/block', { userId: eve.id });
    const chatId = await createGroup(ann, [ben.id]);
    expect(await add(ann, chatId, cid, stranger)).toMatchObject({ status: 403, code: 'NOT_A_CONTACT' });
    expect(await add(ann, chatId, cid, dan)).toMatchObject({ status: 403, code: 'BLOCKED' });
    expect(await add(ann, chatId, cid, eve)).toMatchObject({ status: 403, code: 'BLOCKED' });
    for (const id of [UNKNOWN, 'nobody']) {
      expect(await add(ann, chatId, cid, { id })).toMatchObject({ status: 404, code: 'USER_NOT_FOUND' });
    }
    expect(await membersOf(app, chatId)).toHaveLength(2);
    expect(await historyOf(ann, chatId)).toEqual([]);
  });

  it('keeps out who blocks at the same time, or else the block comes after', async () => {
    const [ann, ben, cid] = await makeFriends(app, ['Ann', 'Ben', 'Cid']);
    const chatId = await createGroup(ann, [ben.id]);
    for (let round = 0; round < 10; round++) {
      const [added] = await Promise.all([
        add(ann, chatId, cid),
        cid.http.post('/api/contacts/block', { userId: ann.id }),
      ]);
      expect([201, 403]).toContain(added.status);
      expect(await roleOf(chatId, cid)).toBe(added.status === 201 ? 'MEMBER' : undefined);
      if (added.status === 201) await remove(ann, chatId, cid);
      expect((await add(ann, chatId, cid)).code).toBe('BLOCKED');
      await cid.http.patch(`/api/contacts/unblock/${ann.id}`);
    }
  });

  it.each([
    [{}],
    [{ userIds: [] }],
    [{ userIds: 'x' }],
    [{ userIds: [UNKNOWN, UNKNOWN] }],
    [{ userIds: [7] }],
  ])('refuses %j', async (body) => {
    const [ann, ben] = await makeFriends(app, ['Ann', 'Ben']);
    const chatId = await createGroup(ann, [ben.id]);
    const answer = await ann.http.post(`/api/chats/${chatId}/members`, body);
    expect(answer).toMatchObject({ status: 400, body: { details: [{ field: 'userIds' }] } });
  });

  it('keeps to 1,024 people, however many are added at once', async () => {
    const ann = await app.registerUser();
    const crowd = await makeCrowd(app, ann, 1033);
    const chatId = await createGroup(ann, crowd.slice(0, 1013));
    const waves = Array.from({ length: 20 }, (_, i) => crowd.slice(1013 + i, 1014 + i));
    const answers = await Promise.all(waves.map(([id = '']) => add(ann, chatId, { id })));
    expect(answers.filter((answer) => answer.status === 201)).toHaveLength(10);
    expect(answers.filter((answer) => answer.code === 'GROUP_FULL')).toHaveLength(10);
    expect(await membersOf(app, chatId)).toHaveLength(1024);
    expect(await expectNoGaps(app, chatId)).toBe(10);
  });
});

describe('removing and coming back', () => {
  it('ends everything at the SYSTEM message of the removal', async () => {
    const [ann, ben, cid] = await makeFriends(app, ['Ann', 'Ben', 'Cid']);
    const chatId = await createGroup(ann, [ben.id, cid.id]);
    const { data: message } = await send(ann, chatId, 'one');
    expect(await remove(ann, chatId, ben)).toMatchObject({ status: 200, data: null });
    expect(await textsOf(cid, chatId)).toEqual(['one', 'Ann removed Ben.']);
    const doors = [
      await ben.http.get(`/api/chats/${chatId}`),
      await ben.http.get(`/api/chats/${chatId}/members`),
      await ben.http.get(`/api/chats/${chatId}/messages`),
      await send(ben, chatId, 'still here?'),
      await ben.http.post(`/api/chats/${chatId}/messages/read`, {}),
      await ben.http.patch(`/api/chats/${chatId}/settings`, { pinned: true }),
      await leave(ben, chatId),
      await ben.http.patch(`/api/chats/messages/${message.id}/status`, { status: 'READ' }),
    ];
    expect(doors.map((door) => door.status)).toEqual(doors.map(() => 404));
    expect((await ben.http.get('/api/chats')).data).toEqual([]);
    expect(await remove(ann, chatId, ben)).toMatchObject({ status: 404, code: 'MEMBER_NOT_FOUND' });
    const [row] = await app.sql('SELECT left_seq FROM member WHERE chat_id = $1 AND user_id = $2', [
      chatId,
      ben.id,
    ]);
    expect(row).toEqual({ left_seq: 1 });
  });

  it('no longer waits for who is gone', async () => {
    const [ann, ben, cid] = await makeFriends(app, ['Ann', 'Ben', 'Cid']);
    const chatId = await createGroup(ann, [ben.id, cid.id]);
    await send(ann, chatId, 'one');
    await ben.http.post(`/api/chats/${chatId}/messages/read`, {});
    expect((await ann.http.get(`/api/chats/${chatId}`)).data.others.readSeq).toBe(0);
    await remove(ann, chatId, cid);
    expect((await ann.http.get(`/api/chats/${chatId}`)).data).toMatchObject({
      memberCount: 2,
      others: { deliveredSeq: 1, readSeq: 1 },
    });
  });

  it('gives who comes back a fresh start: a member, with new settings, who sees from joining on', async () => {
    const [ann, ben] = await makeFriends(app, ['Ann', 'Ben']);
    const chatId = await createGroup(ann, [ben.id]);
    await setRole(ann, chatId, ben, 'ADMIN');
    const settings = { mutedUntil: '2099-01-01T00:00:00Z', pinned: true, archived: true, markedUnread: true };
    await ben.http.patch(`/api/chats/${chatId}/settings`, settings);
    await send(ann, chatId, 'before');
    await leave(ben, chatId);
    await send(ann, chatId, 'meanwhile');
    app.clock.advance(1000);
    await add(ann, chatId, ben);
    const { data } = await ben.http.get(`/api/chats/${chatId}`);
    expect(data).toMatchObject({
      unreadCount: 0,
      my: {
        role: 'MEMBER',
        firstSeq: 5,
        readSeq: 5,
        deliveredSeq: 5,
        mutedUntil: null,
        pinned: false,
        archived: false,
        markedUnread: false,
      },
    });
    expect(Date.parse(data.members[0].joinedAt)).toBe(app.clock.nowMs());
    await send(ann, chatId, 'after');
    expect(await textsOf(ben, chatId)).toEqual(['Ann added Ben.', 'after']);
    const around = await ben.http.get(`/api/chats/${chatId}/messages?aroundSeq=2`);
    expect(around.data.map((message: { seq: number }) => message.seq)).toEqual([6, 5]);
  });
});

describe('roles', () => {
  it('are given by the owner, told to the group, and shown', async () => {
    const [ann, ben, cid] = await makeFriends(app, ['Ann', 'Ben', 'Cid']);
    const chatId = await createGroup(ann, [ben.id, cid.id]);
    expect(await setRole(ann, chatId, ben, 'ADMIN')).toMatchObject({
      status: 200,
      data: { user: { id: ben.id }, role: 'ADMIN' },
    });
    expect((await setRole(ann, chatId, ben, 'ADMIN')).status).toBe(200);
    await setRole(ann, chatId, ben, 'MEMBER');
    expect(await textsOf(cid, chatId)).toEqual([
      'Ann made Ben an admin.',
      'Ann took the role of an admin from Ben.',
    ]);
    expect((await ben.http.get(`/api/chats/${chatId}`)).data.my.role).toBe('MEMBER');
  });

  it('pass the group on at once: the old owner is an admin', async () => {
    const [ann, ben] = await makeFriends(app, ['Ann', 'Ben']);
    const chatId = await createGroup(ann, [ben.id]);
    expect((await setRole(ann, chatId, ben, 'OWNER')).data.role).toBe('OWNER');
    expect(await roleOf(chatId, ann)).toBe('ADMIN');
    expect(await textsOf(ben, chatId)).toEqual(['Ann made Ben the owner.']);
    expect(await setRole(ann, chatId, ann, 'OWNER')).toMatchObject({ code: 'NOT_THE_GROUP_OWNER' });
  });

  it('refuse a role that is none, people who are not there, and an owner who would be none', async () => {
    const [ann, ben, cid] = await makeFriends(app, ['Ann', 'Ben', 'Cid']);
    const chatId = await createGroup(ann, [ben.id]);
    expect(await setRole(ann, chatId, ben, 'KING')).toMatchObject({
      status: 400,
      body: { details: [{ field: 'role' }] },
    });
    for (const other of [cid, { id: UNKNOWN }, { id: 'nobody' }]) {
      expect(await setRole(ann, chatId, other, 'ADMIN')).toMatchObject({
        status: 404,
        code: 'MEMBER_NOT_FOUND',
      });
    }
    expect(await setRole(ann, chatId, ann, 'MEMBER')).toMatchObject({ status: 422 });
    expect(await roleOf(chatId, ann)).toBe('OWNER');
  });

  it('stay with one owner when two hand-overs and a leave run at once', async () => {
    const [ann, ben, cid] = await makeFriends(app, ['Ann', 'Ben', 'Cid']);
    for (let round = 0; round < 5; round++) {
      const chatId = await createGroup(ann, [ben.id, cid.id]);
      await Promise.all([
        setRole(ann, chatId, ben, 'OWNER'),
        setRole(ann, chatId, cid, 'OWNER'),
        leave(ann, chatId),
        leave(ben, chatId),
      ]);
      const members = await membersOf(app, chatId);
      expect(members).toEqual([{ userId: cid.id, role: 'OWNER' }]);
      await expectNoGaps(app, chatId);
    }
  });
});

describe('leaving', () => {
  it('passes an owner’s group to the oldest admin, else the oldest member, and may leave it empty', async () => {
    const [ann, ben, cid, dan] = await makeFriends(app, ['Ann', 'Ben', 'Cid', 'Dan']);
    const chatId = await createGroup(ann, [ben.id]);
    for (const person of [cid, dan]) {
      app.clock.advance(1000);
      await add(ann, chatId, person);
    }
    for (const person of [dan, cid]) await setRole(ann, chatId, person, 'ADMIN');
    const last = async (person: TestPerson) => (await textsOf(person, chatId)).at(-1);
    await leave(ann, chatId);
    expect(await last(ben)).toBe('Ann left. Cid is the owner now.');
    expect(await membersOf(app, chatId)).toEqual(
      [
        { userId: ben.id, role: 'MEMBER' },
        { userId: cid.id, role: 'OWNER' },
        { userId: dan.id, role: 'ADMIN' },
      ].sort((a, b) => (a.userId < b.userId ? -1 : 1)),
    );
    await setRole(cid, chatId, dan, 'MEMBER');
    await leave(cid, chatId);
    expect(await last(dan)).toBe('Cid left. Ben is the owner now.');
    await leave(dan, chatId);
    expect(await last(ben)).toBe('Dan left.');
    await leave(ben, chatId);
    expect(await membersOf(app, chatId)).toEqual([]);
    expect((await leave(ben, chatId)).status).toBe(404);
    await expectNoGaps(app, chatId);
  });

  it('does not count as reading what one had not read', async () => {
    const [ann, ben] = await makeFriends(app, ['Ann', 'Ben']);
    const chatId = await createGroup(ann, [ben.id]);
    const { data: message } = await send(ann, chatId, 'unread');
    await leave(ben, chatId);
    const history = await ann.http.get(`/api/chats/${chatId}/messages`);
    expect(history.data.at(-1)).toMatchObject({ id: message.id, status: 'SENT' });
  });
});

describe('the list of members', () => {
  it('is paged in the order of joining and found by the beginning of a name', async () => {
    const [ann, ben] = await makeFriends(app, ['Ann', 'Élodie']);
    const crowd = await makeCrowd(app, ann, 120, 'Zoë');
    const chatId = await createGroup(ann, crowd);
    app.clock.advance(1000);
    await add(ann, chatId, ben);
    const seen: string[] = [];
    let cursor = '';
    for (let pages = 1; ; pages++) {
      const page = await ben.http.get(`/api/chats/${chatId}/members?limit=50${cursor}`);
      seen.push(...page.data.map((member: { user: { id: string } }) => member.user.id));
      if (page.page.nextCursor === null) {
        expect(pages).toBe(3);
        break;
      }
      cursor = `&cursor=${page.page.nextCursor}`;
      // Who goes or comes meanwhile moves nobody else.
      if (pages === 1) await remove(ann, chatId, { id: seen[3]! });
    }
    expect(new Set(seen).size).toBe(122);
    expect(seen.at(-1)).toBe(ben.id);

    const search = async (query: string): Promise<string[]> => {
      const path = `/api/chats/${chatId}/members?query=${encodeURIComponent(query)}`;
      return (await ann.http.get(path)).data.map((member: { user: { name: string } }) => member.user.name);
    };
    expect(await search('ELO')).toEqual(['Élodie']);
    expect(await search('élodie')).toEqual(['Élodie']);
    expect(await search('lodie')).toEqual([]);
    expect(await search('%')).toEqual([]);
    expect((await search('')).length).toBe(30);
  });

  it('refuses a cursor of another list and a query too long', async () => {
    const [ann, ben] = await makeFriends(app, ['Ann', 'Ben']);
    const [one, other] = [await createGroup(ann, [ben.id]), await createGroup(ann, [ben.id])];
    const { page } = await ann.http.get(`/api/chats/${one}/members?limit=1`);
    const refused = { status: 400, code: 'INVALID_CURSOR' };
    const cursor = `cursor=${page.nextCursor}`;
    expect(await ann.http.get(`/api/chats/${other}/members?${cursor}`)).toMatchObject(refused);
    expect(await ben.http.get(`/api/chats/${one}/members?${cursor}`)).toMatchObject(refused);
    expect(await ann.http.get(`/api/chats/${one}/members?query=B&${cursor}`)).toMatchObject(refused);
    const long = await ann.http.get(`/api/chats/${one}/members?query=${'x'.repeat(101)}`);
    expect(long).toMatchObject({ status: 400, code: 'VALIDATION_FAILED' });
  });
});

describe('races', () => {
  const LOSES_ROLE = `UPDATE member SET role = 'MEMBER' WHERE chat_id = $1 AND user_id = $2`;
  const LEAVES = `UPDATE member SET left_at = now(), left_seq = 0 WHERE chat_id = $1 AND user_id = $2`;
  type Act = (
    me: TestPerson,
    chatId: string,
    other: TestPerson,
    friend: TestPerson,
  ) => Promise<{ status: number }>;
  const acts: Record<string, Act> = {
    rename: (me, id) => me.http.patch(`/api/chats/${id}`, { name: 'Other' }),
    add: (me, id, _other, friend) => add(me, id, friend),
    remove: (me, id, other) => remove(me, id, other),
    'give a role': (me, id, other) => setRole(me, id, other, 'ADMIN'),
    'hand over': (me, id, other) => setRole(me, id, other, 'OWNER'),
    leave: (me, id) => leave(me, id),
    pin: (me, id) => me.http.patch(`/api/chats/${id}/settings`, { pinned: true }),
    clear: (me, id) => me.http.delete(`/api/chats/${id}`),
  };

  it.each<[string, string, string, string]>([
    ['rename', 'demoted', LOSES_ROLE, 'NOT_A_GROUP_ADMIN'],
    ['add', 'demoted', LOSES_ROLE, 'NOT_A_GROUP_ADMIN'],
    ['remove', 'demoted', LOSES_ROLE, 'NOT_A_GROUP_ADMIN'],
    ['give a role', 'demoted', LOSES_ROLE, 'NOT_THE_GROUP_OWNER'],
    ['hand over', 'demoted', LOSES_ROLE, 'NOT_THE_GROUP_OWNER'],
    ...Object.keys(acts).map((name): [string, string, string, string] => [
      name,
      'gone',
      LEAVES,
      'CHAT_NOT_FOUND',
    ]),
  ])('%s: refused to who is %s before they have the lock', async (name, _end, change, code) => {
    const [ann, ben, cid] = await makeFriends(app, ['Ann', 'Ben', 'Cid']);
    const chatId = await createGroup(ann, [ben.id]);
    const act = () => acts[name]!(ann, chatId, ben, cid);
    expect(await changeWhileWaiting(app, chatId, act, change, [chatId, ann.id])).toMatchObject({ code });
    const expected = change === LEAVES ? [ben.id] : [ann.id, ben.id].sort();
    expect((await membersOf(app, chatId)).map(({ userId }) => userId)).toEqual(expected);
    expect(await expectNoGaps(app, chatId)).toBe(0);
  });

  it('refuse to remove who has become the owner, and who has gone, before the lock is had', async () => {
    const [ann, ben, cid] = await makeFriends(app, ['Ann', 'Ben', 'Cid']);
    const chatId = await createGroup(ann, [ben.id, cid.id]);
    await setRole(ann, chatId, ben, 'ADMIN');
    const act = () => remove(ben, chatId, cid);
    const promote = `UPDATE member SET role = 'OWNER' WHERE chat_id = $1 AND user_id = $2`;
    expect(await changeWhileWaiting(app, chatId, act, promote, [chatId, cid.id])).toMatchObject({
      code: 'NOT_THE_GROUP_OWNER',
    });
    expect(await changeWhileWaiting(app, chatId, act, LEAVES, [chatId, cid.id])).toMatchObject({
      code: 'MEMBER_NOT_FOUND',
    });
    expect(await expectNoGaps(app, chatId)).toBe(1);
  });

  it('make a block wait for an addition that was before it', async () => {
    const [ann, ben, cid] = await makeFriends(app, ['Ann', 'Ben', 'Cid']);
    const chatId = await createGroup(ann, [ben.id]);
    // Two wait for a lock: the addition for the chat's, and the block for the addition.
    const [added] = await changeWhileWaiting(
      app,
      chatId,
      () =>
        Promise.all([
          add(ann, chatId, cid),
          eventually(
            () => lockWaiters(app),
            (waiters) => waiters === 1,
          ).then(() => cid.http.post('/api/contacts/block', { userId: ann.id })),
        ]),
      'SELECT 1',
      [],
      2,
    );
    expect(added.status).toBe(201);
    await remove(ann, chatId, cid);
    expect((await add(ann, chatId, cid)).code).toBe('BLOCKED');
  });

  it('add the same person once, however many do it', async () => {
    const [ann, ben, cid, dan] = await makeFriends(app, ['Ann', 'Ben', 'Cid', 'Dan']);
    const chatId = await createGroup(ann, [ben.id, cid.id]);
    for (const admin of [ben, cid]) await setRole(ann, chatId, admin, 'ADMIN');
    const admins = [ann, ben, cid];
    const answers = await Promise.all(Array.from({ length: 30 }, (_, i) => add(admins[i % 3]!, chatId, dan)));
    expect(answers.filter((answer) => answer.status === 201)).toHaveLength(1);
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(29);
    expect((await textsOf(ann, chatId)).filter((text) => text.includes('added Dan'))).toHaveLength(1);
    expect(await expectNoGaps(app, chatId)).toBe(3);
  });

  it('remove the same person once', async () => {
    const [ann, ben, cid] = await makeFriends(app, ['Ann', 'Ben', 'Cid']);
    const chatId = await createGroup(ann, [ben.id, cid.id]);
    await setRole(ann, chatId, ben, 'ADMIN');
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => remove(i % 2 === 0 ? ann : ben, chatId, cid)),
    );
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(1);
    expect(answers.filter((answer) => answer.code === 'MEMBER_NOT_FOUND')).toHaveLength(19);
    expect(await expectNoGaps(app, chatId)).toBe(2);
  });

  it('of adding and removing end with a history that says who is in', async () => {
    const [ann, ben, cid, dan] = await makeFriends(app, ['Ann', 'Ben', 'Cid', 'Dan']);
    const chatId = await createGroup(ann, [ben.id]);
    await setRole(ann, chatId, ben, 'ADMIN');
    await Promise.all(
      Array.from({ length: 40 }, (_, i) => {
        const [admin, other] = [i % 2 === 0 ? ann : ben, i % 3 === 0 ? cid : dan];
        return i % 4 < 2 ? add(admin, chatId, other) : remove(admin, chatId, other);
      }),
    );
    await expectNoGaps(app, chatId);
    const texts = await textsOf(ann, chatId);
    for (const [person, name] of [
      [cid, 'Cid'],
      [dan, 'Dan'],
    ] as const) {
      const about = texts.filter((text) => text.endsWith(` ${name}.`));
      // Coming and going take turns.
      about.forEach((text, turn) => expect(text).toContain(turn % 2 === 0 ? 'added' : 'removed'));
      expect(await roleOf(chatId, person)).toBe(about.length % 2 === 1 ? 'MEMBER' : undefined);
    }
    const [chat] = await app.sql('SELECT last_seq, members_seq FROM chat WHERE id = $1', [chatId]);
    expect(chat).toEqual({ last_seq: texts.length, members_seq: texts.length });
  });

  it('of receipts and changes of the members neither deadlock nor lose a mark', async () => {
    const [ann, ben, cid, dan] = await makeFriends(app, ['Ann', 'Ben', 'Cid', 'Dan']);
    const chatId = await createGroup(ann, [ben.id, cid.id]);
    await befriend(app, ann, [dan.id]);
    const answers = await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        switch (i % 4) {
          case 0:
            return send(ben, chatId, `text ${i}`);
          case 1:
            return cid.http.post(`/api/chats/${chatId}/messages/read`, {});
          case 2:
            return i % 8 === 2 ? add(ann, chatId, dan) : remove(ann, chatId, dan);
          default:
            return setRole(ann, chatId, cid, i % 8 === 3 ? 'ADMIN' : 'MEMBER');
        }
      }),
    );
    expect(answers.filter(({ status }) => status >= 500)).toEqual([]);
    const last = await expectNoGaps(app, chatId);
    const { data } = await cid.http.post(`/api/chats/${chatId}/messages/read`, {});
    expect(data).toMatchObject({ deliveredSeq: last, readSeq: last });
  });
});
