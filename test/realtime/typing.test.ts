import { useApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { makePair } from '../support/people.js';

const app = useApp();

async function scene() {
  const pair = await makePair(app);
  const [typist, ownPhone, reader] = await Promise.all([
    app.connect(pair.ann),
    app.connect(pair.ann),
    app.connect(pair.ben),
  ]);
  return { ...pair, typist, ownPhone, reader };
}

it('goes to those who have the chat open, and never to the typist’s own devices', async () => {
  const { ann, chatId, typist, ownPhone, reader } = await scene();
  await typist.ok('typing', { chatId, isTyping: true });
  await reader.expectNone('user-typing');

  for (const socket of [typist, ownPhone, reader]) await socket.ok('join-chat', { chatId });
  await typist.ok('typing', { chatId, isTyping: true });
  expect(await reader.next('user-typing')).toEqual({ chatId, userId: ann.id, isTyping: true });
  await typist.ok('typing', { chatId, isTyping: false });
  expect(await reader.next('user-typing')).toEqual({ chatId, userId: ann.id, isTyping: false });
  for (const socket of [typist, ownPhone]) await socket.expectNone('user-typing');

  await reader.ok('leave-chat', { chatId });
  reader.forget();
  await typist.ok('typing', { chatId, isTyping: true });
  await reader.expectNone('user-typing');
});

it('takes a bare id for join-chat and leave-chat', async () => {
  const { chatId, typist, reader } = await scene();
  await reader.ok('join-chat', chatId);
  await typist.ok('typing', { chatId, isTyping: true });
  expect(await reader.next('user-typing')).toMatchObject({ isTyping: true });
  await reader.ok('leave-chat', chatId);
});

it('expires after 6 s without repeat, counted from the last repeat', async () => {
  const { chatId, typist, reader } = await scene();
  await reader.ok('join-chat', { chatId });
  await typist.ok('typing', { chatId, isTyping: true });
  app.clock.advance(5_000);
  await typist.ok('typing', { chatId, isTyping: true });
  app.clock.advance(5_999);
  await reader.expectNone('user-typing', (event: { isTyping: boolean }) => !event.isTyping);
  app.clock.advance(1);
  expect(await reader.next('user-typing', (event: { isTyping: boolean }) => !event.isTyping)).toMatchObject({
    chatId,
  });
});

it('ends when the typist’s device goes', async () => {
  const { chatId, typist, reader } = await scene();
  await reader.ok('join-chat', { chatId });
  await typist.ok('typing', { chatId, isTyping: true });
  typist.disconnect();
  await reader.next('user-typing', (event: { isTyping: boolean }) => !event.isTyping);
});

it('is refused across a block and to strangers', async () => {
  const { ann, ben, chatId, typist, reader } = await scene();
  await reader.ok('join-chat', { chatId });
  await typist.ok('typing', { chatId, isTyping: true });
  await reader.next('user-typing');
  await ben.http.post('/api/contacts/block', { userId: ann.id });
  expect(await typist.emit('typing', { chatId, isTyping: true })).toMatchObject({ code: 'BLOCKED' });
  await ben.http.patch(`/api/contacts/unblock/${ann.id}`);
  // The signal that takes a block back may come a moment after the answer.
  const type = (): Promise<{ status: string }> => typist.emit('typing', { chatId, isTyping: true });
  await eventually(type, ({ status }) => status === 'success');

  const stranger = await app.connect(await app.registerUser());
  for (const event of ['typing', 'join-chat', 'leave-chat']) {
    const payload = event === 'typing' ? { chatId, isTyping: true } : { chatId };
    expect(await stranger.emit(event, payload)).toMatchObject({ status: 'error', code: 'CHAT_NOT_FOUND' });
  }
});
