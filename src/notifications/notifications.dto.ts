import { ApiProperty } from '@nestjs/swagger';
import { ChatBody } from '../chats/chats.dto.js';
import { ContactBody } from '../contacts/contacts.dto.js';

/** What waits in one chat. Muted and archived chats count too; a chat only marked as unread by hand does not. */
export class ChatCountBody {
  @ApiProperty()
  chatId: string;

  @ApiProperty({ type: 'integer', description: 'messages after the caller’s read and clear marks' })
  unreadCount: number;

  @ApiProperty({
    type: 'integer',
    description: 'those among them that mention the caller and are neither deleted nor hidden',
  })
  mentionCount: number;
}

/** An unread chat with how often it mentions the caller. */
export class ChatNotificationBody extends ChatBody {
  @ApiProperty({ description: 'its `id`, as the counts name it' })
  chatId: string;

  @ApiProperty({
    type: 'integer',
    description: 'unread messages that mention the caller and are neither deleted nor hidden',
  })
  mentionCount: number;
}

export class ContactRequestNotificationBody extends ContactBody {
  @ApiProperty({ description: 'whether it was there at the last `mark-contacts-viewed`' })
  viewed: boolean;
}

export class NotificationsBody {
  @ApiProperty({ type: [ChatNotificationBody], description: 'by last activity, newest first' })
  chats: ChatNotificationBody[];

  @ApiProperty({
    type: [ContactRequestNotificationBody],
    description: 'requests that wait for the caller’s answer, newest first',
  })
  contactRequests: ContactRequestNotificationBody[];
}

export class NotificationTotalBody {
  @ApiProperty({ type: 'integer', description: 'unread messages and new contact requests together' })
  total: number;
}

export class NotificationCountsBody {
  @ApiProperty({ type: [ChatCountBody], description: 'every chat with unread messages' })
  chats: ChatCountBody[];

  @ApiProperty({ type: 'integer', description: 'contact requests the caller has not been shown' })
  contactRequests: number;
}

export class WebPushKeyBody {
  @ApiProperty({ description: '`applicationServerKey` of PushManager.subscribe, base64url' })
  publicKey: string;
}

export class PushSetUpBody {
  @ApiProperty({ type: WebPushKeyBody, nullable: true, description: 'null: not configured' })
  webpush: WebPushKeyBody | null;

  @ApiProperty({ description: 'whether devices may register an FCM token' })
  fcm: boolean;
}
