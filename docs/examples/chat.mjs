// node docs/examples/chat.mjs <email> <password> <chatId> [text]: shows a chat, sends `text` or the lines typed
import { randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';
import { io } from 'socket.io-client';

const [email, password, chatId, text] = process.argv.slice(2);
const api = process.env.API ?? 'http://localhost:3000';
const print = (line) => process.stdout.write(`${line}\n`);

const login = { method: 'POST', headers: { 'Content-Type': 'application/json' } };
const answer = await fetch(`${api}/api/auth/login`, { ...login, body: JSON.stringify({ email, password }) });
const { data, message } = await answer.json();
if (!answer.ok) throw new Error(message);

const socket = io(api, { transports: ['websocket'], auth: { token: data.token } });
socket.on('connect', () => print(`${data.user.name} is connected`));
socket.on('new-message', ({ chatId, message }) => {
  print(`${data.user.name} reads: ${message.text}`);
  socket.emit('mark-read', { chatId, upToSeq: message.seq });
});
const send = async (line) => {
  const ack = await socket.emitWithAck('send-message', { chatId, clientId: randomUUID(), text: line });
  print(ack.status === 'success' ? `sent as message ${ack.data.seq}` : ack.message);
};
if (text) await send(text).then(() => socket.close());
else createInterface({ input: process.stdin }).on('line', send);
