-- Takes a batch of sends in one round trip.
--
-- p_inputs is a JSON array of { chat_id, sender_id, key, type, text, reply_to_seq, mentions, forwarded }.
-- Returns one row an input in their order, `ord` counting from 1: outcome CREATED or REPEATED with the message's seq, or why not
-- (NOT_MEMBER, BLOCKED, REPLY_NOT_VISIBLE, MENTION_NOT_MEMBER). For a reply, the message replied to is returned too.
--
-- The first statement locks the chats in id order; the second runs under a snapshot taken after the lock, so no
-- removal, block or repeated key can slip in between, and seq follows commit order. Indexes are forced because the
-- plan is cached per connection, perhaps while the tables are still empty.
CREATE FUNCTION send_messages(p_inputs json, p_at timestamptz)
RETURNS TABLE (ord int, outcome text, seq int, reply_sender_id uuid, reply_type text, reply_text text, reply_deleted boolean)
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

  RETURN QUERY
  WITH input AS MATERIALIZED (
    SELECT r.chat_id, r.sender_id, r.key, r.type, r.text, r.reply_to_seq, r.mentions, r.forwarded, r.ord::int AS ord
    FROM ROWS FROM (json_to_recordset(p_inputs) AS (
      chat_id uuid, sender_id uuid, key text, type message_type, text text, reply_to_seq int, mentions uuid[], forwarded boolean
    )) WITH ORDINALITY AS r (chat_id, sender_id, key, type, text, reply_to_seq, mentions, forwarded, ord)
  ), judged AS MATERIALIZED (
    SELECT i.*, c.last_seq, c.type AS chat_type, c.user_lo, c.user_hi, first.seq AS first_seq,
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
  ), placed AS MATERIALIZED (
    -- The same key twice in one batch: the first input that is not refused is the message, the others repeat it.
    SELECT j.*, j.ord = min(j.ord) FILTER (WHERE j.outcome = 'CREATED')
      OVER (PARTITION BY j.chat_id, j.sender_id, j.key) AS is_first
    FROM judged j
  ), numbered AS MATERIALIZED (
    SELECT p.*, (p.last_seq + row_number() OVER (PARTITION BY p.chat_id ORDER BY p.ord))::int AS new_seq
    FROM placed p WHERE p.outcome = 'CREATED' AND p.is_first
  ), inserted AS (
    INSERT INTO message (chat_id, seq, sender_id, client_key, type, text, mentions, reply_to_seq, forwarded, created_at)
    SELECT n.chat_id, n.new_seq, n.sender_id, n.key, n.type, n.text, coalesce(n.mentions, '{}'), n.reply_to_seq,
      coalesce(n.forwarded, false), p_at
    FROM numbered n
  ), counted AS (
    UPDATE chat c SET last_seq = t.new_seq, updated_at = greatest(c.updated_at, p_at)
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
    CASE WHEN p.outcome = 'CREATED' AND NOT p.is_first THEN 'REPEATED' ELSE p.outcome END,
    coalesce(p.first_seq, n.new_seq),
    p.reply_sender_id, p.reply_type::text, p.reply_text, p.reply_deleted
  FROM placed p
  LEFT JOIN numbered n ON n.chat_id = p.chat_id AND n.sender_id = p.sender_id AND n.key = p.key
  ORDER BY p.ord;
END
$$;

-- Moves a batch of receipt marks forward in one round trip.
--
-- p_inputs is a JSON array of { chat_id, user_id, delivered, read }: seqs up to which the person reports, null for
-- none; above the chat's last seq counts as last seq, and READ also delivers. Returns a row an input with the marks
-- as they stand after it and which of them moved; `member` is false for who is not a present member.
-- In a PRIVATE chat a read is shown only if both people have read receipts on; `read_shown` says so.
-- Members are locked in (chat, user) order; no lock on the chat is needed, as last_seq only grows.
CREATE FUNCTION advance_marks(p_inputs json, p_at timestamptz)
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
      marked_unread = m.marked_unread AND NOT a.reads
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
  )
  SELECT a.ord, a.is_member, a.chat_type::text, a.new_delivered, a.new_read,
    coalesce(a.new_delivered > a.old_delivered, false), coalesce(a.new_read > a.old_read, false),
    coalesce(a.new_read > a.old_read AND a.shows_reads, false)
  FROM aimed a;
END
$$;
