/**
 * Calls the REST API of a server that is a process of its own, and returns the envelope's data. For the tests of
 * processes alone: all others use `TestHttp`, which checks every answer against the OpenAPI document.
 *
 * @throws Error with status and body for any answer that is not a success
 */
export async function call<T>(
  serverUrl: string,
  method: string,
  path: string,
  token?: string,
  body?: object,
): Promise<T> {
  const answer = await fetch(serverUrl + path, {
    method,
    headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  const envelope = (await answer.json()) as { data: T };
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(envelope)}`);
  return envelope.data;
}

export interface Account {
  user: { id: string };
  token: string;
}

/** Makes an account whose e-mail address follows from its name. */
export function register(serverUrl: string, name: string): Promise<Account> {
  const account = { name, email: `${name}@example.com`, password: 'a good password' };
  return call<Account>(serverUrl, 'POST', '/api/auth/register', undefined, account);
}

/** Makes two people contacts and opens their private chat. Returns the chat's id. */
export async function openChat(serverUrl: string, one: Account, other: Account): Promise<string> {
  await makeContacts(serverUrl, one, other);
  const chat = { type: 'PRIVATE', participantIds: [other.user.id] };
  return (await call<{ id: string }>(serverUrl, 'POST', '/api/chats', one.token, chat)).id;
}

export async function makeContacts(serverUrl: string, one: Account, other: Account): Promise<void> {
  const request = { userId: other.user.id };
  const { id } = await call<{ id: string }>(serverUrl, 'POST', '/api/contacts/request', one.token, request);
  await call(serverUrl, 'PATCH', `/api/contacts/request/${id}/accept`, other.token);
}
