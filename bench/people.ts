import { randomUUID } from 'node:crypto';
import { inParallel } from './in-parallel.js';
import type { JsonClient } from './json-client.js';

export interface Person {
  id: string;
  token: string;
}

/** Registering is slow on purpose, by bcrypt; more at a time than the server has threads for it gains nothing. */
const REGISTERED_AT_ONCE = 8;

export async function registerPeople(client: JsonClient, count: number): Promise<Person[]> {
  return inParallel(REGISTERED_AT_ONCE, Array.from({ length: count }).keys(), async (index) => {
    const { user, token } = await client.ask<{ user: { id: string }; token: string }>(
      'POST',
      '/api/auth/register',
      null,
      { name: `Person ${index}`, email: `${randomUUID()}@example.com`, password: 'correct horse battery' },
    );
    return { id: user.id, token };
  });
}

/** Makes two people contacts with a private chat and returns the chat's id. */
export async function openPrivateChat(client: JsonClient, one: Person, other: Person): Promise<string> {
  const { id } = await client.ask<{ id: string }>('POST', '/api/contacts/request', one.token, {
    userId: other.id,
  });
  await client.ask('PATCH', `/api/contacts/request/${id}/accept`, other.token);
  const chat = await client.ask<{ id: string }>('POST', '/api/chats', one.token, {
    type: 'PRIVATE',
    participantIds: [other.id],
  });
  return chat.id;
}
