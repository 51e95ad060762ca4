import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/auth.module.js';
import { UsersModule } from '../users/users.module.js';
import { DeviceSightings } from './device-sightings.js';
import { DevicesExport } from './devices-export.js';
import { DevicesController } from './devices.controller.js';
import { DevicesRepository } from './devices.repository.js';
import { DevicesService } from './devices.service.js';

@Module({
  imports: [UsersModule, AuthModule],
  controllers: [DevicesController],
  providers: [DevicesService, DeviceSightings, DevicesRepository, DevicesExport],
  exports: [DevicesService],
})
export class DevicesModule {}
