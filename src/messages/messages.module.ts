import { Module } from '@nestjs/common';
import { ChatsModule } from '../chats/chats.module.js';
import { MediaModule } from '../media/media.module.js';
import { UsersModule } from '../users/users.module.js';
import { AccountForgetting } from './account-forgetting.service.js';
import { AccountForgettingRepository } from './account-forgetting.repository.js';
import { ChannelMessages } from './channel-messages.js';
import { ChannelMessagesRepository } from './channel-messages.repository.js';
import { ChannelRevisions } from './channel-revisions.js';
import { ChannelRevisionsRepository } from './channel-revisions.repository.js';
import { ChannelSends } from './channel-sends.js';
import { FlagsController } from './flags.controller.js';
import { FlagsRepository } from './flags.repository.js';
import { FlagsService } from './flags.service.js';
import { ForwardingController } from './forwarding.controller.js';
import { ForwardingService } from './forwarding.service.js';
import { LowestMarks } from './lowest-marks.js';
import { LowestMarksRepository } from './lowest-marks.repository.js';
import { MessageChannel } from './message-channel.js';
import { MessageChanges } from './message-changes.js';
import { HistoryService } from './history.service.js';
import { MessageViews } from './message-views.js';
import { MessageWriter } from './message-writer.js';
import { MessagesController } from './messages.controller.js';
import { MessagesExport } from './messages-export.js';
import { MessagesRepository } from './messages.repository.js';
import { MessagesService } from './messages.service.js';
import { ReactionsController } from './reactions.controller.js';
import { ReactionsRepository } from './reactions.repository.js';
import { ReactionsService } from './reactions.service.js';
import { ReceiptsController } from './receipts.controller.js';
import { ReceiptsRepository } from './receipts.repository.js';
import { ReceiptsService } from './receipts.service.js';
import { ReceiptsWriter } from './receipts-writer.js';
import { RepliesController } from './replies.controller.js';
import { RepliesRepository } from './replies.repository.js';
import { RepliesService } from './replies.service.js';
import { RevisionsController } from './revisions.controller.js';
import { RevisionsRepository } from './revisions.repository.js';
import { RevisionsService } from './revisions.service.js';
import { SearchController } from './search.controller.js';
import { SearchRepository } from './search.repository.js';
import { SearchService } from './search.service.js';

@Module({
  imports: [UsersModule, MediaModule, ChatsModule],
  controllers: [
    MessagesController,
    ReceiptsController,
    FlagsController,
    RevisionsController,
    ReactionsController,
    RepliesController,
    ForwardingController,
    SearchController,
  ],
  providers: [
    MessagesService,
    HistoryService,
    MessagesExport,
    MessageViews,
    MessagesRepository,
    MessageWriter,
    MessageChannel,
    ChannelMessages,
    ChannelMessagesRepository,
    ChannelRevisions,
    ChannelRevisionsRepository,
    ChannelSends,
    ReceiptsService,
    ReceiptsRepository,
    ReceiptsWriter,
    LowestMarks,
    LowestMarksRepository,
    MessageChanges,
    RevisionsService,
    RevisionsRepository,
    FlagsService,
    FlagsRepository,
    ReactionsService,
    ReactionsRepository,
    RepliesService,
    RepliesRepository,
    ForwardingService,
    AccountForgetting,
    AccountForgettingRepository,
    SearchService,
    SearchRepository,
  ],
  exports: [
    MessagesService,
    HistoryService,
    SearchService,
    ReceiptsService,
    MessageWriter,
    ReceiptsWriter,
    LowestMarks,
    MessageChannel,
    ChannelMessages,
    ChannelRevisions,
  ],
})
export class MessagesModule {}
