import { Module } from '@nestjs/common';
import { ChatsModule } from '../chats/chats.module.js';
import { MediaModule } from '../media/media.module.js';
import { UsersModule } from '../users/users.module.js';
import { MessageViews } from './message-views.js';
import { MessageWriter } from './message-writer.js';
import { MessagesController } from './messages.controller.js';
import { MessagesRepository } from './messages.repository.js';
import { MessagesService } from './messages.service.js';
import { ReceiptsController } from './receipts.controller.js';
import { ReceiptsRepository } from './receipts.repository.js';
import { ReceiptsService } from './receipts.service.js';
import { ReceiptsWriter } from './receipts-writer.js';

@Module({
  imports: [UsersModule, MediaModule, ChatsModule],
  controllers: [ReceiptsController, MessagesController],
  providers: [
    MessagesService,
    MessageViews,
    MessagesRepository,
    MessageWriter,
    ReceiptsService,
    ReceiptsRepository,
    ReceiptsWriter,
  ],
  exports: [MessagesService, ReceiptsService, MessageWriter, ReceiptsWriter],
})
export class MessagesModule {}
