import { useApp, startApp, type TestPerson } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { makeContacts } from '../support/people.js';
import { follow, leave, presenceSeen } from './presence-support.js';

const app = useApp();

async function friends(): Promise<[TestPerson, TestPerson]> {
  const [ann, ben] = await Promise.all([app.registerUser(), app.registerUser()]);
  await makeContacts(ann, ben);
  return [ann, ben];
}

describe('a person', () => {
  it('is online while any device is connected, which is told when the first comes', async () => {
    const [ann, ben] = await friends();
    const watcher = await app.connect(ann);
    expect(await follow(watcher, ben)).toEqual([{ userId: ben.id, online: false, lastSeenAt: null }]);

    const phone = await app.connect(ben);
    expect(await watcher.next('presence')).toEqual({ userId: ben.id, online: true, lastSeenAt: null });
    const laptop = await app.connect(ben);
    await leave(app, phone);
    app.clock.advance(60_000);

    expect(await presenceSeen(ann, ben)).toMatchObject({ online: true });
    await leave(app, laptop);
    app.clock.advance(5_000);
    expect(await watcher.next('presence')).toMatchObject({ online: false });
    expect(watcher.all('presence')).toHaveLength(2);
  });

  it('goes offline five seconds after the last device left, and was last seen when it did', async () => {
    const [ann, ben] = await friends();
    const watcher = await app.connect(ann);
    const [phone, laptop] = [await app.connect(ben), await app.connect(ben)];
    await follow(watcher, ben);

    await leave(app, phone);
    app.clock.advance(7_000);
    await leave(app, laptop);
    const leftAt = app.clock.now().toISOString();
    app.clock.advance(4_999);
    expect(await presenceSeen(ann, ben)).toMatchObject({ online: true });
    app.clock.advance(1);

    const offline = { userId: ben.id, online: false, lastSeenAt: leftAt };
    expect(await watcher.next('presence', ({ online }) => online === false)).toEqual(offline);
    expect(await presenceSeen(ann, ben)).toEqual(offline);
    expect(await follow(await app.connect(ann), ben)).toEqual([offline]);
    expect(watcher.all('presence').filter(({ online }) => online === false)).toHaveLength(1);
  });

  it('who comes back within five seconds was never away', async () => {
    const [ann, ben] = await friends();
    const watcher = await app.connect(ann);
    const first = await app.connect(ben);
    await follow(watcher, ben);

    for (let round = 0; round < 3; round++) {
      await leave(app, ...(round === 0 ? [first] : []));
      app.clock.advance(4_999);
      const again = await app.connect(ben);
      app.clock.advance(60_000);
      await leave(app, again);
    }
    expect(await presenceSeen(ann, ben)).toMatchObject({ online: true, lastSeenAt: null });
    const leftAt = app.clock.now().toISOString();
    app.clock.advance(5_000);

    await watcher.next('presence', ({ online }) => online === false);
    expect(watcher.all('presence').filter(({ online }) => online === false)).toEqual([
      { userId: ben.id, online: false, lastSeenAt: leftAt },
    ]);
  });

  it('keeps the last time while online again', async () => {
    const [ann, ben] = await friends();
    await leave(app, await app.connect(ben));
    const leftAt = app.clock.now().toISOString();
    app.clock.advance(5_000);
    await eventually(
      () => presenceSeen(ann, ben),
      ({ online }) => !online,
    );
    await app.connect(ben);
    expect(await presenceSeen(ann, ben)).toEqual({ userId: ben.id, online: true, lastSeenAt: leftAt });
  });

  it('goes offline when the session is ended', async () => {
    const [ann, ben] = await friends();
    const watcher = await app.connect(ann);
    const phone = await app.connect(ben);
    await follow(watcher, ben);
    await ben.http.post('/api/auth/logout');
    await phone.closed;
    app.clock.advance(5_000);
    expect(await watcher.next('presence', ({ online }) => online === false)).toMatchObject({
      userId: ben.id,
    });
  });
});

describe('people who leave together', () => {
  it('are written down with one statement, and told each', async () => {
    const ann = await app.registerUser();
    const people = await Promise.all(Array.from({ length: 12 }, () => app.registerUser()));
    const watcher = await app.connect(ann);
    const sockets = await Promise.all(people.map((person) => app.connect(person)));
    await follow(watcher, ...people);
    await leave(app, ...sockets);
    app.clock.advance(5_000);

    for (const { id } of people) {
      await watcher.next('presence', ({ userId, online }) => userId === id && online === false);
    }
    const writers = await app.sql('SELECT DISTINCT xmin::text FROM app_user WHERE id = ANY ($1::uuid[])', [
      people.map(({ id }) => id),
    ]);
    expect(writers).toHaveLength(1);
  });
});

describe('a server that is stopped', () => {
  it('writes down when everybody left, also who left just before', async () => {
    const stopping = await startApp();
    const [ann, ben, cem] = await Promise.all([
      stopping.registerUser(),
      stopping.registerUser(),
      stopping.registerUser(),
    ]);
    await stopping.connect(ann);
    await leave(stopping, await stopping.connect(ben));
    const bensLast = stopping.clock.now();
    stopping.clock.advance(3_000);

    await stopping.running.close();

    const rows = await stopping.sql('SELECT id, last_seen_at FROM app_user');
    const lastSeen = new Map(rows.map((row) => [row.id, row.last_seen_at]));
    expect(lastSeen.get(ann.id)).toEqual(stopping.clock.now());
    expect(lastSeen.get(ben.id)).toEqual(bensLast);
    expect(lastSeen.get(cem.id)).toBeNull();
    await stopping.close();
  });
});
