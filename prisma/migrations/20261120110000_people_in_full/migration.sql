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

DROP FUNCTION send_messages(json, timestamptz);

-- Takes a batch of sends in one round trip.
--
-- p_inputs is a JSON array of { chat_id, sender_id, key, type, text, terms, media_id, reply_to_seq, mentions,
-- forwarded }; p_media_ids are the media in it (null for none), p_has_mentions says whether anybody is mentioned.
-- With p_all one refused input refuses all others.
-- Returns one row an input in their order, `ord` counting from 1: outcome CREATED or REPEATED with the message's seq,
-- or why not (NOT_MEMBER, BLOCKED, REPLY_NOT_VISIBLE, MEDIA_NOT_VISIBLE, MENTION_NOT_MEMBER, NOT_ALL). For a reply,
-- the message replied to is returned too. `members_seq` is the chat's at the commit.
--
-- The first statement locks the chats in id order; the second runs under a snapshot taken after the lock, so no
-- removal, block or repeated key can slip in between, and seq follows commit order. Media are locked too: what is
-- attached cannot be swept away as unused. Indexes are forced because the plan is cached per connection, perhaps
-- while the tables are still empty.
CREATE FUNCTION send_messages(
  p_inputs json, p_at timestamptz, p_media_ids uuid[], p_has_mentions boolean, p_all boolean)
RETURNS TABLE (ord int, outcome text, seq int, chat_type text, members_seq int,
  reply_sender_id uuid, reply_type text, reply_text text, reply_deleted boolean)
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
  v_chat_ids uuid[];
