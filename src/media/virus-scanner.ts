import { createReadStream } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { AppError } from '../common/errors.js';
import { CONFIG, type ClamdConfig, type Config } from '../infra/config/config.js';
import { Log } from '../infra/observability/log.js';

/** How long a scan may take, in milliseconds. */
const SCANNED_WITHIN_MS = 60_000;
const RETRY_AFTER_MS = 10_000;
const CHUNK_BYTES = 64 * 1024;
/** An answer is one line; more is not clamd. */
const MAX_ANSWER_BYTES = 4096;

/**
 * Has clamd scan files over its INSTREAM command (https://docs.clamav.net/manual/Usage/Scanning.html, clamd(8)):
 * `zINSTREAM\0`, chunks that begin with their length in four bytes, a length of zero at the end; the answer ends with a
 * NUL. Without `CLAMD_URL` nothing is scanned.
 */
@Injectable()
export class VirusScanner {
  private readonly clamd: ClamdConfig | undefined;

  constructor(
    @Inject(CONFIG) config: Config,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {
    this.clamd = config.clamd;
  }

  /**
   * Resolves when the file is clean.
   *
   * @throws AppError MEDIA_INFECTED; NOT_READY when clamd cannot say, which is never taken for clean
   */
  async assertClean(localPath: string): Promise<void> {
    if (!this.clamd) return;
    let answer: string;
    try {
      answer = await this.scan(this.clamd, localPath);
    } catch (error) {
      throw this.unavailable(error);
    }
    const virus = /^stream: (.+) FOUND$/.exec(answer)?.[1];
    if (virus !== undefined) {
      this.log.warn({ virus }, 'an upload was refused: it is infected');
      throw new AppError('MEDIA_INFECTED');
    }
    if (answer !== 'stream: OK')
      throw this.unavailable(new Error(`clamd answered "${answer.slice(0, 200)}"`));
  }

  private async scan(clamd: ClamdConfig, localPath: string): Promise<string> {
    const socket = connect(clamd);
    const cancel = this.clock.after(SCANNED_WITHIN_MS, () => {
      socket.destroy(new Error('clamd did not answer in time'));
    });
    const answer = readAnswer(socket);
    // Whoever fails first says why: clamd answers and hangs up in the middle of a file that is too long for it.
    const sending = sendFile(socket, localPath).catch((error: unknown) => {
      socket.destroy(error as Error);
    });
    try {
      return await answer;
    } finally {
      cancel();
      socket.destroy();
      await sending;
    }
  }

  private unavailable(cause: unknown): AppError {
    return new AppError('NOT_READY', {
      message: 'Files cannot be checked for viruses just now: try again in a moment.',
      retryAfterMs: RETRY_AFTER_MS,
      cause,
    });
  }
}

async function sendFile(socket: Socket, localPath: string): Promise<void> {
  await write(socket, Buffer.from('zINSTREAM\0'));
  for await (const chunk of createReadStream(localPath, {
    highWaterMark: CHUNK_BYTES,
  }) as AsyncIterable<Buffer>) {
    if (socket.destroyed || socket.readableEnded) return;
    await write(socket, lengthOf(chunk.length));
    await write(socket, chunk);
  }
  await write(socket, lengthOf(0));
}

function lengthOf(bytes: number): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes);
  return length;
}

/** Resolves when the socket takes more; it rejects with nothing, as what went wrong the reader says. */
function write(socket: Socket, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) resolve();
    else
      socket.write(bytes, () => {
        resolve();
      });
  });
}

function readAnswer(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      answer += text;
      const end = answer.indexOf('\0');
      if (end !== -1) resolve(answer.slice(0, end).trim());
      else if (answer.length > MAX_ANSWER_BYTES) reject(new Error('clamd did not stop answering'));
    });
    socket.once('end', () => {
      reject(new Error(`clamd hung up after "${answer.slice(0, 200)}"`));
    });
    socket.once('error', reject);
    socket.once('close', () => {
      reject(new Error('the connection to clamd was closed'));
    });
  });
}
