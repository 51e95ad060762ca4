import type { INestApplication, Type } from '@nestjs/common';
import { ERROR_CATALOGUE } from '../common/errors.js';
import { ErrorDetailBody } from '../infra/http/openapi.js';
import { describeModels } from '../infra/http/openapi-document.js';
import { HandshakeDeviceDto } from '../devices/devices.dto.js';
import { CLIENT_EVENTS, TAKES_BARE_ID, type ClientEventName } from './client-events.js';
import { SERVER_EVENTS, type ServerEventName } from './server-events.js';

export type Schema = Record<string, unknown>;

export interface EventMessage {
  name: string;
  title: string;
  summary?: string;
  payload: Schema;
}

interface Reference {
  $ref: string;
}

export interface EventOperation {
  action: 'send' | 'receive';
  channel: Reference;
  summary: string;
  messages: Reference[];
  reply?: { channel: Reference; messages: Reference[] };
}

/** An AsyncAPI 3.0 document (https://www.asyncapi.com/docs/reference/specification/v3.0.0), as far as we use it. */
export interface EventsDocument {
  asyncapi: '3.0.0';
  info: { title: string; version: string; description: string; license: { name: string; url: string } };
  defaultContentType: 'application/json';
  servers: Record<string, object>;
  channels: Record<string, { address: string; description: string; messages: Record<string, Reference> }>;
  operations: Record<string, EventOperation>;
  components: { messages: Record<string, EventMessage>; schemas: Record<string, Schema> };
}

const SERVER_SUMMARIES: Record<ServerEventName, string> = {
  'new-message':
    'A message was sent: to every device of every member, the sending socket excepted. Its `status` is that at its commit.',
  'message-status-update':
    'PRIVATE: every message up to `upToSeq` has at least this status from `userId`. GROUP: to the authors, when the lowest mark of the others moves; `userId` is null. With `messageId` (WHATSAPP): this message alone, by Meta’s word; to all agents.',
  'messages-delivered': 'Somebody opened the app, which delivered everything up to `upToSeq` (PRIVATE).',
  'message-edited': 'A text was changed.',
  'message-deleted': 'A message was deleted for everyone; it keeps its place.',
  'message-reaction': 'Somebody reacted to a message, or took it back.',
  'new-chat':
    'The person is a member of a chat now: to all their devices. A customer wrote for the first time: to all agents.',
  'chat-updated':
    'A chat changed. What concerns one’s own settings or role comes whole, to one’s own devices; the rest to all members, without what is one person’s own.',
  'chat-removed': 'The person is no longer a member of this chat.',
  'message-hidden': 'The person deleted a message for themselves: to their own devices.',
  'message-starred': 'The person starred a message, or took it back: to their own devices.',
  'chat-cleared': 'The person cleared their copy of a chat: to their own devices.',
  'chat-read':
    'The person read a chat on another device. WHATSAPP: an agent read or answered, which counts for the whole team.',
  'user-typing': 'Somebody types in a chat that is open here; over after 6 s without a repeat.',
  presence: 'Somebody one follows came or went, or their settings or a block changed what one may know.',
  'new-contact-request': 'Somebody asks to become a contact.',
  'contact-request-accepted': 'A request of one’s own was accepted.',
  'contact-request-rejected': 'A request of one’s own was declined.',
  'blocked-by-contact': 'Somebody blocked this person.',
  'unblocked-by-contact': 'Somebody took their block back.',
  'notifications-cleared': 'The notifications of a chat were cleared: to one’s own devices.',
  'contact-requests-viewed': 'The contact requests were looked at: to one’s own devices.',
  'devices-updated':
    'The devices one is signed in on are others, or have another name or push: to all of them. Being seen alone does not count.',
  resync: 'The server may have missed events, or the person came to or left a tenant: call `POST /api/sync`.',
  'session-revoked': 'This session has ended; the server closes the socket.',
};

const DESCRIPTION = `Live events over Socket.IO 4, path \`/socket.io\`, namespace \`/\`.

Connect with \`auth: { token, deviceId?, deviceName? }\`; \`token\` is an access token. A refusal is a \`connect_error\` whose \`data.code\` says why. A socket lives as long as its session, not its token.

Every event of a client may carry an acknowledgement callback; it is answered \`{ status: "success", data }\` or \`{ status: "error", code, message }\`. Bad input never closes the socket. Events are a hint: after a reconnect \`POST /api/sync\` is the truth.`;