BEGIN
  SELECT array_agg(DISTINCT (i ->> 'chat_id')::uuid) INTO v_chat_ids FROM json_array_elements(p_inputs) i;

  PERFORM 1 FROM chat c WHERE c.id = ANY (v_chat_ids) ORDER BY c.id FOR NO KEY UPDATE;
  IF p_media_ids IS NOT NULL THEN
    PERFORM 1 FROM media f WHERE f.id = ANY (p_media_ids) ORDER BY f.id FOR KEY SHARE;
  END IF;

  RETURN QUERY
  WITH input AS MATERIALIZED (
    SELECT r.chat_id, r.sender_id, r.key, r.type, r.text, r.terms, r.media_id, r.reply_to_seq, r.mentions, r.forwarded,
      r.ord::int AS ord
    FROM ROWS FROM (json_to_recordset(p_inputs) AS (
      chat_id uuid, sender_id uuid, key text, type message_type, text text, terms text, media_id uuid,
      reply_to_seq int, mentions uuid[], forwarded boolean
    )) WITH ORDINALITY AS r (
      chat_id, sender_id, key, type, text, terms, media_id, reply_to_seq, mentions, forwarded, ord)
  ), judged AS MATERIALIZED (
    SELECT i.*, c.last_seq, c.members_seq, c.type AS chat_type, c.user_lo, c.user_hi, first.seq AS first_seq,
      replied.sender_id AS reply_sender_id, replied.type AS reply_type, replied.text AS reply_text,
      replied.deleted_at IS NOT NULL AS reply_deleted,
      CASE
        WHEN m.user_id IS NULL THEN 'NOT_MEMBER'
        WHEN first.seq IS NOT NULL THEN 'REPEATED'
        WHEN c.type = 'PRIVATE' AND EXISTS (
          SELECT FROM block b
          WHERE (b.blocker_id = c.user_lo AND b.blocked_id = c.user_hi)
             OR (b.blocker_id = c.user_hi AND b.blocked_id = c.user_lo)) THEN 'BLOCKED'
        WHEN i.reply_to_seq IS NOT NULL AND replied.seq IS NULL THEN 'REPLY_NOT_VISIBLE'
        WHEN i.media_id IS NOT NULL AND NOT may_attach(i.sender_id, i.media_id) THEN 'MEDIA_NOT_VISIBLE'
        WHEN i.mentions IS NOT NULL AND EXISTS (
          SELECT FROM unnest(i.mentions) AS mentioned (id)
          WHERE NOT EXISTS (
            SELECT FROM member o WHERE o.chat_id = i.chat_id AND o.user_id = mentioned.id AND o.left_at IS NULL))
          THEN 'MENTION_NOT_MEMBER'
        ELSE 'CREATED'
      END AS outcome
    FROM input i
    LEFT JOIN chat c ON c.id = i.chat_id
    LEFT JOIN member m ON m.chat_id = i.chat_id AND m.user_id = i.sender_id AND m.left_at IS NULL
    -- Compared as text, the chat cannot lead the planner to the primary key, and so through the whole chat.
    LEFT JOIN message first
      ON first.sender_id = i.sender_id AND first.client_key = i.key AND first.chat_id::text = i.chat_id::text
    LEFT JOIN message replied
      ON replied.chat_id = i.chat_id AND replied.seq = i.reply_to_seq
     AND replied.seq > greatest(m.joined_seq, m.cleared_seq)
     AND NOT is_hidden(i.sender_id, i.chat_id, i.reply_to_seq)
  ), placed AS MATERIALIZED (
    -- The same key twice in one batch: the first input that is not refused is the message, the others repeat it.
    SELECT j.*, j.ord = min(j.ord) FILTER (WHERE j.outcome = 'CREATED')
      OVER (PARTITION BY j.chat_id, j.sender_id, j.key) AS is_first
    FROM judged j
  ), numbered AS MATERIALIZED (
    SELECT p.*, (p.last_seq + row_number() OVER (PARTITION BY p.chat_id ORDER BY p.ord))::int AS new_seq
    FROM placed p
    WHERE p.outcome = 'CREATED' AND p.is_first
      AND (NOT p_all OR NOT EXISTS (SELECT FROM judged r WHERE r.outcome NOT IN ('CREATED', 'REPEATED')))
  ), inserted AS (
    INSERT INTO message (chat_id, seq, sender_id, client_key, type, text, media_id, mentions, reply_to_seq, forwarded,
      created_at, search)
    SELECT n.chat_id, n.new_seq, n.sender_id, n.key, n.type, n.text, n.media_id, coalesce(n.mentions, '{}'),
      n.reply_to_seq, coalesce(n.forwarded, false), p_at, search_vector(search_prefix(n.chat_id, n.new_seq), n.terms)
    FROM numbered n
  ), counted AS (
    UPDATE chat c SET last_seq = t.new_seq, updated_at = greatest(c.updated_at, p_at), changed_tx = pg_current_xact_id()
    FROM (SELECT n.chat_id, max(n.new_seq) AS new_seq FROM numbered n GROUP BY n.chat_id) t
    WHERE c.id = t.chat_id
  ), moved AS (
    UPDATE member m SET
      read_seq = t.new_seq,
      delivered_seq = t.new_seq,
      shown_read_seq = CASE WHEN t.shows_reads THEN t.new_seq ELSE m.shown_read_seq END,
      silent_read_seq = CASE WHEN t.shows_reads THEN m.silent_read_seq ELSE t.new_seq END,
      marked_unread = false
    FROM (
      SELECT n.chat_id, n.sender_id, max(n.new_seq) AS new_seq,
        bool_and(n.chat_type <> 'PRIVATE' OR NOT EXISTS (
          SELECT FROM app_user u WHERE u.id IN (n.user_lo, n.user_hi) AND NOT u.read_receipts)) AS shows_reads
      -- Members are locked in (chat, user) order everywhere.
      FROM numbered n GROUP BY n.chat_id, n.sender_id ORDER BY n.chat_id, n.sender_id
    ) t
    WHERE m.chat_id = t.chat_id AND m.user_id = t.sender_id
  )
  SELECT p.ord,
    CASE
      WHEN p.outcome <> 'CREATED' THEN p.outcome
      WHEN n.new_seq IS NULL THEN 'NOT_ALL'
      WHEN NOT p.is_first THEN 'REPEATED'
      ELSE 'CREATED'
    END,
    coalesce(p.first_seq, n.new_seq), p.chat_type::text, p.members_seq,
    p.reply_sender_id, p.reply_type::text, p.reply_text, p.reply_deleted
  FROM placed p
  LEFT JOIN numbered n ON n.chat_id = p.chat_id AND n.sender_id = p.sender_id AND n.key = p.key
  ORDER BY p.ord;

  IF p_has_mentions THEN
    INSERT INTO mention (user_id, chat_id, seq)
    SELECT mentioned.id, m.chat_id, m.seq
    FROM json_to_recordset(p_inputs) AS i (chat_id uuid, sender_id uuid, key text, mentions uuid[])
    JOIN message m ON m.sender_id = i.sender_id AND m.client_key = i.key AND m.chat_id::text = i.chat_id::text
    CROSS JOIN LATERAL unnest(m.mentions) AS mentioned (id)
    WHERE i.mentions IS NOT NULL
    ON CONFLICT DO NOTHING;
  END IF;
END
$$;

