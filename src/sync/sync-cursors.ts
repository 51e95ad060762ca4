import { Injectable } from '@nestjs/common';
import { Cursors } from '../infra/http/cursors.js';
import type { SyncPhase, SyncPosition } from './sync.repository.js';

/** How far a client is. Transaction ids are decimal text. */
export interface SyncCursor {
  /** The database whose transactions are meant. */
  epoch: string;
  /** Everything below it the client has; null until the first round is over. */
  from: string | null;
  /** Where the round after this one starts; null between rounds. */
  next: string | null;
  position: SyncPosition | null;
}

/** Turns cursors into opaque text that is good for one user alone, and back. */
@Injectable()
export class SyncCursors {
  constructor(private readonly cursors: Cursors) {}

  encode(userId: string, { epoch, from, next, position }: SyncCursor): string {
    const { phase, after, before, floor, tx } = position ?? NOWHERE;
    return this.cursors.encode(scopeOf(userId), [epoch, from, next, phase, after, before, floor, tx]);
  }

  /** @throws AppError INVALID_CURSOR */
  decode(userId: string, cursor: string): SyncCursor {
    const [epoch, from, next, phase, after, before, floor, tx = null] = this.cursors.decode(
      scopeOf(userId),
      cursor,
    );
    return {
      epoch: String(epoch),
      from: from as string | null,
      next: next as string | null,
      position:
        phase === null
          ? null
          : {
              phase: phase as SyncPhase,
              after: String(after),
              before: before as number | null,
              floor: floor as number | null,
              tx: tx as string | null,
            },
    };
  }
}

const NOWHERE = { phase: null, after: null, before: null, floor: null, tx: null };

function scopeOf(userId: string): string {
  return `sync:${userId}`;
}
