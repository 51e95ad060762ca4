-- What people have sent stays when they go.
ALTER TABLE "media" DROP CONSTRAINT "media_owner_id_fkey";

-- AlterTable
ALTER TABLE "media" ALTER COLUMN "owner_id" DROP NOT NULL,
ADD COLUMN     "check_at" TIMESTAMPTZ(3),
ADD COLUMN     "storage" TEXT NOT NULL DEFAULT 'local';

-- CreateTable
CREATE TABLE "loose_file" (
    "key" TEXT NOT NULL,
    "storage" TEXT NOT NULL,
    "mime_type" TEXT NOT NULL,
    "due_at" TIMESTAMPTZ(3) NOT NULL,
    "removing" BOOLEAN NOT NULL DEFAULT false,

    CONSTRAINT "loose_file_pkey" PRIMARY KEY ("key")
);

-- CreateIndex
CREATE INDEX "loose_file_due_at_idx" ON "loose_file"("due_at");

-- CreateIndex
CREATE INDEX "media_check_at_idx" ON "media"("check_at") WHERE (check_at IS NOT NULL);

-- AddForeignKey
ALTER TABLE "media" ADD CONSTRAINT "media_owner_id_fkey" FOREIGN KEY ("owner_id") REFERENCES "app_user"("id") ON DELETE SET NULL ON UPDATE CASCADE;

UPDATE media SET check_at = created_at + interval '24 hours';

-- Whether anything shows a medium: a message that is not deleted, its owner's profile, a chat.
CREATE FUNCTION media_is_used(p_media_id uuid) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN EXISTS (SELECT FROM message h WHERE h.media_id = p_media_id AND h.deleted_at IS NULL)
    OR EXISTS (SELECT FROM media f JOIN app_user u ON u.id = f.owner_id WHERE f.id = p_media_id AND u.picture_id = f.id)
    OR EXISTS (SELECT FROM chat c WHERE c.image_id = p_media_id);
END
$$;

-- Who drops a reference removes the medium after the commit; this row outlives a crash in between. The triggers name
-- the column that held the reference. No send fires them.
CREATE FUNCTION check_dropped_media() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE media SET check_at = 'epoch' WHERE id = (to_jsonb(OLD) ->> TG_ARGV[0])::uuid;
  RETURN NULL;
END
$$;

CREATE TRIGGER message_media_dropped AFTER UPDATE OF deleted_at, media_id ON message FOR EACH ROW
  WHEN (OLD.media_id IS NOT NULL AND OLD.deleted_at IS NULL
    AND (NEW.deleted_at IS NOT NULL OR NEW.media_id IS DISTINCT FROM OLD.media_id))
  EXECUTE FUNCTION check_dropped_media('media_id');

CREATE TRIGGER app_user_picture_dropped AFTER UPDATE OF picture_id ON app_user FOR EACH ROW
  WHEN (OLD.picture_id IS NOT NULL AND NEW.picture_id IS DISTINCT FROM OLD.picture_id)
  EXECUTE FUNCTION check_dropped_media('picture_id');

CREATE TRIGGER app_user_removed_with_picture AFTER DELETE ON app_user FOR EACH ROW
  WHEN (OLD.picture_id IS NOT NULL) EXECUTE FUNCTION check_dropped_media('picture_id');

CREATE TRIGGER chat_image_dropped AFTER UPDATE OF image_id ON chat FOR EACH ROW
  WHEN (OLD.image_id IS NOT NULL AND NEW.image_id IS DISTINCT FROM OLD.image_id)
  EXECUTE FUNCTION check_dropped_media('image_id');

CREATE TRIGGER chat_removed_with_image AFTER DELETE ON chat FOR EACH ROW
  WHEN (OLD.image_id IS NOT NULL) EXECUTE FUNCTION check_dropped_media('image_id');
