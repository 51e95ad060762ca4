import { FakeFcm } from '../fakes/fcm.js';
import { FakeWebPush, type ReceivedPush } from '../fakes/webpush.js';
import { startApp, type TestApp, type TestPerson } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { makeGroup, makePrivateChat } from '../support/people.js';
import { addDevice, jobsAreDone, pushedSeq, send } from './push-support.js';

const DEBOUNCE_MS = 1_000;

let app: TestApp;
let webpush: FakeWebPush;
let fcm: FakeFcm;

beforeAll(async () => {
  [webpush, fcm] = await Promise.all([FakeWebPush.start(), FakeFcm.start()]);
  app = await startApp({ env: { ...webpush.env, ...fcm.env } });
});

afterAll(async () => {
  await app.close();
  await Promise.all([webpush.stop(), fcm.stop()]);
  expect(webpush.violations).toEqual([]);
});

interface Scene {
  ann: TestPerson;
  ben: TestPerson;
  cid: TestPerson;
  chatId: string;
  /** Of Ann's browser and her phone. */
  browser: string;
  phone: string;
}

/** Ann has two devices, none of them connected; Ben writes. */
async function makeScene(kind: 'PRIVATE' | 'GROUP' = 'PRIVATE'): Promise<Scene> {
  const [ann, ben, cid] = await Promise.all([
    app.registerUser({ name: 'Ann' }),
    app.registerUser({ name: 'Ben' }),
    app.registerUser({ name: 'Cid' }),
  ]);
  const chatId = kind === 'PRIVATE' ? await makePrivateChat(ann, ben) : await makeGroup(ben, [ann, cid]);
  const { id: browser, ...subscription } = webpush.subscribe();
  await addDevice(app, ann, 'browser', { provider: 'webpush', subscription });
  const phone = fcm.register();
  await addDevice(app, ann, 'phone', { provider: 'fcm', token: phone });
  return { ann, ben, cid, chatId, browser, phone };
}

/** The debounce is over and all that it woke is done. */
async function settle(scene: Scene, throughSeq: number): Promise<void> {
  app.clock.advance(DEBOUNCE_MS);
  await eventually(
    () => pushedSeq(app, scene.ann, scene.chatId),
    (seq) => seq >= throughSeq,
  );
  await jobsAreDone(app);
}

async function firstPush(id: string): Promise<ReceivedPush> {
  const pushes = await eventually(
    () => new Promise<ReceivedPush[]>((resolve) => void setImmediate(() => resolve(webpush.to(id)))),
    (list) => list.length > 0,
  );
  return pushes[0]!;
}

async function settings(person: TestPerson, chatId: string, body: object): Promise<void> {
  expect((await person.http.patch(`/api/chats/${chatId}/settings`, body)).status).toBe(200);
}

