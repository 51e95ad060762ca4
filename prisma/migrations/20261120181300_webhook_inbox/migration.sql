-- An event is done by the process that took it while its claim lasts, and by anybody afterwards.
ALTER TABLE "webhook_event" ADD COLUMN "claimed_until" TIMESTAMPTZ(3);

-- Of a sample, so that the same file is taken in once, however often the server starts.
ALTER TABLE "webhook_event" ADD COLUMN "digest" TEXT;

-- CreateIndex
CREATE UNIQUE INDEX "webhook_event_digest_key" ON "webhook_event"("digest") WHERE (digest IS NOT NULL);

-- What is old lies together: retention walks the primary key, and the marks of done events cost no index.
DROP INDEX "webhook_event_done_idx";

-- CreateIndex
CREATE INDEX "webhook_dead_letter_created_at_id_idx" ON "webhook_dead_letter"("created_at", "id");
