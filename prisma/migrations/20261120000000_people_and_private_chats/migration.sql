-- CreateEnum
CREATE TYPE "gender" AS ENUM ('MALE', 'FEMALE', 'OTHER');

-- CreateEnum
CREATE TYPE "last_seen_visibility" AS ENUM ('everyone', 'contacts', 'nobody');

-- CreateEnum
CREATE TYPE "contact_status" AS ENUM ('PENDING', 'ACCEPTED');

-- CreateEnum
CREATE TYPE "media_kind" AS ENUM ('IMAGE', 'VIDEO', 'AUDIO', 'DOCUMENT', 'STICKER');

-- CreateEnum
CREATE TYPE "chat_type" AS ENUM ('PRIVATE', 'GROUP', 'WHATSAPP');

-- CreateEnum
CREATE TYPE "member_role" AS ENUM ('OWNER', 'ADMIN', 'MEMBER');

-- CreateEnum
CREATE TYPE "message_type" AS ENUM ('TEXT', 'IMAGE', 'VIDEO', 'AUDIO', 'DOCUMENT', 'STICKER', 'LOCATION', 'CONTACTS', 'INTERACTIVE', 'SYSTEM', 'UNSUPPORTED');

-- CreateEnum
CREATE TYPE "receipt_kind" AS ENUM ('DELIVERED', 'READ');

-- CreateTable
CREATE TABLE "app_user" (
    "id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "name_key" TEXT NOT NULL,
    "email" TEXT NOT NULL,
    "email_key" TEXT NOT NULL,
    "phone" TEXT,
    "password_hash" TEXT NOT NULL,
    "picture_id" UUID,
    "bio" TEXT,
    "gender" "gender",
    "date_of_birth" DATE,
    "read_receipts" BOOLEAN NOT NULL DEFAULT true,
    "last_seen_visibility" "last_seen_visibility" NOT NULL DEFAULT 'everyone',
    "last_seen_at" TIMESTAMPTZ(3),
    "version" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "app_user_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "session" (
    "id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "device_id" TEXT,
    "device_name" TEXT,
    "ip" TEXT,
    "refresh_generation" INTEGER NOT NULL DEFAULT 1,
    "rotated_at" TIMESTAMPTZ(3) NOT NULL,
    "earlier_rotations" TIMESTAMPTZ(3)[],
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "last_used_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "revoked_at" TIMESTAMPTZ(3),

    CONSTRAINT "session_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "device" (
    "user_id" UUID NOT NULL,
    "device_id" TEXT NOT NULL,
    "name" TEXT,
    "session_id" UUID,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "last_seen_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "device_pkey" PRIMARY KEY ("user_id","device_id")
);

-- CreateTable
CREATE TABLE "login_limit" (
    "key" VARCHAR(255) NOT NULL,
    "points" INTEGER NOT NULL DEFAULT 0,
    "expire" BIGINT,

    CONSTRAINT "login_limit_pkey" PRIMARY KEY ("key")
);

-- CreateTable
CREATE TABLE "media" (
    "id" UUID NOT NULL,
    "owner_id" UUID NOT NULL,
    "kind" "media_kind" NOT NULL,
    "mime_type" TEXT NOT NULL,
    "size" INTEGER NOT NULL,
    "sha256" TEXT NOT NULL,
    "file_name" TEXT,
    "width" INTEGER,
    "height" INTEGER,
    "duration_ms" INTEGER,
    "storage_key" TEXT NOT NULL,
    "thumbnail_key" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "media_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "contact" (
    "id" UUID NOT NULL,
    "user_lo" UUID NOT NULL,
    "user_hi" UUID NOT NULL,
    "requester_id" UUID NOT NULL,
    "addressee_id" UUID NOT NULL,
    "status" "contact_status" NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "contact_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "block" (
    "blocker_id" UUID NOT NULL,
    "blocked_id" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "block_pkey" PRIMARY KEY ("blocker_id","blocked_id")
);