describe('a push', () => {
  it('tells both devices of a private message, by both protocols', async () => {
    const scene = await makeScene();
    const { ben, chatId, browser, phone } = scene;
    const { id, seq } = await send(ben, chatId, 'hello Ann');
    await settle(scene, seq);
    const payload = {
      chatId,
      messageId: id,
      seq,
      title: 'Ben',
      body: 'hello Ann',
      unreadCount: 1,
      mentioned: false,
    };
    const [push] = webpush.to(browser);
    expect(push!.payload).toEqual(payload);
    expect(push!.headers).toMatchObject({ urgency: 'high', ttl: '604800' });
    const [message] = fcm.to(phone);
    expect(message.notification).toEqual({ title: 'Ben', body: 'hello Ann' });
    expect(message.data).toEqual(
      Object.fromEntries(Object.entries(payload).map(([name, value]) => [name, String(value)])),
    );
    expect(message.android).toMatchObject({ priority: 'HIGH', notification: { tag: chatId } });
    expect(webpush.to(browser)).toHaveLength(1);
    expect(fcm.to(phone)).toHaveLength(1);
  });

  it('names the group and who writes', async () => {
    const scene = await makeScene('GROUP');
    const { seq } = await send(scene.ben, scene.chatId, 'hello all');
    await settle(scene, seq);
    const chat = (await scene.ann.http.get(`/api/chats/${scene.chatId}`)).data as { name: string };
    expect(webpush.to(scene.browser)[0]!.payload).toMatchObject({ title: chat.name, body: 'Ben: hello all' });
  });

  it('is one for several messages of a second, and takes the place of an earlier one of its chat', async () => {
    const scene = await makeScene();
    const { ann, ben, chatId, browser, phone } = scene;
    for (const text of ['one', 'two', 'three']) await send(ben, chatId, text);
    await settle(scene, 3);
    expect(webpush.to(browser).map((push) => push.payload.body)).toEqual(['three']);
    expect(webpush.to(browser)[0]!.payload.unreadCount).toBe(3);
    await send(ben, chatId, 'four');
    await settle(scene, 4);
    const other = await app.registerUser();
    const elsewhere = await makePrivateChat(ann, other);
    await send(other, elsewhere, 'five');
    await settle({ ...scene, chatId: elsewhere }, 1);

    const topics = webpush.to(browser).map((push) => push.headers.topic);
    expect(topics).toHaveLength(3);
    expect(topics[1]).toBe(topics[0]);
    expect(topics[2]).not.toBe(topics[0]);
    const keys = fcm.to(phone).map((message) => message.android.collapse_key as string);
    expect(keys).toEqual(topics);
    expect(fcm.to(phone).map((message) => message.apns.headers['apns-collapse-id'])).toEqual(topics);
  });

  it.each([
    ['a long text', 'x'.repeat(4096)],
    ['a text of large characters', '👩‍👩‍👧‍👦'.repeat(500)],
    ['a text that JSON escapes', '\u0001"\\'.repeat(1000)],
  ])('holds 140 code points and 3,000 bytes at most of %s', async (_name, text) => {
    const scene = await makeScene();
    const { seq } = await send(scene.ben, scene.chatId, text);
    await settle(scene, seq);
    const push = await firstPush(scene.browser);
    expect(Array.from(push.payload.body as string)).toHaveLength(140);
    expect(push.payload.body).toMatch(/…$/u);
    expect(push.size).toBeLessThanOrEqual(3000);
    expect(fcm.to(scene.phone)).toHaveLength(1);
  });
});

/** What happens before or with the message that Ben sends, and which of Ann's devices are told. */
const NOBODY: Record<string, { kind?: 'GROUP'; cause: (scene: Scene) => Promise<unknown> }> = {
  'who has muted the chat': {
    cause: async ({ ann, ben, chatId }) => {
      await settings(ann, chatId, { mutedUntil: new Date(app.clock.nowMs() + 3_600_000).toISOString() });
      await send(ben, chatId, 'psst');
    },
  },
  'the sender’s own devices': { cause: ({ ann, chatId }) => send(ann, chatId, 'mine') },
  'of a SYSTEM message': {
    kind: 'GROUP',
    cause: ({ ben, chatId }) => ben.http.patch(`/api/chats/${chatId}`, { name: 'Allotment' }),
  },
  'of a message that was deleted at once': {
    cause: async ({ ben, chatId }) => {
      const { id } = await send(ben, chatId, 'oops');
      await ben.http.delete(`/api/chats/messages/${id}?for=everyone`);
    },
  },
  'of a message that was read at once elsewhere': {
    cause: async ({ ann, ben, chatId }) => {
      await send(ben, chatId, 'here');
      await ann.http.post(`/api/chats/${chatId}/messages/read`, {});
    },
  },
  'of a message that was delivered at once elsewhere': {
    cause: async ({ ann, ben, chatId }) => {
      await send(ben, chatId, 'here');
      await ann.http.post(`/api/chats/${chatId}/messages/delivered`, {});
    },
  },
  'who has hidden the message': {
    cause: async ({ ann, ben, chatId }) => {
      const { id } = await send(ben, chatId, 'here');
      await ann.http.delete(`/api/chats/messages/${id}?for=me`);
    },
  },
  'who was removed from the group': {
    kind: 'GROUP',
    cause: async ({ ann, ben, chatId }) => {
      await send(ben, chatId, 'too late');
      await ben.http.delete(`/api/chats/${chatId}/members/${ann.id}`);
    },
  },
  'who has blocked the sender, in a group': {
    kind: 'GROUP',
    cause: async ({ ann, ben, chatId }) => {
      await ann.http.post('/api/contacts/block', { userId: ben.id });
      await send(ben, chatId, 'still here');
    },
  },
  'who is connected': {
    cause: async ({ ann, ben, chatId }) => {
      await app.connect(ann);
      await send(ben, chatId, 'look');
    },
  },
};

