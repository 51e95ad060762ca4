import { randomUUID } from 'node:crypto';
import { EventBus } from '../../src/infra/events/event-bus.js';
import { PgSignalListener } from '../../src/infra/events/pg-signals.js';
import { PublicUsers } from '../../src/users/public-users.service.js';
import { UserUpdated } from '../../src/users/users.events.js';
import { startApp, useApp, type TestPerson } from '../support/app.js';

const app = useApp();
const update = (person: TestPerson, changes: object) => person.http.put('/api/auth/update-profile', changes);

describe('PUT /api/auth/update-profile', () => {
  let ann: TestPerson;

  beforeEach(async () => {
    ann = await app.registerUser({ name: 'Ann' });
  });

  it('changes what is sent, and nothing else', async () => {
    const before = await ann.http.get('/api/auth/profile');
    app.clock.advance(1_000);
    const changes = {
      name: ' Änn ',
      phone: '+44 20 7946 0018',
      bio: 'Hello\n👋',
      gender: 'OTHER',
      dateOfBirth: '2000-02-29',
      settings: { lastSeen: 'contacts' },
    };
    const answer = await update(ann, changes);
    expect(answer.status).toBe(200);
    expect(answer.data).toEqual({
      ...before.data,
      ...changes,
      phone: '+442079460018',
      settings: { readReceipts: true, lastSeen: 'contacts' },
      updatedAt: app.clock.now().toISOString(),
    });
    expect((await ann.http.get('/api/auth/profile')).data).toEqual(answer.data);
    const settings = await update(ann, { settings: { readReceipts: false } });
    expect(settings.data.settings).toEqual({ readReceipts: false, lastSeen: 'contacts' });
    expect(settings.data.bio).toBe(changes.bio);
  });

  it('clears with null what a person may lack', async () => {
    await update(ann, { phone: '+14155550123', bio: 'x', gender: 'MALE', dateOfBirth: '1999-01-01' });
    const cleared = { phone: null, bio: null, gender: null, dateOfBirth: null };
    expect((await update(ann, cleared)).data).toMatchObject(cleared);
  });

  it('takes a form, whose settings are JSON and whose empty fields clear', async () => {
    await update(ann, { bio: 'x', phone: '+14155550123' });
    const settings = JSON.stringify({ readReceipts: false });
    const answer = await ann.http.multipart(
      'PUT',
      '/api/auth/update-profile',
      { name: 'Ännchen', bio: '', settings },
      [],
    );
    expect(answer.status).toBe(200);
    expect(answer.data).toMatchObject({
      name: 'Ännchen',
      bio: null,
      phone: '+14155550123',
      settings: { readReceipts: false, lastSeen: 'everyone' },
    });
  });

  it('changes nothing when nothing is sent', async () => {
    const before = await ann.http.get('/api/auth/profile');
    app.clock.advance(1_000);
    const answer = await update(ann, {});
    expect(answer.status).toBe(200);
    expect(answer.data).toEqual(before.data);
  });

  it('judges the age by the clock', async () => {
    const [year, rest] = [app.clock.now().getUTCFullYear() - 13, app.clock.now().toISOString().slice(4, 10)];
    const tomorrow = new Date(app.clock.nowMs() + 24 * 3_600_000).toISOString().slice(4, 10);
    expect((await update(ann, { dateOfBirth: `${year}${rest}` })).status).toBe(200);
    expect((await update(ann, { dateOfBirth: `${year}${tomorrow}` })).body.details).toEqual([
      { field: 'dateOfBirth', message: 'must be at least 13 years ago' },
    ]);
    expect((await update(ann, { dateOfBirth: '2999-01-01' })).body.details).toEqual([
      { field: 'dateOfBirth', message: 'must not be in the future' },
    ]);
  });

  it('changes the address one signs in with, unless it is taken', async () => {
    const ben = await app.registerUser();
    const taken = await update(ann, { email: ben.email.toUpperCase(), name: 'Not this' });
    expect([taken.status, taken.code]).toEqual([409, 'EMAIL_TAKEN']);
    expect((await ann.http.get('/api/auth/profile')).data).toMatchObject({ name: 'Ann', email: ann.email });

    const email = `New.${randomUUID()}@Example.com`;
    expect((await update(ann, { email: ` ${email} ` })).data.email).toBe(email);
    const login = (address: string) =>
      app.http().post('/api/auth/login', { email: address, password: ann.password });
    expect((await login(email.toLowerCase())).status).toBe(200);
    expect((await login(ann.email)).status).toBe(401);
    expect((await update(ann, { email: email.toLowerCase() })).data.email).toBe(email.toLowerCase());
  });

  it('gives an address to one of those who ask for it at the same time', async () => {
    const people = await Promise.all([app.registerUser(), app.registerUser(), app.registerUser()]);
    const email = `${randomUUID()}@example.com`;
    const answers = await Promise.all(people.map((person) => update(person, { email })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
  });

  it('says what has changed', async () => {
    const events: UserUpdated[] = [];
    app.running.nest.get(EventBus).on(UserUpdated, (event) => {
      if (event.userId === ann.id) events.push(event);
    });
    await update(ann, { bio: 'new' });
    await update(ann, { settings: { lastSeen: 'nobody' } });
    await update(ann, { phone: '+14155550123', settings: { lastSeen: 'nobody' } });
    await update(ann, { name: 'Anna', settings: { readReceipts: false } });
    await update(ann, {});
    await update(ann, { name: '' });
    expect(events).toEqual([
      new UserUpdated(ann.id, false, true),
      new UserUpdated(ann.id, true, false),
      new UserUpdated(ann.id, false, false),
      new UserUpdated(ann.id, true, true),
    ]);
  });

  it('folds the name for the search', async () => {
    await update(ann, { name: 'Ålice Ünsal' });
    expect(await app.sql('SELECT name_key FROM app_user WHERE id = $1', [ann.id])).toEqual([
      { name_key: 'alice unsal' },
    ]);
  });
});

describe('what PUT /api/auth/update-profile refuses', () => {
  let ann: TestPerson;

  beforeAll(async () => {
    ann = await app.registerUser({ name: 'Ann' });
  });

  afterAll(async () => {
    expect((await ann.http.get('/api/auth/profile')).data).toMatchObject({
      name: 'Ann',
      bio: null,
      email: ann.email,
    });
  });

  it.each([
    ['a name that is null', { name: null }, 'name'],
    ['a blank name', { name: '\t' }, 'name'],
    ['a name of 101 characters', { name: 'a'.repeat(101) }, 'name'],
    ['an address that is null', { email: null }, 'email'],
    ['an address that is none', { email: 'x@' }, 'email'],
    ['a phone number without a country', { phone: '020 7946 0018' }, 'phone'],
    ['a phone number with an extension', { phone: '+44 20 7946 0018 ext. 3' }, 'phone'],
    ['an empty phone number', { phone: '' }, 'phone'],
    ['a bio of 501 characters', { bio: 'é'.repeat(501) }, 'bio'],
    ['an unknown gender', { gender: 'male' }, 'gender'],
    ['a date that is none', { dateOfBirth: '2001-02-29' }, 'dateOfBirth'],
    ['a date with a time', { dateOfBirth: '2001-02-28T00:00:00Z' }, 'dateOfBirth'],
    ['a date as a number', { dateOfBirth: 20010228 }, 'dateOfBirth'],
    ['settings as a list', { settings: [] }, 'settings'],
    ['settings that are null', { settings: null }, 'settings'],
    ['settings as text', { settings: '{}' }, 'settings'],
    ['a setting of another type', { settings: { readReceipts: 'no' } }, 'settings.readReceipts'],
    ['a setting that is null', { settings: { lastSeen: null } }, 'settings.lastSeen'],
    ['an unknown setting', { settings: { theme: 'dark' } }, 'settings.theme'],
    [
      'a key that shadows Object’s own',
      { settings: JSON.parse('{"constructor": 1}') },
      'settings.constructor',
    ],
    ['an unknown field', { password: 'something new' }, 'password'],
    ['an id', { id: randomUUID() }, 'id'],
  ])('refuses %s', async (_what, changes, field) => {
    const answer = await update(ann, changes);
    expect(answer.status).toBe(400);
    expect(answer.body.details.map((detail: { field: string }) => detail.field)).toContain(field);
  });

  it.each([
    ['settings that are not JSON', { settings: '{' }, 'settings'],
    ['an unknown field', { nickname: 'A' }, 'nickname'],
    ['an empty name', { name: '' }, 'name'],
    ['a field with brackets', { 'settings[lastSeen]': 'nobody' }, 'settings[lastSeen]'],
  ])('refuses a form with %s', async (_what, fields, field) => {
    const answer = await ann.http.multipart('PUT', '/api/auth/update-profile', fields, []);
    expect(answer.status).toBe(400);
    expect(answer.body.details[0].field).toBe(field);
  });

  it.each([
    ['multipart/form-data', 'no boundary'],
    ['multipart/form-data; boundary=x', 'not a form'],
    ['multipart/form-data; boundary=x', '--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nAnn'],
  ])('refuses a form that is none: %s, %j', async (type, body) => {
    const answer = await ann.http.raw({
      method: 'PUT',
      path: '/api/auth/update-profile',
      headers: { 'Content-Type': type },
      body,
    });
    expect([answer.status, answer.code]).toEqual([400, 'VALIDATION_FAILED']);
  });
});

describe('PublicUsers', () => {
  let ann: TestPerson;

  beforeEach(async () => {
    ann = await app.registerUser({ name: 'Ann' });
  });

  const viewOf = (instance: typeof app) => (viewerId: string, ids: string[]) =>
    instance.running.nest.get(PublicUsers).view(viewerId, ids);

  it('shows what others may see, and follows every change at once', async () => {
    const ben = await app.registerUser();
    const view = viewOf(app);
    const seen = { id: ann.id, name: 'Ann', profilePic: null, bio: null, online: false, lastSeenAt: null };
    expect(await view(ben.id, [ann.id, ann.id, randomUUID()])).toEqual(new Map([[ann.id, seen]]));
    await update(ann, { name: 'Anna', bio: 'new' });
    expect(await view(ben.id, [ann.id])).toEqual(new Map([[ann.id, { ...seen, name: 'Anna', bio: 'new' }]]));
    await ann.http.delete('/api/auth/delete-profile', { password: ann.password });
    expect(await view(ben.id, [ann.id])).toEqual(new Map());
  });

  it('follows changes made on another instance', async () => {
    const second = await startApp({ shareDatabaseWith: app });
    try {
      const view = viewOf(second);
      expect((await view(ann.id, [ann.id])).get(ann.id)?.name).toBe('Ann');
      for (const name of ['Anna', 'Anne', 'Anya']) {
        const heard = new Promise<void>((resolve) => {
          second.running.nest.get(PgSignalListener).on('cache-stale', () => {
            resolve();
          });
        });
        await update(ann, { name });
        await heard;
        expect((await view(ann.id, [ann.id])).get(ann.id)?.name).toBe(name);
      }
    } finally {
      await second.close();
    }
  });
});
