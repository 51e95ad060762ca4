import type { TestApp, TestPerson } from '../../support/app.js';

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a message is described field by field
type Loose = any;

/** What is to be seen of a tenant. */
export interface ChannelState {
  /** Of all its conversations, oldest first in each. */
  messages: string[];
  pending: string[];
  kept: string[];
  tenant: string;
}

/** Reads a tenant as its agent and as the operator do. */
export async function stateOf(app: TestApp, agent: TestPerson, tenantId: string): Promise<ChannelState> {
  const messages: string[] = [];
  for (const chat of await chatsOf(agent)) {
    if (chat.whatsapp?.tenantId !== tenantId) continue;
    messages.push(...(await messagesOf(agent, chat.id as string)).map(describeMessage));
  }
  const pending = await app.sql<{ line: string }>(
    `SELECT wamid || ' ' || status AS line FROM pending_status
     UNION ALL SELECT target_wamid || ' ' || kind FROM channel_change WHERE NOT settled ORDER BY 1`,
  );
  const kept = await app.sql<{ line: string }>(
    `SELECT reason || ' ' || path AS line FROM webhook_dead_letter ORDER BY 1`,
  );
  const tenant = await app.sql<{ status: string }>('SELECT status FROM tenant WHERE id = $1', [tenantId]);
  return {
    messages,
    pending: pending.map(({ line }) => line),
    kept: kept.map(({ line }) => line),
    tenant: tenant[0]?.status ?? 'none',
  };
}

/** All chats of a person. */
export async function chatsOf(person: TestPerson): Promise<Loose[]> {
  const chats: Loose[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const page: Loose = await person.http.get(
      `/api/chats?limit=100${cursor && `&cursor=${encodeURIComponent(cursor)}`}`,
    );
    if (page.status !== 200) throw new Error(`no chats: ${JSON.stringify(page.body)}`);
    chats.push(...page.data);
    cursor = page.page.nextCursor as string | null;
  }
  return chats;
}

/** All messages of a chat, oldest first. */
export async function messagesOf(person: TestPerson, chatId: string): Promise<Loose[]> {
  const messages: Loose[] = [];
  for (;;) {
    const afterSeq: number = messages.at(-1)?.seq ?? 0;
    const page = await person.http.get(`/api/chats/${chatId}/messages?limit=100&afterSeq=${afterSeq}`);
    if (page.status !== 200) throw new Error(`no messages: ${JSON.stringify(page.body)}`);
    messages.push(...page.data);
    if (page.data.length < 100) return messages;
  }
}

/** One line: direction, type, status, text, and what else there is to see. */
export function describeMessage(message: Loose): string {
  const error = message.whatsapp?.error?.code as unknown;
  return [
    message.whatsapp?.direction ?? '-',
    message.type,
    message.status,
    message.text,
    (typeof error === 'string' || typeof error === 'number') && `(${error})`,
    message.replyTo && 'reply',
    message.forwarded && 'forwarded',
    message.editedAt && 'edited',
    message.deletedAt && 'deleted',
    ...(message.reactions as { emoji: string }[]).map(({ emoji }) => emoji),
  ]
    .filter(Boolean)
    .join(' ');
}
