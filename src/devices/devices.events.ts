import type { DeviceBody } from './devices.dto.js';

/** Somebody's list of devices is another one; when they were last seen does not count. */
export class DevicesUpdated {
  constructor(
    readonly userId: string,
    readonly devices: readonly DeviceBody[],
  ) {}
}
