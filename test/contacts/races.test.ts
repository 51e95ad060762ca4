import pg from 'pg';
import { useApp, type TestPerson } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { makeContacts, makePair } from '../support/people.js';

const app = useApp();

const statusesOf = (answers: readonly { status: number }[]): number[] =>
  answers.map(({ status }) => status).sort((a, b) => a - b);

const ask = (from: TestPerson, to: TestPerson) => from.http.post('/api/contacts/request', { userId: to.id });

async function contactRows(one: TestPerson, other: TestPerson): Promise<unknown[]> {
  const [lo, hi] = [one.id, other.id].sort();
  return app.sql('SELECT status FROM contact WHERE user_lo = $1 AND user_hi = $2', [lo, hi]);
}

describe('at the same time', () => {
  it('two requests that cross make one accepted contact', async () => {
    for (let round = 0; round < 15; round++) {
      const [ann, ben] = await Promise.all([app.registerUser(), app.registerUser()]);
      const answers = await Promise.all([ask(ann, ben), ask(ben, ann)]);
      expect(statusesOf(answers)).toEqual([200, 201]);
      expect(new Set(answers.map((answer) => answer.data.id)).size).toBe(1);
      expect(await contactRows(ann, ben)).toEqual([{ status: 'ACCEPTED' }]);
    }
  });

  it('many equal requests make one', async () => {
    const [ann, ben] = await Promise.all([app.registerUser(), app.registerUser()]);
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(ann, ben)));
    expect(statusesOf(answers)).toEqual([201, ...Array<number>(19).fill(409)]);
    expect(await contactRows(ann, ben)).toEqual([{ status: 'PENDING' }]);
  });

  it('accept, reject and withdraw leave one outcome that all agree on', async () => {
    for (let round = 0; round < 15; round++) {
      const [ann, ben] = await Promise.all([app.registerUser(), app.registerUser()]);
      const { id } = (await ask(ann, ben)).data;
      const [accepted, rejected, withdrawn] = await Promise.all([
        ben.http.patch(`/api/contacts/request/${id}/accept`),
        ben.http.delete(`/api/contacts/request/${id}/reject`),
        ann.http.delete(`/api/contacts/${id}`),
      ]);
      expect([200, 404]).toContain(accepted.status);
      expect([200, 404, 409]).toContain(rejected.status);
      expect([200, 404]).toContain(withdrawn.status);
      // Whatever the order, the request ends exactly once: declined or withdrawn.
      expect([rejected.status, withdrawn.status].filter((status) => status === 200)).toHaveLength(1);
      expect(await contactRows(ann, ben)).toEqual([]);
    }
  });

  it('many blocks of one person are one, and many unblocks end it once', async () => {
    const [ann, ben] = await Promise.all([app.registerUser(), app.registerUser()]);
    const blocks = await Promise.all(
      Array.from({ length: 10 }, () => ann.http.post('/api/contacts/block', { userId: ben.id })),
    );
    expect(statusesOf(blocks)).toEqual(Array<number>(10).fill(200));
    const unblocks = await Promise.all(
      Array.from({ length: 10 }, () => ann.http.patch(`/api/contacts/unblock/${ben.id}`)),
    );
    expect(statusesOf(unblocks)).toEqual([200, ...Array<number>(9).fill(404)]);
  });

  it('blocks of each other and sends both ways end without an error', async () => {
    const { ann, ben, chatId } = await makePair(app);
    const send = (by: TestPerson) => by.http.post(`/api/chats/${chatId}/messages`, { text: 'hello' });
    const block = (by: TestPerson, whom: TestPerson) =>
      by.http.post('/api/contacts/block', { userId: whom.id });
    const answers = await Promise.all([
      ...Array.from({ length: 10 }, () => send(ann)),
      block(ann, ben),
      block(ben, ann),
      ...Array.from({ length: 10 }, () => send(ben)),
    ]);
    for (const { status } of answers) expect([200, 201, 403]).toContain(status);
    const sent = answers.filter(({ status }) => status === 201).length;
    expect((await ann.http.get(`/api/chats/${chatId}/messages`)).data).toHaveLength(sent);
  });

  it('a block leaves nothing to be sent once it is answered', async () => {
    const { ann, ben, chatId } = await makePair(app);
    let blocked = false;
    const late: number[] = [];
    const sendUntilBlocked = async (): Promise<void> => {
      for (let stop = false; !stop; stop = blocked) {
        const startedAfterBlock = blocked;
        const { status } = await ben.http.post(`/api/chats/${chatId}/messages`, { text: 'still there?' });
        if (startedAfterBlock) late.push(status);
      }
    };
    const senders = Array.from({ length: 8 }, sendUntilBlocked);
    expect((await ann.http.post('/api/contacts/block', { userId: ben.id })).status).toBe(200);
    const { lastSeq } = (await ann.http.get(`/api/chats/${chatId}`)).data;
    blocked = true;
    await Promise.all(senders);
    expect(late.filter((status) => status !== 403)).toEqual([]);
    expect((await ann.http.get(`/api/chats/${chatId}`)).data.lastSeq).toBe(lastSeq);
  });

  it('a block, the end of a contact and new chats leave no chat made past them', async () => {
    for (let round = 0; round < 10; round++) {
      const [ann, ben] = await Promise.all([app.registerUser(), app.registerUser()]);
      const contactId = await makeContacts(ann, ben);
      const open = (by: TestPerson, other: TestPerson) =>
        by.http.post('/api/chats', { type: 'PRIVATE', participantIds: [other.id] });
      const [opened, openedToo, ended] = await Promise.all([
        open(ann, ben),
        open(ben, ann),
        round % 2 === 0
          ? ben.http.post('/api/contacts/block', { userId: ann.id })
          : ben.http.delete(`/api/contacts/${contactId}`),
      ]);
      expect(ended.status).toBe(200);
      for (const { status } of [opened, openedToo]) expect([200, 201, 403]).toContain(status);
      const before = (await ann.http.get('/api/chats')).data.length;
      expect(before).toBe([opened, openedToo].some(({ status }) => status === 201) ? 1 : 0);
      const retried = await open(ann, ben);
      expect(retried.status).toBe(before === 1 ? 200 : 403);
    }
  });
});