const CHANNEL = { $ref: '#/channels/socket' };

/** Describes every event from the maps that the server itself emits and dispatches by. */
export function buildEventsDocument(app: INestApplication, version: string): EventsDocument {
  const serverEvents = Object.entries(SERVER_EVENTS) as [ServerEventName, Type<object>][];
  const clientEvents = Object.entries(CLIENT_EVENTS) as [
    ClientEventName,
    { payload: Type<object>; answer: Type<object> | null; description: string },
  ][];
  const models = [
    ErrorDetailBody,
    HandshakeDeviceDto,
    ...serverEvents.map(([, payload]) => payload),
    ...clientEvents.flatMap(([, { payload, answer }]) => (answer ? [payload, answer] : [payload])),
  ];
  const messages: Record<string, EventMessage> = {};
  const operations: Record<string, EventOperation> = {};
  for (const [name, payload] of serverEvents) {
    const summary = SERVER_SUMMARIES[name];
    messages[name] = { name, title: name, summary, payload: reference(payload) };
    operations[`send.${name}`] = { action: 'send', channel: CHANNEL, summary, messages: [inChannel(name)] };
  }
  for (const [name, { payload, answer, description }] of clientEvents) {
    const acknowledgement = `${name}.acknowledgement`;
    messages[name] = { name, title: name, summary: description, payload: payloadOf(name, payload) };
    messages[acknowledgement] = {
      name: acknowledgement,
      title: `The acknowledgement of ${name}`,
      payload: acknowledgementOf(answer),
    };
    operations[`receive.${name}`] = {
      action: 'receive',
      channel: CHANNEL,
      summary: description,
      messages: [inChannel(name)],
      reply: { channel: CHANNEL, messages: [inChannel(acknowledgement)] },
    };
  }
  const names = Object.keys(messages);
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Parley events',
      version,
      description: DESCRIPTION,
      license: { name: 'MIT', url: 'https://opensource.org/license/mit' },
    },
    defaultContentType: 'application/json',
    servers: {
      here: {
        host: '{host}',
        pathname: '/socket.io',
        protocol: 'ws',
        protocolVersion: '13',
        description: 'This server. Over TLS the protocol is wss; Socket.IO can long-poll over HTTP too.',
        variables: { host: { default: 'localhost:3000', description: 'name and port' } },
      },
    },
    channels: {
      socket: {
        address: '/',
        description: 'A signed-in socket. From the server’s side: it sends and receives.',
        messages: Object.fromEntries(names.map((name) => [name, { $ref: `#/components/messages/${name}` }])),
      },
    },
    operations,
    components: {
      messages,
      schemas: { ...describeModels(app, models), Refusal: REFUSAL },
    },
  };
}

/** What an acknowledgement says of an event that was refused. */
const REFUSAL: Schema = {
  type: 'object',
  required: ['status', 'code', 'message'],
  properties: {
    status: { type: 'string', enum: ['error'] },
    code: {
      type: 'string',
      description: 'stable, for programs; those of the REST API',
      enum: Object.keys(ERROR_CATALOGUE),
    },
    message: { type: 'string', description: 'a sentence for a person' },
    details: { type: 'array', items: reference(ErrorDetailBody) },
    retryAfterMs: { type: 'integer', description: 'with `RATE_LIMITED` and `NOT_READY`' },
  },
  additionalProperties: false,
};

function acknowledgementOf(answer: Type<object> | null): Schema {
  const success = {
    type: 'object',
    required: ['status', 'data'],
    properties: {
      status: { type: 'string', enum: ['success'] },
      data: answer ? reference(answer) : { type: 'null' },
    },
    additionalProperties: false,
  };
  return { oneOf: [success, { $ref: '#/components/schemas/Refusal' }] };
}

function payloadOf(name: string, payload: Type<object>): Schema {
  const described = reference(payload);
  return TAKES_BARE_ID.includes(name)
    ? { oneOf: [described, { type: 'string', description: 'the id of the chat' }] }
    : described;
}

function reference(model: Type<object>): Schema {
  return { $ref: `#/components/schemas/${model.name}` };
}

function inChannel(name: string): Reference {
  return { $ref: `#/channels/socket/messages/${name}` };
}