/** What is pushed although something speaks against it. */
const ALL_THE_SAME: Record<string, { kind?: 'GROUP'; cause: (scene: Scene) => Promise<{ seq: number }> }> = {
  'of a mention in a muted group': {
    kind: 'GROUP',
    cause: async ({ ann, ben, chatId }) => {
      await settings(ann, chatId, { mutedUntil: new Date(app.clock.nowMs() + 3_600_000).toISOString() });
      const message = await send(ben, chatId, 'you!', [ann]);
      await send(ben, chatId, 'not about you');
      return message;
    },
  },
  'when the mute is over': {
    cause: async ({ ann, ben, chatId }) => {
      await settings(ann, chatId, { mutedUntil: new Date(app.clock.nowMs() + 1_000).toISOString() });
      app.clock.advance(2_000);
      return send(ben, chatId, 'hello');
    },
  },
  'in an archived chat': {
    cause: async ({ ann, ben, chatId }) => {
      await settings(ann, chatId, { archived: true });
      return send(ben, chatId, 'hello');
    },
  },
  'of the newest message that is left': {
    cause: async ({ ben, chatId }) => {
      const kept = await send(ben, chatId, 'kept');
      const { id } = await send(ben, chatId, 'oops');
      await ben.http.delete(`/api/chats/messages/${id}?for=everyone`);
      return kept;
    },
  },
};

describe('nothing is pushed to', () => {
  it.each(Object.entries(NOBODY))('%s', async (_name, { kind, cause }) => {
    const scene = await makeScene(kind);
    await cause(scene);
    app.clock.advance(DEBOUNCE_MS);
    // Dee waits in a chat of her own behind it: once she is told, everything before has been looked at.
    const witness = await makeScene();
    const { seq } = await send(witness.ben, witness.chatId, 'now');
    await settle(witness, seq);
    expect(webpush.to(scene.browser)).toEqual([]);
    expect(fcm.to(scene.phone)).toEqual([]);
    expect(webpush.to(witness.browser)).toHaveLength(1);
  });
});

describe('a push is sent', () => {
  it.each(Object.entries(ALL_THE_SAME))('%s', async (_name, { kind, cause }) => {
    const scene = await makeScene(kind);
    const { seq } = await cause(scene);
    await settle(scene, seq);
    expect(webpush.to(scene.browser).map((push) => push.payload.seq)).toEqual([seq]);
    expect(fcm.to(scene.phone)).toHaveLength(1);
  });

  it('to who has just left, once the grace is over', async () => {
    const scene = await makeScene();
    const socket = await app.connect(scene.ann);
    socket.disconnect();
    const { seq } = await send(scene.ben, scene.chatId, 'are you still there?');
    app.clock.advance(DEBOUNCE_MS);
    await jobsAreDone(app);
    expect(await pushedSeq(app, scene.ann, scene.chatId)).toBe(0);
    // The second look, or else the sweep.
    await eventually(
      async () => {
        app.clock.advance(5_000);
        return pushedSeq(app, scene.ann, scene.chatId);
      },
      (pushed) => pushed === seq,
    );
    await jobsAreDone(app);
    expect(webpush.to(scene.browser)).toHaveLength(1);
  });
});

