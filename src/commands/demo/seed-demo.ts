import type { INestApplication } from '@nestjs/common';
import { AccountsService } from '../../auth/accounts.service.js';
import { RegisterRequest, UpdateProfileRequest } from '../../auth/auth.dto.js';
import { SessionsService } from '../../auth/sessions.service.js';
import { CreateChatDto, ListChatsQuery } from '../../chats/chats.dto.js';
import { ChatsService } from '../../chats/chats.service.js';
import { GroupsService } from '../../chats/groups.service.js';
import type { MessageBody } from '../../chats/message.dto.js';
import { AppError, type ErrorCode } from '../../common/errors.js';
import { ContactsService } from '../../contacts/contacts.service.js';
import { MAX_PAGE_SIZE } from '../../infra/http/cursors.js';
import { validateInput } from '../../infra/http/validate.js';
import { SendMessageDto } from '../../messages/messages.dto.js';
import { MessagesService } from '../../messages/messages.service.js';
import { ReactionsService } from '../../messages/reactions.service.js';
import { ReceiptsService } from '../../messages/receipts.service.js';
import { UsersService } from '../../users/users.service.js';
import { SamplePayloads } from '../../whatsapp/webhook/sample-payloads.js';
import {
  DEMO_CONTACTS,
  DEMO_CONVERSATIONS,
  DEMO_GROUPS,
  DEMO_PASSWORD,
  DEMO_PEOPLE,
  DEMO_REQUESTS,
  type DemoConversation,
  type DemoGroup,
  type DemoLine,
  type DemoPersonKey,
} from './demo-data.js';
import { DEMO_SAMPLES } from './demo-samples.js';

type Ids = Record<DemoPersonKey, string>;

/** How the services refuse what people of the demo have since decided otherwise, or what is there already. */
const DECIDED_SINCE: readonly ErrorCode[] = [
  'CONTACT_EXISTS',
  'NOT_A_CONTACT',
  'BLOCKED',
  'USER_NOT_FOUND',
  'CHAT_NOT_FOUND',
];

/**
 * Puts the people of the demo and their conversations into a running server, through the services and with the
 * checks that clients meet; only rate limits, which count requests, do not apply. Done again it changes nothing:
 * accounts are found by their address, messages by their client id, webhooks by their bytes, and marks only go forward.
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
  for (const group of DEMO_GROUPS) await gather(nest, ids, group);
  for (const { body } of DEMO_SAMPLES) {
    await nest.get(SamplePayloads).takeIn(Buffer.from(JSON.stringify(body)));
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
    const { chat } = await nest.get(ChatsService).createPrivate(ids[opener], dto);
    const sent = await say(nest, ids, chat.id, conversation.lines);
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

/** Sends the lines, or finds those that were sent before; reactions come with new ones alone. */
async function say(
  nest: INestApplication,
  ids: Ids,
  chatId: string,
  lines: readonly DemoLine[],
): Promise<MessageBody[]> {
  const sent: MessageBody[] = [];
  for (const [index, { from, text, replyTo, mentions, reactions }] of lines.entries()) {
    const replyToId = replyTo === undefined ? undefined : sent[replyTo - 1]?.id;
    const line = validateInput(SendMessageDto, {
      clientId: `demo-${index + 1}`,
      text,
      ...(replyToId && { replyToId }),
      ...(mentions && { mentions: mentions.map((key) => ids[key]) }),
    });
    const { message, created } = await nest.get(MessagesService).send(ids[from], chatId, line);
    sent.push(message);
    if (!created) continue;
    for (const [key, emoji] of Object.entries(reactions ?? {})) {
      await nest.get(ReactionsService).react(ids[key as DemoPersonKey], message.id, emoji);
    }
  }
  return sent;
}

/** A group is known by its name in the chats of those who were in it. */
async function gather(nest: INestApplication, ids: Ids, group: DemoGroup): Promise<void> {
  const people = [group.owner, ...group.others];
  const findIn = async (key: DemoPersonKey, archived: boolean): Promise<string | undefined> => {
    const query = validateInput(ListChatsQuery, { limit: MAX_PAGE_SIZE, archived });
    const { chats } = await nest.get(ChatsService).list(ids[key], query);
    return chats.find(({ type, name }) => type === 'GROUP' && name === group.name)?.id;
  };
  const found = await Promise.all(people.flatMap((key) => [findIn(key, false), findIn(key, true)]));
  await unlessDecidedSince(async () => {
    let chatId = found.find((id) => id !== undefined);
    if (chatId === undefined) {
      const participantIds = group.others.map((key) => ids[key]);
      const dto = validateInput(CreateChatDto, { type: 'GROUP', name: group.name, participantIds });
      chatId = (await nest.get(GroupsService).create(ids[group.owner], dto)).id;
    }
    await say(nest, ids, chatId, group.lines);
  });
}

async function unlessDecidedSince(step: () => Promise<void>): Promise<void> {
  try {
    await step();
  } catch (error) {
    if (!(error instanceof AppError) || !DECIDED_SINCE.includes(error.code)) throw error;
  }
}
