import { Injectable } from '@nestjs/common';
import type { PrismaTransaction } from '../infra/database/prisma.service.js';

/** A picture that is stored, but nobody's yet. */
export interface ReceivedPicture {
  readonly id: string;
  /** Makes it the owner's when `tx` commits. */
  attach(tx: PrismaTransaction, ownerId: string): Promise<void>;
  /** Removes it again. */
  discard(): Promise<void>;
}

/** Keeps pictures: the media module, which lies above this one and registers itself. */
export interface PictureStore {
  /**
   * Checks the file at `localPath`, and stores a picture made from it.
   *
   * @throws AppError UNSUPPORTED_MEDIA_TYPE, UNPROCESSABLE
   */
  receive(localPath: string): Promise<ReceivedPicture>;
  /** Removes a picture's row in `tx`; the returned function removes its files, after the commit. */
  detach(tx: PrismaTransaction, pictureId: string): Promise<() => Promise<void>>;
}

/** The way from accounts to whoever keeps their pictures. */
@Injectable()
export class ProfilePictures {
  private registered: PictureStore | undefined;

  register(store: PictureStore): void {
    this.registered = store;
  }

  get store(): PictureStore {
    if (!this.registered) throw new Error('nobody keeps pictures');
    return this.registered;
  }

  /** Runs `work` with the picture in the file at `localPath`, if there is one; if it fails, no picture is left. */
  async with<T>(
    localPath: string | undefined,
    work: (picture: ReceivedPicture | null) => Promise<T>,
  ): Promise<T> {
    if (localPath === undefined) return work(null);
    const picture = await this.store.receive(localPath);
    try {
      return await work(picture);
    } catch (error) {
      await picture.discard();
      throw error;
    }
  }
}