describe('whoever comes second waits for the first', () => {
  /** Runs `work` while a transaction of the test's own holds what `locks` lock, which ends with `finish`. */
  async function holding<T>(locks: [sql: string, values?: unknown[]][], work: Holding<T>): Promise<T> {
    const client = new pg.Client({ connectionString: app.databaseUrl });
    await client.connect();
    try {
      await client.query('BEGIN');
      for (const [sql, values] of locks) await client.query(sql, values);
      return await work(
        async (waiters) => {
          await eventually(
            () =>
              app.sql<{ n: number }>(
                `SELECT count(*)::int AS n FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock'`,
              ),
            ([row]) => row?.n === waiters,
          );
        },
        async (...last) => {
          for (const [sql, values] of last) await client.query(sql, values);
          await client.query('COMMIT');
        },
      );
    } finally {
      await client.end();
    }
  }
  type Holding<T> = (
    waitingFor: (waiters: number) => Promise<void>,
    finish: (...last: [sql: string, values?: unknown[]][]) => Promise<void>,
  ) => Promise<T>;

  const openChat = (by: TestPerson, other: TestPerson) =>
    by.http.post('/api/chats', { type: 'PRIVATE', participantIds: [other.id] });

  it('a request and a block for the deletion of the account', async () => {
    const [ann, ben, cem] = await Promise.all([app.registerUser(), app.registerUser(), app.registerUser()]);
    const [asked, blocked] = await holding(
      [['SELECT 1 FROM app_user WHERE id = $1 FOR UPDATE', [cem.id]]],
      async (waitingFor, finish) => {
        const answers = [ask(ann, cem), ben.http.post('/api/contacts/block', { userId: cem.id })] as const;
        await waitingFor(2);
        await finish(['DELETE FROM app_user WHERE id = $1', [cem.id]]);
        return Promise.all(answers);
      },
    );
    expect(asked).toMatchObject({ status: 404, code: 'USER_NOT_FOUND' });
    expect(blocked).toMatchObject({ status: 404, code: 'USER_NOT_FOUND' });
    expect(await contactRows(ann, cem)).toEqual([]);
  });

  it('a new chat for a block', async () => {
    const [ann, ben] = await Promise.all([app.registerUser(), app.registerUser()]);
    await makeContacts(ann, ben);
    const [blocked, opened] = await holding(
      [['LOCK TABLE block IN EXCLUSIVE MODE']],
      async (waitingFor, finish) => {
        const blocking = ben.http.post('/api/contacts/block', { userId: ann.id });
        await waitingFor(1);
        const opening = openChat(ann, ben);
        await waitingFor(2);
        await finish();
        return Promise.all([blocking, opening]);
      },
    );
    expect(blocked.status).toBe(200);
    expect(opened).toMatchObject({ status: 403, code: 'BLOCKED' });
  });

  it('a new chat for the end of the contact', async () => {
    const [ann, ben] = await Promise.all([app.registerUser(), app.registerUser()]);
    const contactId = await makeContacts(ann, ben);
    const [ended, opened] = await holding(
      [['LOCK TABLE contact IN EXCLUSIVE MODE']],
      async (waitingFor, finish) => {
        const ending = ben.http.delete(`/api/contacts/${contactId}`);
        await waitingFor(1);
        const opening = openChat(ann, ben);
        await waitingFor(2);
        await finish();
        return Promise.all([ending, opening]);
      },
    );
    expect(ended.status).toBe(200);
    expect(opened).toMatchObject({ status: 403, code: 'NOT_A_CONTACT' });
  });

  it('a block, an unblock and the end of a contact for what is being sent', async () => {
    const { ann, ben, chatId } = await makePair(app);
    const [contact] = (await ann.http.get('/api/contacts')).data;
    for (const change of [
      () => ann.http.post('/api/contacts/block', { userId: ben.id }),
      () => ann.http.patch(`/api/contacts/unblock/${ben.id}`),
      () => ann.http.delete(`/api/contacts/${contact.id}`),
    ]) {
      const sending: [string, unknown[]] = ['SELECT 1 FROM chat WHERE id = $1 FOR NO KEY UPDATE', [chatId]];
      const answer = await holding([sending], async (waitingFor, finish) => {
        const changing = change();
        await waitingFor(1);
        await finish();
        return changing;
      });
      expect(answer.status).toBe(200);
    }
  });
});
