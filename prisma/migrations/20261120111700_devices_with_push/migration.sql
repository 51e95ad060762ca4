-- CreateEnum
CREATE TYPE "push_provider" AS ENUM ('webpush', 'fcm', 'apns');

-- AlterTable
ALTER TABLE "device" ADD COLUMN     "push_auth" TEXT,
ADD COLUMN     "push_p256dh" TEXT,
ADD COLUMN     "push_provider" "push_provider",
ADD COLUMN     "push_registered_at" TIMESTAMPTZ(3),
ADD COLUMN     "push_target" TEXT;

-- CreateIndex
CREATE INDEX "device_session_id_idx" ON "device"("session_id");

-- CreateIndex: whom a push can reach
CREATE INDEX "device_with_push_idx" ON "device"("user_id") WHERE (push_provider IS NOT NULL);

-- CreateIndex: one subscription or token belongs to one device
CREATE UNIQUE INDEX "device_push_target_key" ON "device"("push_provider", "push_target") WHERE (push_provider IS NOT NULL);

-- A device goes with its session from now on.
DELETE FROM device d
WHERE NOT EXISTS (SELECT FROM session s WHERE s.id = d.session_id AND s.revoked_at IS NULL);
