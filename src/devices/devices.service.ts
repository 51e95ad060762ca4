import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { SignInsChanged } from '../auth/auth.events.js';
import { SessionsService } from '../auth/sessions.service.js';
import { Clock } from '../common/clock.js';
import { AppError, validationError } from '../common/errors.js';
import { CONFIG, type Config } from '../infra/config/config.js';
import { isPushConfigured } from '../infra/config/push-config.js';
import { PrismaService } from '../infra/database/prisma.service.js';
import { EventBus } from '../infra/events/event-bus.js';
import type { Principal } from '../infra/http/request-context.js';
import { validateInput } from '../infra/http/validate.js';
import { DeviceSightings } from './device-sightings.js';
import {
  RegisterDeviceDto,
  type DeviceBody,
  type HandshakeDeviceDto,
  type RegisterPushDto,
} from './devices.dto.js';
import { DevicesUpdated } from './devices.events.js';
import { DevicesRepository, type DeviceRow } from './devices.repository.js';
import { findPushProblems, registrationOf } from './push-registration.js';

/** Where a push goes. */
export type PushTarget = { userId: string; deviceId: string; registeredAt: Date } & (
  | {
      provider: 'webpush';
      subscription: { endpoint: string; keys: { p256dh: string; auth: string } };
    }
  | { provider: 'fcm' | 'apns'; token: string }
);

/** One more takes the place of the one that was seen longest ago. */
const MAX_DEVICES = 100;

/**
 * The devices of an account. A device belongs to the session it was last seen with: it is on the list as long as that
 * session is signed in, and whatever ends the session takes the device and its push with it. Several devices that
 * share a session (registered with one token) come and go together.
 */
