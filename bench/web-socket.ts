import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

const TEXT = 0x1;
const CLOSE = 0x8;
const LAST_FRAME = 0x80;
const MASKED = 0x80;
const EMPTY = Buffer.alloc(0);

/**
 * The least that is a WebSocket client: text messages in single frames, as servers on this machine send them. Every
 * message sent is a masked frame and a write of its own, as with other clients, so the server's work is the same.
 */
export class WebSocketClient {
  /** Called once messages can be sent. */
  onOpen: () => void = () => undefined;
  onText: (text: string) => void = () => undefined;
  /** Called when the connection ends unasked, also before it is open. */
  onEnd: (reason: string) => void = () => undefined;
  private readonly tcp: Socket;
  private readonly mask = randomBytes(4);
  private rest: Buffer = EMPTY;
  private isOpen = false;

  /** @param url `http:` or `ws:`, with a port */
  constructor(url: string) {
    const { host, hostname, port, pathname, search } = new URL(url);
    this.tcp = connect({ host: hostname, port: Number(port), noDelay: true });
    this.tcp.on('data', (chunk: Buffer) => {
      this.take(chunk);
    });
    this.tcp.once('error', (error) => {
      this.end(error.message);
    });
    this.tcp.once('close', () => {
      this.end('the server closed the connection');
    });
    this.tcp.write(
      `GET ${pathname}${search} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    );
  }

  /** Only once it is open. */
  send(text: string): void {
    this.tcp.write(encodeFrame(text, this.mask));
  }

  close(): void {
    this.onEnd = () => undefined;
    this.tcp.destroy();
  }

  private take(chunk: Buffer): void {
    const data = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    this.rest = this.isOpen ? this.takeFrames(data) : this.takeHead(data);
  }

  private takeHead(data: Buffer): Buffer {
    const end = data.indexOf('\r\n\r\n');
    if (end === -1) return data;
    const status = data.toString('latin1', 0, data.indexOf('\r\n'));
    if (!status.includes(' 101 ')) {
      this.end(`the server answered ${status}`);
      return EMPTY;
    }
    this.isOpen = true;
    this.onOpen();
    return this.takeFrames(data.subarray(end + 4));
  }

  /** Returns what is left behind the last complete frame. */
  private takeFrames(data: Buffer): Buffer {
    let at = 0;
    while (data.length - at >= 2) {
      const short = data.readUInt8(at + 1);
      const start = at + (short === 127 ? 10 : short === 126 ? 4 : 2);
      if (data.length < start) break;
      const length = readLength(data, at + 2, short);
      if (data.length < start + length) break;
      const opcode = data.readUInt8(at) & 0x0f;
      if (opcode === TEXT) this.onText(data.toString('utf8', start, start + length));
      else if (opcode === CLOSE) this.end('the server said goodbye');
      at = start + length;
    }
    return at === data.length ? EMPTY : data.subarray(at);
  }

  private end(reason: string): void {
    const onEnd = this.onEnd;
    this.close();
    onEnd(reason);
  }
}

function readLength(data: Buffer, at: number, short: number): number {
  if (short === 127) return Number(data.readBigUInt64BE(at));
  return short === 126 ? data.readUInt16BE(at) : short;
}

function encodeFrame(text: string, mask: Buffer): Buffer {
  const length = Buffer.byteLength(text);
  const start = length < 126 ? 6 : 8;
  const frame = Buffer.allocUnsafe(start + length);
  frame.writeUInt8(LAST_FRAME | TEXT, 0);
  frame.writeUInt8(MASKED | (length < 126 ? length : 126), 1);
  if (length >= 126) frame.writeUInt16BE(length, 2);
  mask.copy(frame, start - 4);
  frame.write(text, start);
  for (let i = 0; i < length; i++) frame[start + i] = (frame[start + i] ?? 0) ^ (mask[i & 3] ?? 0);
  return frame;
}
