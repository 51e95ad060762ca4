import { Injectable, type OnModuleInit } from '@nestjs/common';
import { AccountExport, jsonFile, type ExportFile } from '../users/account-export.js';
import { DevicesService } from './devices.service.js';

/** The devices' part of an account's export. */
@Injectable()
export class DevicesExport implements OnModuleInit {
  constructor(
    private readonly accountExport: AccountExport,
    private readonly devices: DevicesService,
  ) {}

  onModuleInit(): void {
    this.accountExport.register(({ userId }) => this.files(userId));
  }

  private *files(userId: string): Generator<ExportFile> {
    yield jsonFile('devices.json', () => this.devices.list(userId));
  }
}