-- CreateTable
CREATE TABLE "chat" (
    "id" UUID NOT NULL,
    "type" "chat_type" NOT NULL,
    "name" TEXT,
    "image_id" UUID,
    "created_by_id" UUID,
    "user_lo" UUID,
    "user_hi" UUID,
    "last_seq" INTEGER NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "chat_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "member" (
    "chat_id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "role" "member_role" NOT NULL DEFAULT 'MEMBER',
    "joined_at" TIMESTAMPTZ(3) NOT NULL,
    "joined_seq" INTEGER NOT NULL DEFAULT 0,
    "left_at" TIMESTAMPTZ(3),
    "cleared_seq" INTEGER NOT NULL DEFAULT 0,
    "delivered_seq" INTEGER NOT NULL DEFAULT 0,
    "read_seq" INTEGER NOT NULL DEFAULT 0,
    "shown_read_seq" INTEGER NOT NULL DEFAULT 0,
    "silent_read_seq" INTEGER NOT NULL DEFAULT 0,
    "muted_until" TIMESTAMPTZ(3),
    "pinned" BOOLEAN NOT NULL DEFAULT false,
    "archived" BOOLEAN NOT NULL DEFAULT false,
    "marked_unread" BOOLEAN NOT NULL DEFAULT false,

    CONSTRAINT "member_pkey" PRIMARY KEY ("chat_id","user_id")
);

-- CreateTable
CREATE TABLE "message" (
    "chat_id" UUID NOT NULL,
    "seq" INTEGER NOT NULL,
    "rev" INTEGER NOT NULL DEFAULT 1,
    "sender_id" UUID,
    "client_key" TEXT NOT NULL,
    "type" "message_type" NOT NULL,
    "text" TEXT,
    "media_id" UUID,
    "mentions" UUID[],
    "reply_to_seq" INTEGER,
    "forwarded" BOOLEAN NOT NULL DEFAULT false,
    "edited_at" TIMESTAMPTZ(3),
    "deleted_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "message_pkey" PRIMARY KEY ("chat_id","seq")
);

-- CreateTable
CREATE TABLE "receipt" (
    "chat_id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "kind" "receipt_kind" NOT NULL,
    "through_seq" INTEGER NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "receipt_pkey" PRIMARY KEY ("chat_id","user_id","kind","through_seq")
);

-- CreateIndex
CREATE UNIQUE INDEX "app_user_email_key_key" ON "app_user"("email_key");

-- CreateIndex
CREATE INDEX "app_user_name_key_idx" ON "app_user"("name_key" text_pattern_ops);

-- CreateIndex
CREATE INDEX "app_user_phone_idx" ON "app_user"("phone");

-- CreateIndex
CREATE INDEX "session_user_id_idx" ON "session"("user_id");

-- CreateIndex
CREATE INDEX "session_expires_at_idx" ON "session"("expires_at");

-- CreateIndex
CREATE INDEX "login_limit_expire_idx" ON "login_limit"("expire");

-- CreateIndex
CREATE INDEX "media_owner_id_idx" ON "media"("owner_id");

-- CreateIndex
CREATE INDEX "contact_requester_id_idx" ON "contact"("requester_id");

-- CreateIndex
CREATE INDEX "contact_addressee_id_idx" ON "contact"("addressee_id");

-- CreateIndex
CREATE UNIQUE INDEX "contact_user_lo_user_hi_key" ON "contact"("user_lo", "user_hi");

-- CreateIndex
CREATE INDEX "block_blocked_id_blocker_id_idx" ON "block"("blocked_id", "blocker_id");

-- CreateIndex
CREATE UNIQUE INDEX "chat_user_lo_user_hi_key" ON "chat"("user_lo", "user_hi");

-- CreateIndex
CREATE INDEX "member_user_id_chat_id_idx" ON "member"("user_id", "chat_id");

-- CreateIndex
CREATE UNIQUE INDEX "message_sender_id_client_key_chat_id_key" ON "message"("sender_id", "client_key", "chat_id");

-- AddForeignKey
ALTER TABLE "session" ADD CONSTRAINT "session_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "app_user"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "device" ADD CONSTRAINT "device_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "app_user"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "media" ADD CONSTRAINT "media_owner_id_fkey" FOREIGN KEY ("owner_id") REFERENCES "app_user"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "member" ADD CONSTRAINT "member_chat_id_fkey" FOREIGN KEY ("chat_id") REFERENCES "chat"("id") ON DELETE CASCADE ON UPDATE CASCADE;


-- Rows of chat and member are updated with every message: room on the page keeps those updates off the indexes.
ALTER TABLE "chat" SET (fillfactor = 60);
ALTER TABLE "member" SET (fillfactor = 60);

ALTER TABLE "contact" ADD CONSTRAINT "contact_pair_check" CHECK ("user_lo" < "user_hi");
ALTER TABLE "chat" ADD CONSTRAINT "chat_pair_check"
  CHECK (("type" = 'PRIVATE') = ("user_lo" IS NOT NULL AND "user_hi" IS NOT NULL AND "user_lo" < "user_hi"));
ALTER TABLE "block" ADD CONSTRAINT "block_self_check" CHECK ("blocker_id" <> "blocked_id");
