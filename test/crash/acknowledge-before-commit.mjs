/**
 * Builds the fault into the server that the crash test must find: a send is answered before it is committed.
 * Loaded by `node --import`; nothing in the product can switch it on.
 */
const { MessageWriter } = await import('../../dist/messages/message-writer.js');

const { write } = MessageWriter.prototype;
const lastSeqs = new Map();

MessageWriter.prototype.write = function acknowledgeBeforeCommit(input) {
  const committed = write.call(this, input);
  committed.then(
    ({ row }) => lastSeqs.set(input.chatId, row.seq),
    () => undefined,
  );
  const seq = (lastSeqs.get(input.chatId) ?? 0) + 1;
  lastSeqs.set(input.chatId, seq);
  return Promise.resolve({ row: { ord: 1, outcome: 'CREATED', seq }, at: new Date(), retried: false });
};
