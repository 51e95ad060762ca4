import { WebSocketClient } from './web-socket.js';

/** What the server answers an event with. */
export interface Ack {
  status: 'success' | 'error';
  data?: unknown;
  code?: string;
}

type OnAck = (ack: Ack) => void;

/**
 * The least that is a Socket.IO client: Engine.IO 4 over a WebSocket, text packets, no reconnection. It is kept small
 * because load and server share the processors.
 */
export class LightSocket {
  onEvent: (name: string, payload: unknown) => void = () => undefined;
  /** Gets events as they came, `42["name",payload]`, instead of `onEvent`. */
  onRawEvent: ((packet: string) => void) | undefined;
  /** Called when the connection ends unasked. */
  onEnd: (reason: string) => void = (reason) => {
    process.stderr.write(`A connection ended: ${reason}.\n`);
  };
  private readonly acks = new Map<number, OnAck>();
  private nextAck = 0;

  private constructor(
    private readonly transport: WebSocketClient,
    private readonly token: string,
    private readonly onWelcome: () => void,
  ) {
    transport.onText = (text) => {
      this.take(text);
    };
  }

  /**
   * Resolves when the server has let the person in.
   *
   * @param url the server's, such as `http://127.0.0.1:3000`
   * @throws Error saying why it refused
   */
  static async connect(url: string, token: string): Promise<LightSocket> {
    const transport = new WebSocketClient(`${url}/socket.io/?EIO=4&transport=websocket`);
    return new Promise((resolve, reject) => {
      const socket = new LightSocket(transport, token, () => {
        transport.onEnd = (reason) => {
          socket.onEnd(reason);
        };
        resolve(socket);
      });
      transport.onEnd = (reason) => {
        reject(new Error(reason));
      };
    });
  }

  emit(event: string, payload: object, onAck: OnAck): void {
    const id = this.nextAck++;
    this.acks.set(id, onAck);
    this.transport.send(`42${id}${JSON.stringify([event, payload])}`);
  }

  close(): void {
    this.transport.close();
  }

  /** The first digit is Engine.IO's (0 open, 2 ping, 4 message), the second Socket.IO's (0 connect, 2 event, 3 ack). */
  private take(packet: string): void {
    if (this.onRawEvent !== undefined && packet.startsWith('42')) {
      this.onRawEvent(packet);
    } else if (packet.startsWith('42')) {
      const [name, payload] = JSON.parse(packet.slice(2)) as [string, unknown];
      this.onEvent(name, payload);
    } else if (packet.startsWith('43')) {
      const bracket = packet.indexOf('[');
      const [ack] = JSON.parse(packet.slice(bracket)) as [Ack];
      this.takeAck(Number(packet.slice(2, bracket)), ack);
    } else if (packet === '2') {
      this.transport.send('3');
    } else if (packet.startsWith('0')) {
      this.transport.send(`40${JSON.stringify({ token: this.token })}`);
    } else if (packet.startsWith('40')) {
      this.onWelcome();
    } else {
      this.transport.onEnd(`the server sent ${packet}`);
      this.transport.close();
    }
  }

  private takeAck(id: number, ack: Ack): void {
    const onAck = this.acks.get(id);
    this.acks.delete(id);
    onAck?.(ack);
  }
}
