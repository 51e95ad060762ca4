import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { Log } from '../infra/observability/log.js';
import { MediaFiles } from './media-files.js';
import { MediaRelease } from './media-release.js';
import { MediaRepository } from './media.repository.js';

const PERIOD_MS = 3_600_000;
const BATCH = 100;

/**
 * Removes what is left over: uploads that nothing has used for a day, media whose last reference was dropped by a
 * process that died, files that never got a medium or outlived it. Several instances may sweep at once.
 */
@Injectable()
export class MediaSweep {
  private running: Promise<void> | undefined;
  private again = false;
  private stopped = false;
  private cancel: (() => void) | undefined;

  constructor(
    private readonly media: MediaRepository,
    private readonly release: MediaRelease,
    private readonly files: MediaFiles,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /** @param also what else is to be cleared every time */
  start(also: () => Promise<void>): void {
    this.cancel = this.clock.every(PERIOD_MS, () => {
      this.again = true;
      this.running ??= this.run(also).finally(() => {
        this.running = undefined;
      });
    });
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.cancel?.();
    await this.running;
  }

  private async run(also: () => Promise<void>): Promise<void> {
    while (this.again && !this.isStopped()) {
      this.again = false;
      try {
        await also();
        await this.sweepMedia();
        while (await this.files.sweep()) if (this.isStopped()) return;
      } catch (error) {
        this.log.error({ err: error }, 'the sweep of media failed: the next one tries again');
      }
    }
  }

  /** Changes while others are awaited. */
  private isStopped(): boolean {
    return this.stopped;
  }

  private async sweepMedia(): Promise<void> {
    let last = '';
    while (!this.isStopped()) {
      const due = await this.media.listDue(this.clock.now(), BATCH);
      // The same again: they could not be looked at now.
      if (due.length === 0 || due.join() === last) return;
      last = due.join();
      await this.release.releaseUnused(due);
    }
  }
}
