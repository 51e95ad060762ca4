import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { AppError, validationError } from '../common/errors.js';
import { isId, newId } from '../common/ids.js';
import { ContactsService } from '../contacts/contacts.service.js';
import { PrismaService, type PrismaTransaction } from '../infra/database/prisma.service.js';
import { EventBus } from '../infra/events/event-bus.js';
import { ProfilePictures, type ReceivedPicture } from '../users/profile-pictures.js';
import { MAX_GROUP_MEMBERS, type ChatBody, type CreateChatDto } from './chats.dto.js';
import { ChatCreated } from './chats.events.js';
import { ChatsService } from './chats.service.js';
import { GroupChanges, assertAdmin, type GroupInChange } from './group-changes.js';
import { groupTexts } from './group-texts.js';
import type { UpdateGroupDto } from './groups.dto.js';
import { GroupsRepository } from './groups.repository.js';
import { MembersRepository } from './members.repository.js';

/** Making groups, and what they are called and look like. Who is in them: `MembersService`. */
@Injectable()
export class GroupsService {
  constructor(
    private readonly repository: GroupsRepository,
    private readonly members: MembersRepository,
    private readonly chats: ChatsService,
    private readonly changes: GroupChanges,
    private readonly contacts: ContactsService,
    private readonly pictures: ProfilePictures,
    private readonly prisma: PrismaService,
    private readonly events: EventBus,
    private readonly clock: Clock,
  ) {}

  /**
   * Makes a group of the creator, its owner, and accepted contacts of theirs. It has no messages yet.
   *
   * @param picturePath a file with its picture, which then counts instead of `dto.image`
   * @throws AppError VALIDATION_FAILED, GROUP_FULL, USER_NOT_FOUND, BLOCKED, NOT_A_CONTACT, MEDIA_NOT_FOUND, and what a
   *   picture may be refused with
   */
  async create(creatorId: string, dto: CreateChatDto, picturePath?: string): Promise<ChatBody> {
    const memberIds = dto.participantIds.filter((id) => id !== creatorId);
    if (memberIds.length === 0) {
      throw validationError([{ field: 'participantIds', message: 'must name somebody else' }]);
    }
    if (memberIds.length >= MAX_GROUP_MEMBERS) throw new AppError('GROUP_FULL');
    const id = newId();
    await this.pictures.with(picturePath, (picture) =>
      this.prisma.inTransaction(async (tx) => {
        await this.contacts.assertMayAdd(tx, creatorId, memberIds, 'participantIds');
        await picture?.attach(tx, creatorId);
        const imageId = await this.imageOf(tx, creatorId, dto.image, picture);
        const group = { id, name: dto.name ?? '', imageId: imageId ?? null, ownerId: creatorId, memberIds };
        await this.repository.insert(tx, group, this.clock.now());
        await GroupChanges.signal(tx, id, [creatorId, ...memberIds], 'joined', 0);
      }),
    );
    this.events.publish(new ChatCreated(id, [creatorId, ...memberIds], 0));
    return this.chats.get(creatorId, id);
  }

  /**
   * Renames a group or changes its picture, with a SYSTEM message for each that is new.
   *
   * @param picturePath a file with its picture, which then counts instead of `dto.image`
   * @throws AppError CHAT_NOT_FOUND, NOT_A_GROUP, NOT_A_GROUP_ADMIN, MEDIA_NOT_FOUND, and what a picture may be refused
   *   with
   */
  async update(userId: string, chatId: string, dto: UpdateGroupDto, picturePath?: string): Promise<ChatBody> {
    assertAdmin(await this.changes.require(userId, chatId));
    await this.pictures.with(picturePath, (picture) =>
      this.changes.run(
        userId,
        chatId,
        (group) => this.changeLook(group, dto, picture),
        undefined,
        async (tx) => picture?.attach(tx, userId),
      ),
    );
    return this.chats.get(userId, chatId);
  }

  private async changeLook(
    { tx, me, say }: GroupInChange,
    dto: UpdateGroupDto,
    picture: ReceivedPicture | null,
  ): Promise<void> {
    assertAdmin(me);
    const { chatId, userId } = me;
    const old = await this.repository.findLook(tx, chatId);
    const imageId = await this.imageOf(tx, userId, dto.image, picture);
    const by = (await this.members.namesOf(tx, [userId])).get(userId) ?? '';
    if (dto.name !== undefined && dto.name !== old?.name) {
      await this.repository.updateLook(tx, chatId, { name: dto.name });
      await say(groupTexts.renamed(by, dto.name));
    }
    if (imageId !== undefined && imageId !== old?.imageId) {
      await this.repository.updateLook(tx, chatId, { imageId });
      await say(imageId === null ? groupTexts.removedPicture(by) : groupTexts.changedPicture(by));
    }
  }

  /**
   * The medium to be the picture: null for none, undefined for no change.
   *
   * @throws AppError MEDIA_NOT_FOUND for what is not the caller's, UNPROCESSABLE for what is no image
   */
  private async imageOf(
    tx: PrismaTransaction,
    userId: string,
    image: string | null | undefined,
    picture: ReceivedPicture | null,
  ): Promise<string | null | undefined> {
    if (picture) return picture.id;
    if (image === null || image === undefined) return image;
    const kind = isId(image) ? await this.repository.lockOwnMedia(tx, userId, image) : null;
    if (!kind) throw new AppError('MEDIA_NOT_FOUND', { details: [NOT_AN_UPLOAD] });
    if (kind !== 'IMAGE') {
      throw new AppError('UNPROCESSABLE', { message: 'The picture of a group must be an image.' });
    }
    return image;
  }
}

const NOT_AN_UPLOAD = { field: 'image', message: 'must be the id of an image that you have uploaded' };
