import { useApp, type TestPerson } from '../support/app.js';
import { makeContacts } from '../support/people.js';
import type { TestSocket } from '../support/socket.js';
import { follow, leave, type Presence } from './presence-support.js';

const app = useApp();

const showTo = async (person: TestPerson, lastSeen: string): Promise<void> => {
  const answer = await person.http.put('/api/auth/update-profile', { settings: { lastSeen } });
  expect(answer.status).toBe(200);
};

/** Somebody who has been seen before and is online now. */
async function someoneOnline(): Promise<{ person: TestPerson; shown: Presence; hidden: Presence }> {
  const person = await app.registerUser();
  await leave(app, await app.connect(person));
  const lastSeenAt = app.clock.now().toISOString();
  app.clock.advance(5_000);
  await app.connect(person);
  return {
    person,
    shown: { userId: person.id, online: true, lastSeenAt },
    hidden: { userId: person.id, online: false, lastSeenAt: null },
  };
}

describe('presence is shown', () => {
  it('to everyone, to contacts or to nobody, as its owner sets it, and always to its owner', async () => {
    const { person, shown, hidden } = await someoneOnline();
    const [friend, asker, stranger] = await Promise.all([
      app.registerUser(),
      app.registerUser(),
      app.registerUser(),
    ]);
    await makeContacts(friend, person);
    await asker.http.post('/api/contacts/request', { userId: person.id });
    const seenBy = async (viewer: TestPerson): Promise<Presence | undefined> => {
      const [presence] = await follow(await app.connect(viewer), person);
      return presence;
    };

    for (const viewer of [friend, asker, stranger, person]) expect(await seenBy(viewer)).toEqual(shown);
    await showTo(person, 'contacts');
    expect(await seenBy(friend)).toEqual(shown);
    expect(await seenBy(asker)).toEqual(hidden);
    expect(await seenBy(stranger)).toEqual(hidden);
    await showTo(person, 'nobody');
    for (const viewer of [friend, asker, stranger]) expect(await seenBy(viewer)).toEqual(hidden);
    expect(await seenBy(person)).toEqual(shown);
  });

  it('the same way in profiles', async () => {
    const { person, shown } = await someoneOnline();
    const friend = await app.registerUser();
    await makeContacts(friend, person);
    const { online, lastSeenAt } = shown;
    expect((await friend.http.get('/api/contacts')).data).toMatchObject([{ user: { online, lastSeenAt } }]);
    await showTo(person, 'nobody');
    expect((await friend.http.get('/api/contacts')).data).toMatchObject([
      { user: { online: false, lastSeenAt: null } },
    ]);
  });

  it('to nobody a block stands between, whoever made it', async () => {
    for (const direction of ['out', 'in']) {
      const { person, shown, hidden } = await someoneOnline();
      const viewer = await app.registerUser();
      await makeContacts(viewer, person);
      const watcher = await app.connect(viewer);
      expect(await follow(watcher, person)).toEqual([shown]);
      const [blocker, blocked] = direction === 'out' ? [viewer, person] : [person, viewer];

      await blocker.http.post('/api/contacts/block', { userId: blocked.id });
      expect(await watcher.next('presence')).toEqual(hidden);
      expect(await follow(await app.connect(viewer), person)).toEqual([hidden]);

      await blocker.http.patch(`/api/contacts/unblock/${blocked.id}`);
      expect(await watcher.next('presence')).toEqual(shown);
    }
  });

  it('and is never told to subscribers who may not know', async () => {
    const [person, stranger, friend] = await Promise.all([
      app.registerUser(),
      app.registerUser(),
      app.registerUser(),
    ]);
    await makeContacts(friend, person);
    await showTo(person, 'contacts');
    const [strangers, friends] = [await app.connect(stranger), await app.connect(friend)];
    await follow(strangers, person);
    await follow(friends, person);

    const device = await app.connect(person);
    await friends.next('presence', ({ online }) => online === true);
    await leave(app, device);
    app.clock.advance(5_000);
    await friends.next('presence', ({ online }) => online === false);

    await strangers.expectNone('presence');
  });
});

describe('subscribers are told anew', () => {
  const watch = async (viewer: TestPerson, person: TestPerson): Promise<TestSocket> => {
    const socket = await app.connect(viewer);
    await follow(socket, person);
    return socket;
  };

  it('when the owner changes the setting', async () => {
    const { person, shown, hidden } = await someoneOnline();
    const [friend, stranger] = await Promise.all([app.registerUser(), app.registerUser()]);
    await makeContacts(friend, person);
    const [friends, strangers] = [await watch(friend, person), await watch(stranger, person)];

    await showTo(person, 'contacts');
    expect(await strangers.next('presence')).toEqual(hidden);
    await showTo(person, 'nobody');
    expect(await friends.next('presence')).toEqual(hidden);
    await showTo(person, 'everyone');
    expect(await friends.next('presence')).toEqual(shown);
    expect(await strangers.next('presence')).toEqual(shown);
  });

  it('when they become contacts, and when that ends', async () => {
    const { person, shown, hidden } = await someoneOnline();
    await showTo(person, 'contacts');
    const viewer = await app.registerUser();
    const watcher = await watch(viewer, person);

    const contactId = await makeContacts(viewer, person);
    expect(await watcher.next('presence')).toEqual(shown);
    await person.http.delete(`/api/contacts/${contactId}`);
    expect(await watcher.next('presence')).toEqual(hidden);
  });

  it('but not when others come to a block', async () => {
    const { person } = await someoneOnline();
    const [viewer, blocked] = await Promise.all([app.registerUser(), app.registerUser()]);
    const [viewers, blockeds] = [await watch(viewer, person), await watch(blocked, person)];
    await person.http.post('/api/contacts/block', { userId: blocked.id });
    await blockeds.next('presence');
    await viewers.expectNone('presence');
  });
});
