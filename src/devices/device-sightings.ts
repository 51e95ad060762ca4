import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { Log } from '../infra/observability/log.js';
import { DevicesRepository, type Sighting } from './devices.repository.js';

/**
 * When devices came and went. Written behind, and what comes while a statement is under way shares the next one:
 * ten thousand devices that reconnect cost a few statements. What a crash loses is a moment, not a device.
 */
@Injectable()
export class DeviceSightings implements BeforeApplicationShutdown {
  private waiting = new Map<string, Sighting>();
  private writing: Promise<void> | undefined;

  constructor(
    private readonly devices: DevicesRepository,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /** The device is there, or was until now. Unknown ones are ignored. */
  note(userId: string, deviceId: string): void {
    this.waiting.set(`${userId} ${deviceId}`, { userId, deviceId, at: this.clock.now() });
    this.writing ??= this.write();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.writing;
  }

  private async write(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    while (this.waiting.size > 0) {
      const sightings = [...this.waiting.values()];
      this.waiting = new Map();
      try {
        await this.devices.writeSightings(sightings);
      } catch (error) {
        this.log.warn(
          { err: error, devices: sightings.length },
          'when devices were seen could not be written',
        );
      }
    }
    this.writing = undefined;
  }
}
