-- AlterTable
ALTER TABLE "app_user" ADD COLUMN     "changed_tx" xid8 NOT NULL DEFAULT pg_current_xact_id();

-- AlterTable
ALTER TABLE "contact" ADD COLUMN     "changed_tx" xid8 NOT NULL DEFAULT pg_current_xact_id();

-- AlterTable
ALTER TABLE "chat" ADD COLUMN     "changed_tx" xid8 NOT NULL DEFAULT pg_current_xact_id(),
ADD COLUMN     "members_seq" INTEGER NOT NULL DEFAULT 0;

-- AlterTable
ALTER TABLE "member" ADD COLUMN     "changed_tx" xid8 NOT NULL DEFAULT pg_current_xact_id(),
ADD COLUMN     "joined_tx" xid8 NOT NULL DEFAULT pg_current_xact_id(),
ADD COLUMN     "left_seq" INTEGER,
ADD COLUMN     "pushed_seq" INTEGER NOT NULL DEFAULT 0;

-- AlterTable
ALTER TABLE "message" ADD COLUMN     "changed_tx" xid8 NOT NULL DEFAULT pg_current_xact_id(),
ADD COLUMN     "search" tsvector;

-- CreateTable
CREATE TABLE "removed_contact" (
    "user_id" UUID NOT NULL,
    "contact_id" UUID NOT NULL,
    "changed_tx" xid8 NOT NULL DEFAULT pg_current_xact_id(),

    CONSTRAINT "removed_contact_pkey" PRIMARY KEY ("user_id","contact_id")
);

-- CreateTable
CREATE TABLE "chat_marks" (
    "chat_id" UUID NOT NULL,
    "changed_tx" xid8 NOT NULL DEFAULT pg_current_xact_id(),
    "told_delivered" INTEGER NOT NULL DEFAULT 0,
    "told_read" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "chat_marks_pkey" PRIMARY KEY ("chat_id")
);

-- CreateTable
CREATE TABLE "mention" (
    "user_id" UUID NOT NULL,
    "chat_id" UUID NOT NULL,
    "seq" INTEGER NOT NULL,

    CONSTRAINT "mention_pkey" PRIMARY KEY ("user_id","chat_id","seq")
);

-- CreateTable
CREATE TABLE "reaction" (
    "chat_id" UUID NOT NULL,
    "seq" INTEGER NOT NULL,
    "user_id" UUID NOT NULL,
    "emoji" TEXT NOT NULL,
    "reacted_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "reaction_pkey" PRIMARY KEY ("chat_id","seq","user_id")
);

-- CreateTable
CREATE TABLE "message_flag" (
    "user_id" UUID NOT NULL,
    "chat_id" UUID NOT NULL,
    "seq" INTEGER NOT NULL,
    "starred_at" TIMESTAMPTZ(3),
    "hidden_at" TIMESTAMPTZ(3),
    "changed_tx" xid8 NOT NULL DEFAULT pg_current_xact_id(),

    CONSTRAINT "message_flag_pkey" PRIMARY KEY ("user_id","chat_id","seq")
);