-- Moves a batch of receipt marks forward in one round trip.
--
-- p_inputs is a JSON array of { chat_id, user_id, delivered, read }: seqs up to which the person reports, null for
-- none; above the chat's last seq counts as last seq, and READ also delivers. Returns a row an input with the marks
-- as they stand after it and which of them moved; `member` is false for who is not a present member.
-- In a PRIVATE chat a read is shown only if both people have read receipts on; `read_shown` says so.
-- Members are locked in (chat, user) order, then the rows of chat_marks in chat order; no lock on the chat is needed,
-- as last_seq only grows.
CREATE OR REPLACE FUNCTION advance_marks(p_inputs json, p_at timestamptz)
RETURNS TABLE (ord int, is_member boolean, chat_type text, delivered_seq int, read_seq int,
  delivered_moved boolean, read_moved boolean, read_shown boolean)
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
#variable_conflict use_column
BEGIN
  PERFORM 1
  FROM member m
  JOIN json_to_recordset(p_inputs) AS i (chat_id uuid, user_id uuid) ON m.chat_id = i.chat_id AND m.user_id = i.user_id
  ORDER BY m.chat_id, m.user_id
  FOR NO KEY UPDATE OF m;

  RETURN QUERY
  WITH input AS MATERIALIZED (
    SELECT r.chat_id, r.user_id, r.delivered, r.read, r.ord::int AS ord
    FROM ROWS FROM (json_to_recordset(p_inputs) AS (chat_id uuid, user_id uuid, delivered int, read int))
      WITH ORDINALITY AS r (chat_id, user_id, delivered, read, ord)
  ), aimed AS MATERIALIZED (
    SELECT i.ord, i.chat_id, i.user_id, c.type AS chat_type, m.user_id IS NOT NULL AS is_member,
      m.delivered_seq AS old_delivered, m.read_seq AS old_read, m.shown_read_seq AS old_shown,
      greatest(m.delivered_seq, least(coalesce(greatest(i.delivered, i.read), 0), c.last_seq)) AS new_delivered,
      greatest(m.read_seq, least(coalesce(i.read, 0), c.last_seq)) AS new_read,
      i.read IS NOT NULL AS reads,
      c.type <> 'PRIVATE' OR NOT EXISTS (
        SELECT FROM app_user u WHERE u.id IN (c.user_lo, c.user_hi) AND NOT u.read_receipts) AS shows_reads
    FROM input i
    LEFT JOIN chat c ON c.id = i.chat_id
    LEFT JOIN member m ON m.chat_id = i.chat_id AND m.user_id = i.user_id AND m.left_at IS NULL
  ), advanced AS (
    UPDATE member m SET
      delivered_seq = a.new_delivered,
      read_seq = a.new_read,
      shown_read_seq = CASE WHEN a.new_read > a.old_read AND a.shows_reads THEN a.new_read ELSE m.shown_read_seq END,
      silent_read_seq = CASE WHEN a.new_read > a.old_read AND NOT a.shows_reads THEN a.new_read ELSE m.silent_read_seq END,
      marked_unread = m.marked_unread AND NOT a.reads,
      changed_tx = pg_current_xact_id()
    FROM aimed a
    WHERE m.chat_id = a.chat_id AND m.user_id = a.user_id
      AND (a.new_delivered > a.old_delivered OR a.new_read > a.old_read OR (a.reads AND m.marked_unread))
  ), recorded AS (
    INSERT INTO receipt (chat_id, user_id, kind, through_seq, at)
    SELECT a.chat_id, a.user_id, 'DELIVERED'::receipt_kind, a.new_delivered, p_at
    FROM aimed a WHERE a.new_delivered > a.old_delivered
    UNION ALL
    SELECT a.chat_id, a.user_id, 'READ'::receipt_kind, a.new_read, p_at
    FROM aimed a WHERE a.new_read > a.old_read AND a.shows_reads
    ON CONFLICT DO NOTHING
  ), shown AS (
    INSERT INTO chat_marks (chat_id)
    SELECT DISTINCT a.chat_id FROM aimed a
    WHERE a.new_delivered > a.old_delivered OR (a.new_read > a.old_read AND a.shows_reads)
    ORDER BY a.chat_id
    ON CONFLICT (chat_id) DO UPDATE SET changed_tx = pg_current_xact_id()
  )
  SELECT a.ord, a.is_member, a.chat_type::text, a.new_delivered, a.new_read,
    coalesce(a.new_delivered > a.old_delivered, false), coalesce(a.new_read > a.old_read, false),
    coalesce(a.new_read > a.old_read AND a.shows_reads, false)
  FROM aimed a;
END
$$;

-- Finds out for which authors the lowest mark of a GROUP has moved since they were last told, and remembers that they
-- are told now. Rows of chat_marks are locked in chat order first and the marks read after, so of two calls that run
-- at once the later one sees what the earlier did not: no movement is left untold.
--
-- The lowest mark over all present members serves every author: one's own messages lie at or below one's own marks.
-- Returns a row for each chat and kind that moved; an author is a present member who has sent one of the messages
-- that the mark has passed.
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
  JOIN message s ON s.chat_id = v.chat_id AND s.seq > v.after AND s.seq <= v.through
  JOIN member m ON m.chat_id = s.chat_id AND m.user_id = s.sender_id AND m.left_at IS NULL
  GROUP BY v.chat_id, v.kind, v.through;
END
$$;
