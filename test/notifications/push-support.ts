import type { TestApp, TestPerson } from '../support/app.js';
import { eventually } from '../support/eventually.js';

/** What `PUT /api/devices/:deviceId/push` takes. */
export type PushRegistration =
  | { provider: 'webpush'; subscription: { endpoint: string; keys: { p256dh: string; auth: string } } }
  | { provider: 'fcm'; token: string };

/** The person signs in on a further device, which is pushed to and not connected. */
export async function addDevice(
  app: TestApp,
  person: TestPerson,
  deviceId: string,
  push: PushRegistration,
): Promise<void> {
  const { email, password } = person;
  const login = await app.http().post('/api/auth/login', { email, password, deviceId });
  const answer = await app.http(login.data.token as string).put(`/api/devices/${deviceId}/push`, push);
  if (answer.status !== 200) throw new Error(`no push: ${JSON.stringify(answer.body)}`);
}

export async function send(
  person: TestPerson,
  chatId: string,
  text: string,
  mentions: readonly TestPerson[] = [],
): Promise<{ id: string; seq: number }> {
  const body = { text, ...(mentions.length > 0 && { mentions: mentions.map(({ id }) => id) }) };
  const answer = await person.http.post(`/api/chats/${chatId}/messages`, body);
  if (answer.status !== 201) throw new Error(`not sent: ${JSON.stringify(answer.body)}`);
  return answer.data as { id: string; seq: number };
}

/** Resolves when no job of the push queue is left, but for those that wait to be tried again. */
export async function jobsAreDone(app: TestApp): Promise<void> {
  await eventually(
    () =>
      app.sql<{ count: number }>(`SELECT count(*)::int AS count FROM bullmq.job WHERE queue = 'push-queue'`),
    ([row]) => row?.count === 0,
  );
}

/** Up to where a person has been pushed. */
export async function pushedSeq(app: TestApp, person: TestPerson, chatId: string): Promise<number> {
  const rows = await app.sql<{ pushed_seq: number }>(
    'SELECT pushed_seq FROM member WHERE chat_id = $1 AND user_id = $2',
    [chatId, person.id],
  );
  return rows[0]!.pushed_seq;
}