@Injectable()
export class DevicesService implements OnModuleInit {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly devices: DevicesRepository,
    private readonly sightings: DeviceSightings,
    private readonly sessions: SessionsService,
    private readonly prisma: PrismaService,
    private readonly events: EventBus,
    private readonly clock: Clock,
  ) {}

  onModuleInit(): void {
    this.events.on(SignInsChanged, ({ userId }) => this.announce(userId).then(() => undefined));
  }

  /** The devices that somebody is signed in on, the last seen first. */
  async list(userId: string): Promise<DeviceBody[]> {
    return (await this.devices.list(userId, this.clock.now())).map(toBody);
  }

  /**
   * The device is used in the caller's session from now on. Publishes DevicesUpdated.
   *
   * @returns the account's devices
   * @throws AppError SESSION_REVOKED
   */
  async register(caller: Principal, { deviceId, deviceName }: RegisterDeviceDto): Promise<DeviceBody[]> {
    const { userId, sessionId } = caller;
    const device = { deviceId, name: nameOf(deviceName) };
    await this.prisma.inTransaction(async (tx) => {
      await this.sessions.noteDevice(tx, caller, device);
      await this.devices.upsert(tx, { userId, sessionId, ...device, at: this.clock.now() });
      await this.devices.removeBeyond(tx, userId, MAX_DEVICES);
    });
    return this.announce(userId);
  }

  /**
   * A socket is about to connect with this device. Publishes DevicesUpdated if the list is another one now.
   *
   * @returns the device of the socket, to be given to `seen`; null if it has none
   * @throws AppError SESSION_REVOKED
   */
  async connecting(caller: Principal, { deviceId, deviceName }: HandshakeDeviceDto): Promise<string | null> {
    if (deviceId === undefined || deviceId === null) return caller.deviceId;
    const known = await this.devices.find(caller.userId, deviceId);
    const name = nameOf(deviceName);
    const isNew = known?.sessionId !== caller.sessionId || (name !== null && name !== known.name);
    if (isNew) await this.register(caller, { deviceId, deviceName: name });
    return deviceId;
  }

  /** The device is connected, or was until now; written a moment later. */
  seen(userId: string, deviceId: string): void {
    this.sightings.note(userId, deviceId);
  }

  /**
   * Removes a device and ends its session, also when it is the caller's own; every device that shares the session goes
   * with it. Publishes DevicesUpdated.
   *
   * @returns the devices that are left
   * @throws AppError DEVICE_NOT_FOUND
   */
  async remove(userId: string, deviceId: string): Promise<DeviceBody[]> {
    const ended = await this.prisma.inTransaction(async (tx) => {
      const sessionId = await this.devices.lockSessionOf(tx, userId, deviceId, this.clock.now());
      if (sessionId === null) throw new AppError('DEVICE_NOT_FOUND');
      return this.sessions.endWithDevice(tx, userId, sessionId);
    });
    this.sessions.forget(ended);
    return this.list(userId);
  }

  /**
   * Sends the device's notifications to this subscription or token, which is taken from any other device that has it. A
   * device that is not known yet is registered in the caller's session.
   * Publishes DevicesUpdated.
   *
   * @throws AppError DEVICE_NOT_FOUND, PROVIDER_UNAVAILABLE, VALIDATION_FAILED for what does not fit the provider or
   *   leads into a private network
   */
  async registerPush(caller: Principal, deviceId: string, push: RegisterPushDto): Promise<DeviceBody> {
    const { userId } = caller;
    const isDevice = (one: DeviceBody): boolean => one.deviceId === deviceId;
    if (!isPushConfigured(this.config.push, push.provider)) throw new AppError('PROVIDER_UNAVAILABLE');
    const problems = findPushProblems(push, this.config.push.webpush?.allowPrivate ?? false);
    if (problems.length > 0) throw validationError(problems);
    if (!(await this.list(userId)).some(isDevice))
      await this.register(caller, validateInput(RegisterDeviceDto, { deviceId }));
    const registration = registrationOf(push);
    const losers = await this.prisma.inTransaction(async (tx) => {
      const now = this.clock.now();
      await this.devices.lockTarget(tx, registration);
      const sessionId = await this.devices.lockSessionOf(tx, userId, deviceId, now);
      if (sessionId === null) throw new AppError('DEVICE_NOT_FOUND');
      const previous = await this.devices.releaseTarget(tx, registration);
      await this.devices.setPush(tx, userId, deviceId, registration, now);
      return previous.filter((loserId) => loserId !== userId);
    });
    const [devices] = await Promise.all([userId, ...losers].map((id) => this.announce(id)));
    const device = devices?.find(isDevice);
    // It was signed out since.
    if (!device) throw new AppError('DEVICE_NOT_FOUND');
    return device;
  }

  /** Where the notifications of these people go. */
  async listPushTargets(userIds: readonly string[]): Promise<PushTarget[]> {
    if (userIds.length === 0) return [];
    const rows = await this.devices.listPushTargets(userIds, this.clock.now());
    return rows.map((row) => {
      const device = {
        userId: row.user_id,
        deviceId: row.device_id,
        registeredAt: row.push_registered_at,
      };
      if (row.push_provider !== 'webpush')
        return { ...device, provider: row.push_provider, token: row.push_target };
      const keys = { p256dh: row.push_p256dh ?? '', auth: row.push_auth ?? '' };
      return { ...device, provider: row.push_provider, subscription: { endpoint: row.push_target, keys } };
    });
  }

  /**
   * Forgets where a device's notifications go, because that place is no more; a registration later than
   * `registeredAt` stays. Publishes DevicesUpdated.
   */
  async removePush(userId: string, deviceId: string, registeredAt: Date): Promise<void> {
    if (await this.devices.removePush(userId, deviceId, registeredAt)) await this.announce(userId);
  }

  private async announce(userId: string): Promise<DeviceBody[]> {
    const devices = await this.list(userId);
    this.events.publish(new DevicesUpdated(userId, devices));
    return devices;
  }
}

function nameOf(given: string | null | undefined): string | null {
  return given === undefined || given === '' ? null : given;
}

function toBody(row: DeviceRow): DeviceBody {
  return {
    deviceId: row.device_id,
    deviceName: row.name,
    createdAt: row.created_at.toISOString(),
    lastSeenAt: row.last_seen_at.toISOString(),
    pushProvider: row.push_provider,
  };
}
