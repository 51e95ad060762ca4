DROP FUNCTION advance_marks(json, timestamptz);

-- Moves a batch of receipt marks forward in one round trip.
--
-- p_inputs is a JSON array of { chat_id, user_id, delivered, read }: seqs up to which the person reports, null for
-- none; above the chat's last seq counts as last seq, and READ also delivers. Returns a row an input with the marks
-- as they stand after it and which of them moved; `is_member` is false for who is not a present member.
-- In a PRIVATE chat a read is shown only if both people have read receipts on; `read_shown` says so. `mark_removed`
-- says that a chat the person had marked as unread is so no longer.
-- Members are locked in (chat, user) order, then the rows of chat_marks in chat order; no lock on the chat is needed,
-- as last_seq only grows.
CREATE FUNCTION advance_marks(p_inputs json, p_at timestamptz)
RETURNS TABLE (ord int, is_member boolean, chat_type text, delivered_seq int, read_seq int,
  delivered_moved boolean, read_moved boolean, read_shown boolean, mark_removed boolean)
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
      i.read IS NOT NULL AS reads, m.marked_unread,
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
    coalesce(a.new_read > a.old_read AND a.shows_reads, false), coalesce(a.reads AND a.marked_unread, false)
  FROM aimed a;
END
$$;
