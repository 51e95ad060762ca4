import type { ClientEventName } from '../../src/realtime/client-events.js';
import type { TestPerson } from '../support/app.js';

/** Ann's world. Eve is the stranger: she shares nothing with anybody in it. */
export interface Stage {
  ann: TestPerson;
  ben: TestPerson;
  eve: TestPerson;
  expired: string;
  revoked: string;
  chatId: string;
  messageId: string;
  /** Ann's, and Ben is in it. */
  groupId: string;
  contactId: string;
  /** Two people wait for Ann's answer. */
  pending: [string, string];
  /** Nobody has anything to do with this one yet. */
  newcomer: TestPerson;
  /** Ann is signed in a second time. */
  sessionId: string;
  mediaId: string;
  /** Of a customer of the tenant whose agent Ann is, and the chat with them. */
  waId: string;
  conversationId: string;
}

export const PASSWORD = 'a password for all';
export const TEXT = 'a text for two pairs of eyes';
/** Where Ann is signed in too. */
export const DEVICES = ['phone of ann', 'tablet of ann'];
export interface Row {
  path: string;
  body?: unknown;
  /** One file instead of a body. */
  form?: { name: string; fileName: string; content: string };
  /** What the stranger is told. `own`: they get an answer that holds nothing but their own. */
  stranger: 'own' | { status: number; code?: string };
  /** Who may, when it is not Ann, and what they get. */
  by?: TestPerson;
  status?: number;
}

const NO_CHAT = { status: 404, code: 'CHAT_NOT_FOUND' };
const NO_MESSAGE = { status: 404, code: 'MESSAGE_NOT_FOUND' };
const NO_DEVICE = { status: 404, code: 'DEVICE_NOT_FOUND' };
const NO_CUSTOMER = { status: 404, code: 'CUSTOMER_NOT_FOUND' };
const NO_TENANT = { status: 404, code: 'TENANT_NOT_FOUND' };
const NO_CONTACT = { status: 404, code: 'CONTACT_NOT_FOUND' };

/** Routes that need no token, and why. */
export const PUBLIC: Record<string, string> = {
  'GET /': 'health',
  'GET /health': 'health',
  'GET /health/live': 'health',
  'GET /health/ready': 'health',
  'GET /metrics': 'operations; a proxy keeps it inside',
  'POST /api/auth/register': 'makes an account',
  'POST /api/auth/login': 'gives a token',
  'POST /api/auth/refresh': 'takes a refresh token',
  'POST /api/auth/forgot-password': 'sends a mail to the owner of the address',
  'POST /api/auth/reset-password': 'takes a token from that mail',
  'GET /whatsapp/webhook': 'takes the verify token',
  'POST /whatsapp/webhook': 'takes what Meta signed',
  'GET /webhook': 'takes the verify token',
  'POST /webhook': 'takes what Meta signed',
};

