import { Body, Controller, Delete, Get, Param, Put } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CurrentUser } from '../infra/http/decorators.js';
import { success, type Success } from '../infra/http/envelope.js';
import { ApiFailures, ApiSuccess } from '../infra/http/openapi.js';
import type { Principal } from '../infra/http/request-context.js';
import { DeviceBody, RegisterPushDto } from './devices.dto.js';
import { DevicesService } from './devices.service.js';

@ApiTags('Devices')
@ApiBearerAuth()
@Controller('api/devices')
export class DevicesController {
  constructor(private readonly devices: DevicesService) {}

  @Get()
  @ApiOperation({
    summary: 'The devices the account is signed in on',
    description:
      'The last seen first. A device becomes one by signing in with a `deviceId`, by connecting with one, or by ' +
      'the event `register-device`. It belongs to the session it was last seen with: when that is signed out or ' +
      'runs out, the device is gone, and its push with it. At most 100: one more takes the place of the one seen ' +
      'longest ago, which stays signed in.',
  })
  @ApiSuccess({ description: 'The devices.', type: DeviceBody, isArray: true })
  async list(@CurrentUser() me: Principal): Promise<Success<DeviceBody[]>> {
    return success('Your devices.', await this.devices.list(me.userId));
  }

  @Delete(':deviceId')
  @ApiOperation({
    summary: 'Remove a device',
    description:
      'Ends its session and closes its sockets, within a second on every instance. Devices that share the session ' +
      '(registered with one token) go with it. Removing the device of the session that asks signs this session out.',
  })
  @ApiSuccess({ description: 'The device is signed out and gone.' })
  @ApiFailures('DEVICE_NOT_FOUND')
  async remove(@CurrentUser() me: Principal, @Param('deviceId') deviceId: string): Promise<Success<null>> {
    await this.devices.remove(me.userId, deviceId);
    return success('The device is removed.', null);
  }

  @Put(':deviceId/push')
  @ApiOperation({
    summary: 'Say where a device’s notifications go',
    description:
      'A later call replaces an earlier one. A subscription or token belongs to one device: registering it ' +
      'elsewhere, also for another account, moves it.',
  })
  @ApiSuccess({ description: 'The device.', type: DeviceBody })
  @ApiFailures('DEVICE_NOT_FOUND', 'PROVIDER_UNAVAILABLE')
  async registerPush(
    @CurrentUser() me: Principal,
    @Param('deviceId') deviceId: string,
    @Body() body: RegisterPushDto,
  ): Promise<Success<DeviceBody>> {
    const device = await this.devices.registerPush(me, deviceId, body);
    return success('Notifications go there.', device);
  }
}
