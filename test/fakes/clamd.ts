import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

/** The test file that every scanner finds (https://www.eicar.org/download-anti-malware-testfile/), in two halves. */
export const EICAR = ['X5O!P%@AP[4\\PZX54(P^)7CC)7}$', 'EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*'].join('');

/** How the next scan goes wrong: no answer, an answer that is none, a connection that is closed, one answered with ERROR. */
export type ScanTrouble = 'hang' | 'garbage' | 'cut' | 'error' | 'endless';

/** clamd's INSTREAM over TCP or a Unix socket, as clamd(8) describes it. It finds `EICAR` wherever it is in a file. */
export class FakeClamd {
  /** Every file that was scanned to its end. */
  readonly scanned: Buffer[] = [];
  url = '';
  private readonly troubles: ScanTrouble[] = [];
  private readonly sockets = new Set<Socket>();
  private readonly server: Server;
  private awaited: (() => void)[] = [];

  /** @param maxBytes `StreamMaxLength` of clamd.conf */
  constructor(private readonly maxBytes = 25 * 1024 * 1024) {
    this.server = createServer((socket) => {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
      socket.on('error', () => undefined);
      this.serve(socket);
    });
  }

  async start(unixPath?: string): Promise<this> {
    await new Promise<void>((resolve) => {
      if (unixPath === undefined) this.server.listen(0, '127.0.0.1', resolve);
      else this.server.listen(unixPath, resolve);
    });
    this.url =
      unixPath === undefined
        ? `tcp://127.0.0.1:${(this.server.address() as AddressInfo).port}`
        : `unix:${unixPath}`;
    return this;
  }

  plan(...troubles: ScanTrouble[]): void {
    this.troubles.push(...troubles);
  }

  /** Resolves when a scan has begun that gets no answer. */
  hanging(): Promise<void> {
    return new Promise((resolve) => this.awaited.push(resolve));
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private serve(socket: Socket): void {
    const trouble = this.troubles.shift();
    let pending = Buffer.alloc(0);
    let inStream = false;
    const file: Buffer[] = [];
    let size = 0;
    const say = (text: string): void => {
      socket.end(`${text}\0`);
    };
    socket.on('data', (bytes: Buffer) => {
      pending = Buffer.concat([pending, bytes]);
      if (!inStream) {
        const end = pending.indexOf(0);
        if (end === -1) return;
        if (pending.toString('latin1', 0, end) !== 'zINSTREAM') {
          say('UNKNOWN COMMAND');
          return;
        }
        inStream = true;
        pending = pending.subarray(end + 1);
        if (trouble === 'cut') socket.destroy();
        else if (trouble === 'garbage') say('HTTP/1.1 400 Bad Request');
        else if (trouble === 'endless') socket.write('x'.repeat(10_000));
        else if (trouble === 'hang') for (const resolve of this.awaited.splice(0)) resolve();
      }
      while (pending.length >= 4) {
        const length = pending.readUInt32BE(0);
        if (pending.length < 4 + length) return;
        const chunk = pending.subarray(4, 4 + length);
        pending = pending.subarray(4 + length);
        size += length;
        if (size > this.maxBytes) {
          say('INSTREAM size limit exceeded. ERROR');
          return;
        }
        if (length > 0) file.push(Buffer.from(chunk));
        else if (trouble === undefined || trouble === 'error') {
          const whole = Buffer.concat(file);
          this.scanned.push(whole);
          if (trouble === 'error') say("stream: Can't allocate memory ERROR");
          else say(whole.includes(EICAR) ? 'stream: Win.Test.EICAR_HDB-1 FOUND' : 'stream: OK');
        }
      }
    });
  }
}