/** In an order in which Ann can do all of it one after the other. */
export const ROUTES: Record<string, (s: Stage) => Row> = {
  'GET /api/auth/profile': () => ({ path: '/api/auth/profile', stranger: 'own' }),
  'PUT /api/auth/update-profile': () => ({
    path: '/api/auth/update-profile',
    body: { bio: 'mine' },
    stranger: 'own',
  }),
  'POST /api/sync': () => ({ path: '/api/sync', body: { limit: 10 }, stranger: 'own' }),
  'GET /api/auth/export': () => ({ path: '/api/auth/export', stranger: 'own' }),
  'GET /api/devices': () => ({ path: '/api/devices', stranger: 'own' }),
  // No provider is configured here.
  'PUT /api/devices/{deviceId}/push': () => ({
    path: `/api/devices/${encodeURIComponent(DEVICES[0]!)}/push`,
    body: { provider: 'fcm', token: 'a token' },
    stranger: { status: 422, code: 'PROVIDER_UNAVAILABLE' },
    status: 422,
  }),
  'DELETE /api/devices/{deviceId}': () => ({
    path: `/api/devices/${encodeURIComponent(DEVICES[0]!)}`,
    stranger: NO_DEVICE,
  }),
  'GET /api/auth/sessions': () => ({ path: '/api/auth/sessions', stranger: 'own' }),
  'DELETE /api/auth/sessions/{id}': ({ sessionId }) => ({
    path: `/api/auth/sessions/${sessionId}`,
    stranger: { status: 404, code: 'SESSION_NOT_FOUND' },
  }),
  'GET /api/users': ({ ben }) => ({ path: `/api/users?ids=${ben.id}`, stranger: 'own' }),
  'POST /api/media': () => ({
    path: '/api/media',
    form: { name: 'file', fileName: 'a.txt', content: 'hello' },
    stranger: 'own',
    status: 201,
  }),
  // Ann's picture is part of what everybody who is signed in can find of her.
  'GET /api/media/{id}': ({ mediaId }) => ({ path: `/api/media/${mediaId}`, stranger: { status: 200 } }),
  'GET /api/contacts': () => ({ path: '/api/contacts', stranger: 'own' }),
  'GET /api/contacts/pending': () => ({ path: '/api/contacts/pending', stranger: 'own' }),
  'GET /api/contacts/blocked': () => ({ path: '/api/contacts/blocked', stranger: 'own' }),
  'GET /api/contacts/search': () => ({
    path: '/api/contacts/search?query=nobody-of-that-name',
    stranger: 'own',
  }),
  'PATCH /api/contacts/request/{contactId}/accept': ({ pending }) => ({
    path: `/api/contacts/request/${pending[0]}/accept`,
    stranger: NO_CONTACT,
  }),
  'DELETE /api/contacts/request/{contactId}/reject': ({ pending }) => ({
    path: `/api/contacts/request/${pending[1]}/reject`,
    stranger: NO_CONTACT,
  }),
  'POST /api/chats': ({ ben }) => ({
    path: '/api/chats',
    body: { type: 'PRIVATE', participantIds: [ben.id] },
    stranger: { status: 403, code: 'NOT_A_CONTACT' },
  }),
  'GET /api/chats': () => ({ path: '/api/chats', stranger: 'own' }),
  'GET /api/notifications': () => ({ path: '/api/notifications', stranger: 'own' }),
  'GET /api/notifications/count': () => ({ path: '/api/notifications/count', stranger: 'own' }),
  'GET /api/notifications/all-counts': () => ({ path: '/api/notifications/all-counts', stranger: 'own' }),
  'GET /api/notifications/push': () => ({ path: '/api/notifications/push', stranger: 'own' }),
  'POST /api/notifications/clear/{chatId}': ({ chatId }) => ({
    path: `/api/notifications/clear/${chatId}`,
    stranger: NO_CHAT,
  }),
  'POST /api/notifications/mark-contacts-viewed': () => ({
    path: '/api/notifications/mark-contacts-viewed',
    stranger: 'own',
  }),
  'GET /api/conversations': () => ({ path: '/api/conversations', stranger: 'own' }),
  'GET /api/messages/conversations': () => ({ path: '/api/messages/conversations', stranger: 'own' }),
  'GET /api/messages': () => ({ path: '/api/messages', stranger: 'own' }),
  'GET /api/messages/{waId}': ({ waId }) => ({ path: `/api/messages/${waId}`, stranger: NO_CUSTOMER }),
  'POST /api/messages': ({ waId }) => ({
    path: '/api/messages',
    body: { waId, text: 'hello' },
    stranger: NO_TENANT,
    status: 201,
  }),
  'POST /send-message': ({ waId }) => ({
    path: '/send-message',
    body: { wa_id: waId, messageBody: 'hello' },
    stranger: NO_TENANT,
    status: 201,
  }),
  'POST /api/conversations/{chatId}/handoff': ({ conversationId }) => ({
    path: `/api/conversations/${conversationId}/handoff`,
    stranger: NO_CHAT,
  }),
  'POST /api/conversations/{chatId}/release': ({ conversationId }) => ({
    path: `/api/conversations/${conversationId}/release`,
    stranger: NO_CHAT,
  }),
  'GET /api/chats/{chatId}': ({ chatId }) => ({ path: `/api/chats/${chatId}`, stranger: NO_CHAT }),
  'PATCH /api/chats/{chatId}': ({ groupId }) => ({
    path: `/api/chats/${groupId}`,
    body: { name: 'Another name' },
    stranger: NO_CHAT,
  }),
  'PATCH /api/chats/{chatId}/settings': ({ groupId }) => ({
    path: `/api/chats/${groupId}/settings`,
    body: { pinned: true },
    stranger: NO_CHAT,
  }),
  'GET /api/chats/{chatId}/members': ({ groupId }) => ({
    path: `/api/chats/${groupId}/members`,
    stranger: NO_CHAT,
  }),
  'POST /api/chats/{chatId}/members': ({ groupId, ben }) => ({
    path: `/api/chats/${groupId}/members`,
    body: { userIds: [ben.id] },
    stranger: NO_CHAT,
  }),
  'PATCH /api/chats/{chatId}/members/{userId}': ({ groupId, ben }) => ({
    path: `/api/chats/${groupId}/members/${ben.id}`,
    body: { role: 'ADMIN' },
    stranger: NO_CHAT,
  }),
  'DELETE /api/chats/{chatId}/members/{userId}': ({ groupId, ben }) => ({
    path: `/api/chats/${groupId}/members/${ben.id}`,
    stranger: NO_CHAT,
  }),
  'DELETE /api/chats/{chatId}': ({ groupId }) => ({ path: `/api/chats/${groupId}`, stranger: NO_CHAT }),
  'POST /api/chats/{chatId}/leave': ({ groupId }) => ({
    path: `/api/chats/${groupId}/leave`,
    stranger: NO_CHAT,
  }),
  'GET /api/chats/{chatId}/messages': ({ chatId }) => ({
    path: `/api/chats/${chatId}/messages`,
    stranger: NO_CHAT,
  }),
  'POST /api/chats/{chatId}/messages': ({ chatId }) => ({
    path: `/api/chats/${chatId}/messages`,
    body: { text: 'hello' },
    stranger: NO_CHAT,
    status: 201,
  }),
  'POST /api/chats/{chatId}/messages/delivered': ({ chatId }) => ({
    path: `/api/chats/${chatId}/messages/delivered`,
    body: {},
    stranger: NO_CHAT,
  }),
  'POST /api/chats/{chatId}/messages/read': ({ chatId }) => ({
    path: `/api/chats/${chatId}/messages/read`,
    body: {},
    stranger: NO_CHAT,
  }),
  'PATCH /api/chats/messages/{messageId}/status': ({ messageId }) => ({
    path: `/api/chats/messages/${messageId}/status`,
    body: { status: 'READ' },
    stranger: NO_MESSAGE,
  }),
  'GET /api/chats/messages/search': () => ({
    path: '/api/chats/messages/search?query=pairs%20of%20eyes',
    stranger: 'own',
  }),
  'GET /api/chats/messages/{messageId}/receipts': ({ messageId, ben }) => ({
    path: `/api/chats/messages/${messageId}/receipts`,
    stranger: NO_MESSAGE,
    by: ben,
  }),
  'PATCH /api/chats/messages/{messageId}': ({ messageId, ben }) => ({
    path: `/api/chats/messages/${messageId}`,
    body: { text: `${TEXT}, edited` },
    stranger: NO_MESSAGE,
    by: ben,
  }),
  'POST /api/chats/messages/{messageId}/reactions': ({ messageId }) => ({
    path: `/api/chats/messages/${messageId}/reactions`,
    body: { emoji: '👍' },
    stranger: NO_MESSAGE,
  }),
  'GET /api/chats/messages/{messageId}/replies': ({ messageId }) => ({
    path: `/api/chats/messages/${messageId}/replies`,
    stranger: NO_MESSAGE,
  }),
  'PUT /api/chats/messages/{messageId}/star': ({ messageId }) => ({
    path: `/api/chats/messages/${messageId}/star`,
    stranger: NO_MESSAGE,
  }),
  'GET /api/chats/messages/starred': () => ({ path: '/api/chats/messages/starred', stranger: 'own' }),
  'DELETE /api/chats/messages/{messageId}/star': ({ messageId }) => ({
    path: `/api/chats/messages/${messageId}/star`,
    stranger: NO_MESSAGE,
  }),
  'POST /api/chats/messages/{messageId}/forward': ({ messageId, chatId }) => ({
    path: `/api/chats/messages/${messageId}/forward`,
    body: { chatIds: [chatId] },
    stranger: NO_MESSAGE,
    status: 201,
  }),
  'DELETE /api/chats/messages/{messageId}': ({ messageId, ben }) => ({
    path: `/api/chats/messages/${messageId}?for=everyone`,
    stranger: NO_MESSAGE,
    by: ben,
  }),
  // Anybody may ask anybody, and may block anybody.
  'POST /api/contacts/request': ({ newcomer }) => ({
    path: '/api/contacts/request',
    body: { userId: newcomer.id },
    stranger: { status: 201 },
    status: 201,
  }),
  'POST /api/contacts/block': ({ newcomer }) => ({
    path: '/api/contacts/block',
    body: { userId: newcomer.id },
    stranger: { status: 200 },
  }),
  'PATCH /api/contacts/unblock/{userId}': ({ newcomer }) => ({
    path: `/api/contacts/unblock/${newcomer.id}`,
    stranger: { status: 200 },
  }),
  'DELETE /api/contacts/{contactId}': ({ contactId }) => ({
    path: `/api/contacts/${contactId}`,
    stranger: NO_CONTACT,
  }),
  'POST /api/auth/change-password': () => ({
    path: '/api/auth/change-password',
    body: { currentPassword: PASSWORD, newPassword: 'another password' },
    stranger: 'own',
  }),
  'POST /api/auth/logout': ({ ben }) => ({ path: '/api/auth/logout', stranger: 'own', by: ben }),
  'DELETE /api/auth/delete-profile': () => ({
    path: '/api/auth/delete-profile',
    body: { password: 'another password' },
    stranger: 'own',
  }),
};

