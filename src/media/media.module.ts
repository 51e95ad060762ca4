import { Inject, Module, type OnModuleInit } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { CONFIG, type Config } from '../infra/config/config.js';
import { removeAbandonedFiles } from '../infra/storage/temp-files.js';
import { AccountRemoval } from '../users/account-removal.js';
import { ProfilePictures } from '../users/profile-pictures.js';
import { UsersModule } from '../users/users.module.js';
import { MediaController } from './media.controller.js';
import { MediaRepository } from './media.repository.js';
import { MediaService } from './media.service.js';

@Module({
  imports: [UsersModule],
  controllers: [MediaController],
  providers: [MediaRepository, MediaService],
  exports: [MediaService],
})
export class MediaModule implements OnModuleInit {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly clock: Clock,
    private readonly media: MediaService,
    private readonly pictures: ProfilePictures,
    private readonly removal: AccountRemoval,
  ) {}

  async onModuleInit(): Promise<void> {
    this.pictures.register(this.media);
    this.removal.onDelete((tx, userId) => this.media.removeAllOf(tx, userId));
    await removeAbandonedFiles(this.config, this.clock.nowMs());
  }
}
