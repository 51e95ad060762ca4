import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';

export interface SilentClient {
  /** Resolves once all pings that it was to answer are answered. */
  answered: Promise<void>;
  /** Whether the connection is open, as far as this side knows. */
  isOpen(): boolean;
  drop(): void;
}

/**
 * A signed-in device over a bare TCP connection: let in and after so many more pongs it says nothing more, and says no goodbye, as a
 * phone in a tunnel. Engine.IO protocol 4 in WebSocket frames (RFC 6455). Resolves when it is let in.
 */
export async function openSilently(
  url: string,
  auth: { token: string; deviceId?: string },
  { answers = 0 } = {},
): Promise<SilentClient> {
  const { hostname, port } = new URL(url);
  const connection = connect(Number(port), hostname);
  await once(connection, 'connect');
  connection.write(
    `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: ${hostname}:${port}\r\n` +
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
      `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`,
  );
  let left = Infinity;
  let heard = '';
  const closed = once(connection, 'close');
  const gates = { open: gate(), admitted: gate(), answered: gate() };
  connection.on('error', () => undefined);
  connection.on('data', (chunk: Buffer) => {
    // The server's frames are not masked: their text stands in them as it is.
    heard += chunk.toString('latin1');
    if (heard.includes('0{"sid"')) gates.open.pass();
    if (left === Infinity && heard.includes('40{"sid"')) {
      left = answers;
      gates.admitted.pass();
    }
    // A frame of one byte: Engine.IO's ping.
    const pings = heard.split('\x81\x012').length - 1;
    heard = heard.replaceAll('\x81\x012', '');
    for (let ping = 0; ping < pings && left > 0; ping++) {
      connection.write(frame('3'));
      left--;
    }
    if (left === 0) gates.answered.pass();
  });
  const tooEarly = closed.then(() => {
    throw new Error(`The server closed the connection: ${heard}`);
  });
  tooEarly.catch(() => undefined);
  await Promise.race([gates.open.passed, tooEarly]);
  connection.write(frame(`40${JSON.stringify(auth)}`));
  await Promise.race([gates.admitted.passed, tooEarly]);
  return {
    answered: gates.answered.passed,
    isOpen: () => !connection.destroyed,
    drop: () => connection.destroy(),
  };
}

function gate(): { passed: Promise<void>; pass: () => void } {
  let pass = (): void => undefined;
  const passed = new Promise<void>((resolve) => {
    pass = resolve;
  });
  return { passed, pass };
}

/** A text of a client, below 65,536 bytes: masked, as RFC 6455 §5.3 demands, here with zeros. */
function frame(text: string): Buffer {
  const payload = Buffer.from(text);
  const length =
    payload.length < 126 ? [0x80 | payload.length] : [0x80 | 126, payload.length >> 8, payload.length & 255];
  return Buffer.concat([Buffer.from([0x81, ...length, 0, 0, 0, 0]), payload]);
}