/** Rows whose call ends the stranger's own session or account. */
export const ENDS_THE_CALLER = ['POST /api/auth/logout', 'DELETE /api/auth/delete-profile'];

export const EVENTS: Record<ClientEventName, (s: Stage) => { payload: unknown; stranger: string }> = {
  'app-opened': () => ({ payload: {}, stranger: 'own' }),
  'join-chat': ({ chatId }) => ({ payload: { chatId }, stranger: 'CHAT_NOT_FOUND' }),
  'leave-chat': ({ chatId }) => ({ payload: { chatId }, stranger: 'CHAT_NOT_FOUND' }),
  typing: ({ chatId }) => ({ payload: { chatId, isTyping: true }, stranger: 'CHAT_NOT_FOUND' }),
  'send-message': ({ chatId }) => ({
    payload: { chatId, clientId: 'x', text: 'hello' },
    stranger: 'CHAT_NOT_FOUND',
  }),
  'mark-delivered': ({ chatId }) => ({ payload: { chatId, upToSeq: 1 }, stranger: 'CHAT_NOT_FOUND' }),
  'mark-read': ({ chatId }) => ({ payload: { chatId, upToSeq: 1 }, stranger: 'CHAT_NOT_FOUND' }),
  'register-device': () => ({ payload: { deviceId: 'new', deviceName: 'New' }, stranger: 'own' }),
  'remove-device': () => ({ payload: { deviceId: DEVICES[1] }, stranger: 'DEVICE_NOT_FOUND' }),
  'subscribe-presence': ({ ann }) => ({ payload: { userIds: [ann.id] }, stranger: 'own' }),
  'contact-request-sent': ({ ann }) => ({ payload: { receiverId: ann.id }, stranger: 'own' }),
};
