import type { INestApplication } from '@nestjs/common';
import { AccountsService } from '../../auth/accounts.service.js';
import { RegisterRequest, UpdateProfileRequest } from '../../auth/auth.dto.js';
import { SessionsService } from '../../auth/sessions.service.js';
import { CreateChatDto } from '../../chats/chats.dto.js';
import { ChatsService } from '../../chats/chats.service.js';
import { AppError, type ErrorCode } from '../../common/errors.js';
import { ContactsService } from '../../contacts/contacts.service.js';
import { validateInput } from '../../infra/http/validate.js';
import { SendMessageDto } from '../../messages/messages.dto.js';
import { MessagesService } from '../../messages/messages.service.js';
import { ReceiptsService } from '../../messages/receipts.service.js';
import { UsersService } from '../../users/users.service.js';
import {
  DEMO_CONTACTS,
  DEMO_CONVERSATIONS,
  DEMO_PASSWORD,
  DEMO_PEOPLE,
  DEMO_REQUESTS,
  type DemoConversation,
  type DemoPersonKey,
} from './demo-data.js';

type Ids = Record<DemoPersonKey, string>;

/** How the services refuse what people of the demo have since decided otherwise, or what is there already. */
const DECIDED_SINCE: readonly ErrorCode[] = ['CONTACT_EXISTS', 'NOT_A_CONTACT', 'BLOCKED', 'USER_NOT_FOUND'];

/**
 * Puts the people of the demo and their conversations into a running server, through the services and with the
 * checks that clients meet; only rate limits, which count requests, do not apply. Done again it changes nothing:
 * accounts are found by their address, messages by their client id, and marks only go forward.
 */
export async function seedDemo(nest: INestApplication): Promise<void> {
  const ids = {} as Ids;
  for (const key of Object.keys(DEMO_PEOPLE) as DemoPersonKey[]) ids[key] = await ensurePerson(nest, key);
  for (const [asker, asked] of DEMO_REQUESTS) await request(nest, ids[asker], ids[asked]);
  for (const pair of DEMO_CONTACTS) await befriend(nest, ids, pair);
  for (const conversation of DEMO_CONVERSATIONS) {
    await befriend(nest, ids, conversation.between);
    await converse(nest, ids, conversation);
  }
}

async function ensurePerson(nest: INestApplication, key: DemoPersonKey): Promise<string> {
  const { name, email, bio } = DEMO_PEOPLE[key];
  const users = nest.get(UsersService);
  const known = await users.findCredentials(email);
  if (known) return known.userId;
  const sessions = nest.get(SessionsService);
  const account = validateInput(RegisterRequest, { name, email, password: DEMO_PASSWORD });
  const { user, token } = await nest.get(AccountsService).register(account, undefined, undefined);
  await users.update(user.id, validateInput(UpdateProfileRequest, { bio }));
  await sessions.signOut(await sessions.authenticate(token));
  return user.id;
}

async function request(nest: INestApplication, askerId: string, askedId: string): Promise<void> {
  await unlessDecidedSince(async () => {
    await nest.get(ContactsService).request(askerId, askedId);
  });
}

/** A request back to whoever has asked accepts. */
async function befriend(
  nest: INestApplication,
  ids: Ids,
  [a, b]: readonly [DemoPersonKey, DemoPersonKey],
): Promise<void> {
  await request(nest, ids[a], ids[b]);
  await request(nest, ids[b], ids[a]);
}

async function converse(nest: INestApplication, ids: Ids, conversation: DemoConversation): Promise<void> {
  const [opener, other] = conversation.between;
  await unlessDecidedSince(async () => {
    const dto = validateInput(CreateChatDto, { type: 'PRIVATE', participantIds: [ids[other]] });
    const { chat } = await nest.get(ChatsService).create(ids[opener], dto);
    const sent: { id: string; seq: number }[] = [];
    for (const [index, { from, text, replyTo }] of conversation.lines.entries()) {
      const replyToId = replyTo === undefined ? undefined : sent[replyTo - 1]?.id;
      const clientId = `demo-${index + 1}`;
      const line = validateInput(SendMessageDto, { clientId, text, ...(replyToId && { replyToId }) });
      sent.push((await nest.get(MessagesService).send(ids[from], chat.id, line)).message);
    }
    const receipts = nest.get(ReceiptsService);
    for (const key of conversation.between) {
      const report = { userId: ids[key], chatId: chat.id };
      const delivered = sent[(conversation.delivered?.[key] ?? 0) - 1];
      const read = sent[(conversation.read?.[key] ?? 0) - 1];
      if (delivered) await receipts.markDelivered({ ...report, upToSeq: delivered.seq });
      if (read) await receipts.markRead({ ...report, upToSeq: read.seq });
    }
  });
}

async function unlessDecidedSince(step: () => Promise<void>): Promise<void> {
  try {
    await step();
  } catch (error) {
    if (!(error instanceof AppError) || !DECIDED_SINCE.includes(error.code)) throw error;
  }
}
