import type { JsonClient } from './json-client.js';
import type { Person } from './people.js';

/** What the server says of a message, as far as it is looked at here. */
export interface SeenMessage {
  seq: number;
  clientId: string | null;
}

/** What went wrong with the messages of a conversation; all must be 0. */
export interface Faults {
  /** Sends and reports that were answered with an error. */
  refused: number;
  /** Sends that were never answered. */
  unanswered: number;
  /** Acknowledged, and never seen on the other person's socket. */
  lostLive: number;
  /** Acknowledged, and not in the history under the seq it was acknowledged with. */
  lostStored: number;
  /** Seen again on the other person's socket, or stored more than once. */
  duplicated: number;
  /** A seq, live or stored, that does not follow the one before it. */
  gaps: number;
}

const PAGE = 100;

/** The books of one private chat in which one person sends: what was sent, acknowledged and delivered. */
export class Conversation {
  acknowledged = 0;
  delivered = 0;
  private readonly sentAt: number[] = [];
  /** The seq each message was acknowledged with; 0 before. */
  private readonly seqOf: number[] = [];
  private readonly timesSeen: number[] = [];
  private lastLiveSeq = 0;
  private readonly live = { refused: 0, refusedReports: 0, duplicated: 0, gaps: 0 };

  constructor(
    readonly chatId: string,
    readonly sender: Person,
    readonly receiver: Person,
  ) {}

  get sent(): number {
    return this.sentAt.length;
  }

  /** Whether everything sent has been answered, and everything acknowledged has arrived. */
  get isSettled(): boolean {
    return this.sent === this.acknowledged + this.live.refused && this.delivered === this.acknowledged;
  }

  /** Enters the next message and returns its client id. */
  begin(now: number): string {
    this.seqOf.push(0);
    this.timesSeen.push(0);
    return String(this.sentAt.push(now) - 1);
  }

  /** Returns how long it took, in milliseconds. */
  acknowledge(clientId: string, seq: number, now: number): number {
    const index = Number(clientId);
    this.seqOf[index] = seq;
    this.acknowledged++;
    return now - (this.sentAt[index] ?? NaN);
  }

  refuse(code: string): void {
    this.live.refused++;
    tellFirstRefusal(code);
  }

  refuseReport(code: string): void {
    this.live.refusedReports++;
    tellFirstRefusal(code);
  }

  /** Returns how long it took from the send, in milliseconds, or undefined for one that came again. */
  deliver({ clientId, seq }: SeenMessage, now: number): number | undefined {
    const index = Number(clientId);
    const seen = (this.timesSeen[index] ?? 0) + 1;
    this.timesSeen[index] = seen;
    if (seen > 1) {
      this.live.duplicated++;
      return undefined;
    }
    if (seq !== this.lastLiveSeq + 1) this.live.gaps++;
    this.lastLiveSeq = seq;
    this.delivered++;
    return now - (this.sentAt[index] ?? NaN);
  }

  /** Compares the books with the history that the server answers. */
  async audit(client: JsonClient): Promise<Faults> {
    const faults: Faults = {
      refused: this.live.refused + this.live.refusedReports,
      unanswered: this.sent - this.acknowledged - this.live.refused,
      lostLive: this.seqOf.filter((seq, index) => seq > 0 && this.timesSeen[index] === 0).length,
      lostStored: 0,
      duplicated: this.live.duplicated,
      gaps: this.live.gaps,
    };
    const stored = new Map<string, number>();
    let lastSeq = 0;
    for await (const { seq, clientId } of this.history(client)) {
      if (seq !== lastSeq + 1) faults.gaps++;
      lastSeq = seq;
      if (clientId === null || stored.has(clientId)) faults.duplicated++;
      else stored.set(clientId, seq);
    }
    faults.lostStored = this.seqOf.filter(
      (seq, index) => seq > 0 && stored.get(String(index)) !== seq,
    ).length;
    return faults;
  }

  private async *history(client: JsonClient): AsyncGenerator<SeenMessage> {
    for (let afterSeq = 0; ;) {
      const page = await client.ask<SeenMessage[]>(
        'GET',
        `/api/chats/${this.chatId}/messages?afterSeq=${afterSeq}&limit=${PAGE}`,
        this.sender.token,
      );
      yield* page;
      const last = page.at(-1);
      if (last === undefined) return;
      afterSeq = last.seq;
    }
  }
}

let isRefusalTold = false;

/** The table says how many there were; the first one says why. */
function tellFirstRefusal(code: string): void {
  if (isRefusalTold) return;
  isRefusalTold = true;
  process.stderr.write(`The server refused a send or a report: ${code}\n`);
}