describe('a subscription that is gone', () => {
  async function providersOf({ ann }: Scene): Promise<Record<string, string | null>> {
    const { data } = await ann.http.get('/api/devices');
    const devices = data as { deviceId: string; pushProvider: string | null }[];
    return Object.fromEntries(devices.map(({ deviceId, pushProvider }) => [deviceId, pushProvider]));
  }

  it.each([404, 410])('is removed on %i, and the other device is told', async (status) => {
    const scene = await makeScene();
    webpush.refuse(scene.browser, { status });
    await send(scene.ben, scene.chatId, 'hello');
    await settle(scene, 1);
    expect(await providersOf(scene)).toMatchObject({ browser: null, phone: 'fcm' });
    expect(fcm.to(scene.phone)).toHaveLength(1);
    await send(scene.ben, scene.chatId, 'again');
    await settle(scene, 2);
    expect(webpush.requests.filter((id) => id === scene.browser)).toHaveLength(1);
  });

  it.each([{ code: 'UNREGISTERED' as const }, { code: 'INVALID_ARGUMENT' as const, field: 'message.token' }])(
    'is removed on $code',
    async (refusal) => {
      const scene = await makeScene();
      fcm.refuse(scene.phone, refusal);
      await send(scene.ben, scene.chatId, 'hello');
      await settle(scene, 1);
      expect(await providersOf(scene)).toMatchObject({ browser: 'webpush', phone: null });
    },
  );

  it.each([
    { code: 'INVALID_ARGUMENT' as const, field: 'message.android.ttl' },
    { code: 'SENDER_ID_MISMATCH' as const },
  ])('is not what $code $field says', async (refusal) => {
    const scene = await makeScene();
    fcm.refuse(scene.phone, refusal);
    await send(scene.ben, scene.chatId, 'hello');
    await settle(scene, 1);
    expect(await providersOf(scene)).toMatchObject({ phone: 'fcm' });
    expect(fcm.requests.filter((token) => token === scene.phone)).toHaveLength(1);
  });
});

describe('a push service in trouble', () => {
  it('is asked again after Retry-After, for the one device alone', async () => {
    const scene = await makeScene();
    webpush.refuse(
      scene.browser,
      { status: 429, headers: { 'Retry-After': '1' } },
      { status: 503, headers: { 'Retry-After': '0' } },
    );
    await send(scene.ben, scene.chatId, 'hello');
    const began = performance.now();
    await settle(scene, 1);
    expect(performance.now() - began).toBeGreaterThan(950);
    expect(webpush.to(scene.browser)).toHaveLength(1);
    expect(webpush.requests.filter((id) => id === scene.browser)).toHaveLength(3);
    expect(fcm.requests.filter((token) => token === scene.phone)).toHaveLength(1);
  });

  it('is given up after five attempts, and the next message is pushed again', async () => {
    const scene = await makeScene();
    const never = { code: 'UNAVAILABLE' as const, headers: { 'Retry-After': '0' } };
    fcm.refuse(scene.phone, never, never, never, never, never);
    await send(scene.ben, scene.chatId, 'lost');
    await settle(scene, 1);
    expect(fcm.requests.filter((token) => token === scene.phone)).toHaveLength(5);
    await send(scene.ben, scene.chatId, 'found');
    await settle(scene, 2);
    expect(fcm.to(scene.phone).map((message) => message.data.body)).toEqual(['found']);
  });

  it('costs a new access token when the old one is refused', async () => {
    const scene = await makeScene();
    await send(scene.ben, scene.chatId, 'one');
    await settle(scene, 1);
    const issued = fcm.tokensIssued;
    fcm.revokeAccess();
    await send(scene.ben, scene.chatId, 'two');
    await settle(scene, 2);
    expect(fcm.to(scene.phone)).toHaveLength(2);
    expect(fcm.tokensIssued).toBe(issued + 1);
  });
});

it('says how to subscribe', async () => {
  const ann = await app.registerUser();
  const { data } = await ann.http.get('/api/notifications/push');
  expect(data).toEqual({ webpush: { publicKey: webpush.vapid.publicKey }, fcm: true });
});

it('takes no APNs token', async () => {
  const ann = await app.registerUser();
  await app.http().post('/api/auth/login', { email: ann.email, password: ann.password, deviceId: 'ipad' });
  const answer = await ann.http.put('/api/devices/ipad/push', { provider: 'apns', token: 'x' });
  expect(answer).toMatchObject({ status: 422, code: 'PROVIDER_UNAVAILABLE' });
});
