import { Inject, Module, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { CONFIG, type Config } from '../infra/config/config.js';
import { removeAbandonedFiles } from '../infra/storage/temp-files.js';
import { AccountRemoval } from '../users/account-removal.js';
import { ProfilePictures } from '../users/profile-pictures.js';
import { UsersModule } from '../users/users.module.js';
import { LooseFilesRepository } from './loose-files.repository.js';
import { MediaExportRepository } from './media-export.repository.js';
import { MediaExport } from './media-export.js';
import { MediaFiles } from './media-files.js';
import { MediaIntake } from './media-intake.js';
import { MediaRelease } from './media-release.js';
import { MediaSweep } from './media-sweep.js';
import { MediaController } from './media.controller.js';
import { MediaRepository } from './media.repository.js';
import { MediaService } from './media.service.js';
import { VirusScanner } from './virus-scanner.js';

@Module({
  imports: [UsersModule],
  controllers: [MediaController],
  providers: [
    MediaRepository,
    LooseFilesRepository,
    MediaFiles,
    MediaIntake,
    MediaRelease,
    MediaSweep,
    VirusScanner,
    MediaService,
    MediaExport,
    MediaExportRepository,
  ],
  exports: [MediaService],
})
export class MediaModule implements OnModuleInit, OnModuleDestroy {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly media: MediaService,
    private readonly sweep: MediaSweep,
    private readonly pictures: ProfilePictures,
    private readonly removal: AccountRemoval,
  ) {}

  async onModuleInit(): Promise<void> {
    this.pictures.register(this.media);
    this.removal.onDelete((tx, userId) => this.media.releaseAllOf(tx, userId));
    await removeAbandonedFiles(this.config);
    this.sweep.start(() => removeAbandonedFiles(this.config));
  }

  async onModuleDestroy(): Promise<void> {
    await this.sweep.stop();
  }
}
