import { Module } from '@nestjs/common';
import { AccountRemoval } from './account-removal.js';
import { ProfilePictures } from './profile-pictures.js';
import { PublicUsers } from './public-users.service.js';
import { UsersRepository } from './users.repository.js';
import { UsersService } from './users.service.js';

@Module({
  providers: [UsersRepository, UsersService, PublicUsers, ProfilePictures, AccountRemoval],
  exports: [UsersService, PublicUsers, ProfilePictures, AccountRemoval],
})
export class UsersModule {}
