import type { Conversation, SeenMessage } from './conversation.js';
import type { JsonClient } from './json-client.js';
import { LightSocket, type Ack } from './light-socket.js';

export interface OutgoingMessage {
  clientId: string;
  text: string;
}

/** A way to send; calls back once, with the acknowledged seq or the code of the refusal. */
export type Send = (
  message: OutgoingMessage,
  onAcknowledged: (seq: number) => void,
  onRefused: (code: string) => void,
) => void;

export function sendOverSocket(socket: LightSocket, { chatId }: Conversation): Send {
  return (message, onAcknowledged, onRefused) => {
    socket.emit('send-message', { chatId, ...message }, ({ status, data, code = '' }) => {
      if (status === 'success') onAcknowledged((data as SeenMessage).seq);
      else onRefused(code);
    });
  };
}

export function sendOverRest(client: JsonClient, { chatId, sender }: Conversation): Send {
  return (message, onAcknowledged, onRefused) => {
    client.send('POST', `/api/chats/${chatId}/messages`, sender.token, message).then(
      ({ status, body }) => {
        if (status === 201) onAcknowledged((body.data as SeenMessage).seq);
        else onRefused(body.code ?? String(status));
      },
      (error: unknown) => {
        onRefused(String(error));
      },
    );
  };
}

/** A real client tells of what it received soon, and of what was read when it was on screen a while. */
const DELIVERED_EVERY_MS = 100;
const READ_EVERY_MS = 1_000;

/** The other person's device: enters what arrives, and reports it as a real client does. */
export class Receiver {
  private newestSeq = 0;
  private readSeq = 0;
  private reportTimer: NodeJS.Timeout | undefined;
  private readonly readTimer: NodeJS.Timeout;

  private constructor(
    private readonly socket: LightSocket,
    private readonly chatId: string,
    onMessage: (message: SeenMessage) => void,
    private readonly onRefused: (code: string) => void,
  ) {
    socket.onEvent = (name, payload) => {
      if (name !== 'new-message') return;
      const { message } = payload as { message: SeenMessage };
      onMessage(message);
      this.newestSeq = Math.max(this.newestSeq, message.seq);
      this.reportTimer ??= setTimeout(() => {
        this.reportTimer = undefined;
        this.report('mark-delivered', this.newestSeq);
      }, DELIVERED_EVERY_MS);
    };
    this.readTimer = setInterval(() => {
      if (this.newestSeq === this.readSeq) return;
      this.readSeq = this.newestSeq;
      this.report('mark-read', this.readSeq);
    }, READ_EVERY_MS);
  }

  static async connect(
    url: string,
    { receiver, chatId }: Conversation,
    onMessage: (message: SeenMessage) => void,
    onRefused: (code: string) => void,
  ): Promise<Receiver> {
    const socket = await LightSocket.connect(url, receiver.token);
    const device = new Receiver(socket, chatId, onMessage, onRefused);
    socket.emit('app-opened', {}, device.checkAnswer);
    return device;
  }

  close(): void {
    clearTimeout(this.reportTimer);
    clearInterval(this.readTimer);
    this.socket.close();
  }

  private report(event: 'mark-delivered' | 'mark-read', upToSeq: number): void {
    this.socket.emit(event, { chatId: this.chatId, upToSeq }, this.checkAnswer);
  }

  private readonly checkAnswer = ({ status, code = '' }: Ack): void => {
    if (status !== 'success') this.onRefused(code);
  };
}
