import type { TestApp, TestPerson } from './app.js';

/** Makes two people accepted contacts; `a` asks. Returns the contact's id. */
export async function makeContacts(a: TestPerson, b: TestPerson): Promise<string> {
  const asked = await a.http.post<{ id: string }>('/api/contacts/request', { userId: b.id });
  expect(asked.status).toBe(201);
  const accepted = await b.http.patch(`/api/contacts/request/${asked.data.id}/accept`);
  expect(accepted.status).toBe(200);
  return asked.data.id;
}

/** Makes two people contacts with a private chat, which `a` opens. Returns the chat's id. */
export async function makePrivateChat(a: TestPerson, b: TestPerson): Promise<string> {
  await makeContacts(a, b);
  const chat = await a.http.post<{ id: string }>('/api/chats', { type: 'PRIVATE', participantIds: [b.id] });
  expect(chat.status).toBe(201);
  return chat.data.id;
}

/** Two new people with a private chat. */
export async function makePair(app: TestApp): Promise<{ ann: TestPerson; ben: TestPerson; chatId: string }> {
  const [ann, ben] = await Promise.all([
    app.registerUser({ name: 'Ann' }),
    app.registerUser({ name: 'Ben' }),
  ]);
  return { ann, ben, chatId: await makePrivateChat(ann, ben) };
}

/** A group of `owner` and their new contacts. Returns the chat's id. */
export async function makeGroup(owner: TestPerson, others: readonly TestPerson[]): Promise<string> {
  await Promise.all(others.map((other) => makeContacts(owner, other)));
  const participantIds = others.map((other) => other.id);
  const group = await owner.http.post<{ id: string }>('/api/chats', {
    type: 'GROUP',
    name: 'Garden',
    participantIds,
  });
  expect(group.status).toBe(201);
  return group.data.id;
}
