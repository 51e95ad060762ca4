import type { AddressInfo } from 'node:net';
import { SMTPServer, type SMTPServerAddress } from 'smtp-server';

export interface ReceivedMail {
  from: string;
  to: string[];
  subject: string;
  text: string;
}

/** What the server says at a step of the dialogue instead of yes, until it is given the next; null hangs up. */
export interface Mood {
  auth?: number | null;
  recipient?: number | null;
  data?: number | null;
}

export interface SmtpStandIn {
  /** With the user and the password that it accepts. */
  url: string;
  /** What it has taken, in order. */
  mails: ReceivedMail[];
  mood: Mood;
  stop(): Promise<void>;
}

const USER = 'parley';
const PASSWORD = 'a password of the mail server';

/** A real SMTP server on a port of its own that keeps what it is given. */
export async function startSmtp(): Promise<SmtpStandIn> {
  const standIn = { mails: [] as ReceivedMail[], mood: {} as Mood };
  const objection = (code: number | undefined): Error | undefined =>
    code === undefined
      ? undefined
      : Object.assign(new Error(`${code} says the test`), { responseCode: code });
  const server = new SMTPServer({
    // It has no certificate; a password in the clear is fine on the loopback.
    disabledCommands: ['STARTTLS'],
    allowInsecureAuth: true,
    logger: false,
    onAuth({ username, password }, session, callback) {
      const { auth } = standIn.mood;
      if (auth === null) hangUp(session);
      else if (auth !== undefined) callback(objection(auth));
      else if (username === USER && password === PASSWORD) callback(null, { user: username });
      else callback(objection(535));
    },
    onRcptTo(_address, session, callback) {
      const { recipient } = standIn.mood;
      if (recipient === null) hangUp(session);
      else callback(objection(recipient));
    },
    onData(stream, session, callback) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const { data } = standIn.mood;
        if (data === null) {
          hangUp(session);
          return;
        }
        if (data === undefined) {
          const { mailFrom, rcptTo } = session.envelope;
          standIn.mails.push({
            from: (mailFrom as SMTPServerAddress).address,
            to: rcptTo.map(({ address }) => address),
            ...parse(Buffer.concat(chunks).toString()),
          });
        }
        callback(objection(data));
      });
    },
  });
  const connections = new Map<string, () => void>();
  server.server.on('connection', (socket) => {
    connections.set(`${socket.remotePort}`, () => socket.destroy());
  });
  const hangUp = (session: { remotePort: number }): void => connections.get(`${session.remotePort}`)?.();
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.server.address() as AddressInfo;
  return Object.assign(standIn, {
    url: `smtp://${USER}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}`,
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(resolve);
        for (const end of connections.values()) end();
      }),
  });
}

/** A mail of one text part (RFC 5322, RFC 2045). */
function parse(raw: string): { subject: string; text: string } {
  const end = raw.indexOf('\r\n\r\n');
  const headers = raw.slice(0, end).replace(/\r\n\s+/g, ' ');
  const header = (name: string): string => new RegExp(`^${name}: (.*)$`, 'im').exec(headers)?.[1] ?? '';
  const body = raw.slice(end + 4);
  const encoding = header('content-transfer-encoding').toLowerCase();
  return { subject: header('subject'), text: decode(body, encoding).replaceAll('\r\n', '\n') };
}

function decode(body: string, encoding: string): string {
  if (encoding === 'base64') return Buffer.from(body, 'base64').toString();
  if (encoding !== 'quoted-printable') return body;
  const bytes = body
    .replaceAll('=\r\n', '')
    .replace(/=([0-9A-F]{2})/g, (_match, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString();
}
