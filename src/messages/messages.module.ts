import { Module } from '@nestjs/common';
import { ChatsModule } from '../chats/chats.module.js';
import { UsersModule } from '../users/users.module.js';
import { MessageWriter } from './message-writer.js';
import { MessagesController } from './messages.controller.js';
import { MessagesRepository } from './messages.repository.js';
import { MessagesService } from './messages.service.js';
import { ReceiptsController } from './receipts.controller.js';
import { ReceiptsRepository } from './receipts.repository.js';
import { ReceiptsService } from './receipts.service.js';
import { ReceiptsWriter } from './receipts-writer.js';

@Module({
  imports: [UsersModule, ChatsModule],
  controllers: [ReceiptsController, MessagesController],
  providers: [
    MessagesService,
    MessagesRepository,
    MessageWriter,
    ReceiptsService,
    ReceiptsRepository,
    ReceiptsWriter,
  ],
  exports: [MessagesService, ReceiptsService, MessageWriter, ReceiptsWriter],
})
export class MessagesModule {}