-- CreateTable
CREATE TABLE "sync_epoch" (
    "id" UUID NOT NULL DEFAULT gen_random_uuid(),

    CONSTRAINT "sync_epoch_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "removed_contact_user_id_changed_tx_idx" ON "removed_contact"("user_id", "changed_tx");

-- CreateIndex
CREATE INDEX "reaction_user_id_idx" ON "reaction"("user_id");

-- CreateIndex
CREATE INDEX "message_flag_user_id_changed_tx_idx" ON "message_flag"("user_id", "changed_tx");

-- CreateIndex
CREATE INDEX "message_flag_starred_idx" ON "message_flag"("user_id", "starred_at", "chat_id", "seq") WHERE (starred_at IS NOT NULL);

-- CreateIndex
CREATE INDEX "app_user_changed_tx_idx" ON "app_user"("changed_tx");

-- CreateIndex
CREATE INDEX "chat_image_id_idx" ON "chat"("image_id") WHERE (image_id IS NOT NULL);

-- CreateIndex
CREATE INDEX "message_revised_idx" ON "message"("chat_id", "changed_tx") WHERE (rev > 1);

-- CreateIndex
CREATE INDEX "message_replies_idx" ON "message"("chat_id", "reply_to_seq", "seq") WHERE (reply_to_seq IS NOT NULL);

-- CreateIndex
CREATE INDEX "message_media_idx" ON "message"("media_id") WHERE (media_id IS NOT NULL);

-- CreateIndex
CREATE INDEX "message_search_idx" ON "message" USING GIN ("search");


INSERT INTO "sync_epoch" DEFAULT VALUES;

-- A revision leaves the old row behind: room on the page keeps most of them beside it.
ALTER TABLE "chat_marks" SET (fillfactor = 60);

-- What sync asks by. The functions of the message path set `changed_tx` themselves; everything else is rare, and a
-- trigger forgets no statement.
CREATE FUNCTION set_changed_tx() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.changed_tx := pg_current_xact_id();
  RETURN NEW;
END
$$;

CREATE TRIGGER app_user_changed BEFORE UPDATE OF name, email, phone, picture_id, bio, gender, date_of_birth,
  read_receipts, last_seen_visibility ON app_user FOR EACH ROW EXECUTE FUNCTION set_changed_tx();

CREATE TRIGGER chat_changed BEFORE UPDATE OF name, image_id, created_by_id, members_seq ON chat
  FOR EACH ROW EXECUTE FUNCTION set_changed_tx();

CREATE TRIGGER member_changed BEFORE UPDATE ON member FOR EACH ROW
  WHEN ((OLD.role, OLD.joined_seq, OLD.left_at, OLD.cleared_seq, OLD.muted_until, OLD.pinned, OLD.archived, OLD.marked_unread)
    IS DISTINCT FROM
    (NEW.role, NEW.joined_seq, NEW.left_at, NEW.cleared_seq, NEW.muted_until, NEW.pinned, NEW.archived, NEW.marked_unread))
  EXECUTE FUNCTION set_changed_tx();

CREATE TRIGGER contact_changed BEFORE UPDATE ON contact FOR EACH ROW EXECUTE FUNCTION set_changed_tx();

CREATE FUNCTION remember_removed_contact() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO removed_contact (user_id, contact_id) VALUES (OLD.user_lo, OLD.id), (OLD.user_hi, OLD.id)
  ON CONFLICT (user_id, contact_id) DO UPDATE SET changed_tx = pg_current_xact_id();
  RETURN NULL;
END
$$;

CREATE TRIGGER contact_removed AFTER DELETE ON contact FOR EACH ROW EXECUTE FUNCTION remember_removed_contact();

-- A block hides the contact from both, and its end shows it again.
CREATE FUNCTION touch_contact_of_block() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  v_block block := coalesce(NEW, OLD);
BEGIN
  UPDATE contact SET changed_tx = pg_current_xact_id()
  WHERE user_lo = least(v_block.blocker_id, v_block.blocked_id)
    AND user_hi = greatest(v_block.blocker_id, v_block.blocked_id);
  RETURN NULL;
END
$$;

CREATE TRIGGER block_changed AFTER INSERT OR DELETE ON block FOR EACH ROW EXECUTE FUNCTION touch_contact_of_block();

-- Whether a person may attach a medium: their own upload, or one of a message that they see.
CREATE FUNCTION may_attach(p_user_id uuid, p_media_id uuid) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN EXISTS (SELECT FROM media f WHERE f.id = p_media_id AND f.owner_id = p_user_id)
    OR EXISTS (
      SELECT FROM message h
      JOIN member m ON m.chat_id = h.chat_id AND m.user_id = p_user_id AND m.left_at IS NULL
      WHERE h.media_id = p_media_id AND h.deleted_at IS NULL AND h.seq > greatest(m.joined_seq, m.cleared_seq)
        AND NOT is_hidden(p_user_id, h.chat_id, h.seq));
END
$$;

-- Whether a person has deleted a message for themselves.
CREATE FUNCTION is_hidden(p_user_id uuid, p_chat_id uuid, p_seq int) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN EXISTS (
    SELECT FROM message_flag f
    WHERE f.user_id = p_user_id AND f.chat_id = p_chat_id AND f.seq = p_seq AND f.hidden_at IS NOT NULL);
END
$$;

-- What stands before every term of a message, so that a search reads the postings of the searcher's chats alone, and
-- of a long chat the newest first: 32 bits of the chat's id and the number of its block of 4,096 messages.
CREATE FUNCTION search_prefix(p_chat_id uuid, p_seq int) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT left(p_chat_id::text, 8) || to_hex(p_seq >> 12) || ':'
$$;

-- The terms of a message (separated by single spaces, or null for none) as they are indexed. Inlined.
CREATE FUNCTION search_vector(p_prefix text, p_terms text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT array_to_tsvector(string_to_array(p_prefix || replace(p_terms, ' ', ' ' || p_prefix), ' '))
$$;

-- Finds out for which authors the lowest mark of a GROUP has moved since they were last told, and remembers that they
-- are told now. Rows of chat_marks are locked in chat order first and the marks read after, so of two calls that run
-- at once the later one sees what the earlier did not: no movement is left untold.
--
-- The lowest mark over all present members serves every author: one's own messages lie at or below one's own marks.
-- Returns a row for each chat and kind that moved; an author is a present member who has sent one of the messages
-- that the mark has passed, of the last 50,000.
CREATE FUNCTION tell_lowest_marks(p_chat_ids uuid[])
RETURNS TABLE (chat_id uuid, kind receipt_kind, up_to_seq int, author_ids uuid[])
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
#variable_conflict use_column
BEGIN
  INSERT INTO chat_marks (chat_id) SELECT DISTINCT c.id FROM unnest(p_chat_ids) AS c (id) ORDER BY c.id
  ON CONFLICT DO NOTHING;
  PERFORM 1 FROM chat_marks t WHERE t.chat_id = ANY (p_chat_ids) ORDER BY t.chat_id FOR NO KEY UPDATE;

  RETURN QUERY
  WITH lowest AS MATERIALIZED (
    SELECT t.chat_id, t.told_delivered, t.told_read, l.delivered, l.read
    FROM chat_marks t
    CROSS JOIN LATERAL (
      SELECT min(m.delivered_seq) AS delivered, min(m.read_seq) AS read
      FROM member m WHERE m.chat_id = t.chat_id AND m.left_at IS NULL
      HAVING count(*) > 1) l
    WHERE t.chat_id = ANY (p_chat_ids) AND (l.delivered > t.told_delivered OR l.read > t.told_read)
  ), told AS (
    UPDATE chat_marks t SET
      told_delivered = greatest(t.told_delivered, l.delivered), told_read = greatest(t.told_read, l.read)
    FROM lowest l WHERE t.chat_id = l.chat_id
  ), moved AS (
    SELECT l.chat_id, 'DELIVERED'::receipt_kind AS kind, l.told_delivered AS after, l.delivered AS through
    FROM lowest l WHERE l.delivered > l.told_delivered AND l.delivered > l.read
    UNION ALL
    SELECT l.chat_id, 'READ'::receipt_kind, l.told_read, l.read FROM lowest l WHERE l.read > l.told_read
  )
  SELECT v.chat_id, v.kind, v.through, array_agg(DISTINCT s.sender_id)
  FROM moved v
  -- Who has written nothing for so long learns it when they look.
  JOIN message s ON s.chat_id = v.chat_id AND s.seq > greatest(v.after, v.through - 50000) AND s.seq <= v.through
  JOIN member m ON m.chat_id = s.chat_id AND m.user_id = s.sender_id AND m.left_at IS NULL
  GROUP BY v.chat_id, v.kind, v.through;
END
$$;
