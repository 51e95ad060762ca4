import { isNativeError } from 'node:util/types';
import { ConsoleLogger, Injectable, type LoggerService } from '@nestjs/common';
import pino from 'pino';

/** Whatever could hold a secret or a person's words is cut, should a caller ever log a whole object. */
const REDACTED = [
  'password',
  'currentPassword',
  'newPassword',
  'token',
  'refreshToken',
  'accessToken',
  'authorization',
  'cookie',
  'text',
];

/**
 * The log: JSON lines on standard output. Log ids, counts and codes, never a body.
 */
export type LogSink = pino.DestinationStream;

/** What is written of every request. */
export interface AccessLine {
  requestId: string;
  method: string;
  /** Without its query, which may hold a signature or a search. */
  path: string;
  status: number;
  durationMs: number;
  userId: string | undefined;
}

@Injectable()
export class Log {
  private readonly pino: pino.Logger;
  private readonly access: pino.Logger;

  constructor(level: string, sink?: LogSink) {
    const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
    const destination = sink ?? pino.destination({ dest: 1, sync: false });
    const paths = REDACTED.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);
    this.pino = pino(
      { ...options, redact: { paths, censor: '[redacted]' }, serializers: { err: serializeError } },
      destination,
    );
    this.access = pino(options, destination);
  }

  /**
   * One line a request. Its fields are fixed and hold nothing secret, so looking for what to cut is spared.
   *
   * @param isRoutine it is one of many that only metrics are interested in: told at the level `debug`
   */
  request(line: AccessLine, isRoutine = false): void {
    this.access[isRoutine ? 'debug' : 'info'](line, 'request');
  }

  debug(fields: object, message: string): void {
    this.pino.debug(fields, message);
  }

  info(fields: object | string, message?: string): void {
    if (typeof fields === 'string') this.pino.info(fields);
    else this.pino.info(fields, message);
  }

  warn(fields: object | string, message?: string): void {
    if (typeof fields === 'string') this.pino.warn(fields);
    else this.pino.warn(fields, message);
  }

  error(fields: object | string, message?: string): void {
    if (typeof fields === 'string') this.pino.error(fields);
    else this.pino.error(fields, message);
  }

  flush(): void {
    this.pino.flush();
  }
}

/**
 * PostgreSQL puts the values of a row into `detail` and `where`, and Prisma the arguments of a call into `message`:
 * neither may reach the log.
 */
function serializeError(error: unknown): object {
  if (!isNativeError(error)) return { type: typeof error };
  const { code } = error as { code?: unknown };
  const isPrisma = error.name.startsWith('PrismaClient');
  const lines = error.message.split('\n');
  return {
    type: error.name,
    ...(typeof code === 'string' && { code }),
    message: isPrisma ? lines.at(-1) : lines[0],
    stack: error.stack
      ?.split('\n')
      .filter((line) => line.startsWith('    at '))
      .join('\n'),
  };
}

/** Lets Nest write to our log: its warnings and errors only, as its start-up lines tell an operator nothing. */
export class NestLog extends ConsoleLogger implements LoggerService {
  constructor(private readonly target: Log) {
    super();
  }

  override log(): void {
    return;
  }

  override debug(): void {
    return;
  }

  override verbose(): void {
    return;
  }

  override warn(message: unknown): void {
    this.target.warn({ source: 'nest' }, String(message));
  }

  override error(message: unknown, stack?: unknown): void {
    this.target.error({ source: 'nest', stack }, String(message));
  }

  override fatal(message: unknown): void {
    this.target.error({ source: 'nest' }, String(message));
  }
}
