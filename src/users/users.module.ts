import { Module } from '@nestjs/common';
import { AccountExport } from './account-export.js';
import { AccountRemoval } from './account-removal.js';
import { ProfilePictures } from './profile-pictures.js';
import { PublicUsers } from './public-users.service.js';
import { UsersRepository } from './users.repository.js';
import { UsersService } from './users.service.js';

@Module({
  providers: [UsersRepository, UsersService, PublicUsers, ProfilePictures, AccountRemoval, AccountExport],
  exports: [UsersService, PublicUsers, ProfilePictures, AccountRemoval, AccountExport],
})
export class UsersModule {}
