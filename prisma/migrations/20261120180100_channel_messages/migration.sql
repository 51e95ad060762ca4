-- The order in which statuses of one message lie: the highest one that was told stands, so the order in which they
-- come does not matter. A failure stands above what only says that it was sent, and below what says that it arrived.
CREATE FUNCTION status_rank(p_status text) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE p_status WHEN 'QUEUED' THEN 0 WHEN 'SENT' THEN 1 WHEN 'FAILED' THEN 2 WHEN 'DELIVERED' THEN 3 WHEN 'READ' THEN 4 END
$$;

-- Applies a batch of statuses that a channel told of single messages, in one round trip.
--
-- p_inputs is a JSON array of { wamid, alt_wamid, phone_number_id, callback_chat_id, callback_seq, status, at, error,
-- participant, item }: status is sent, delivered, read, played or failed; all but wamid, status, at and item may be
-- left out. A message is found by its wamid (of any number when the input names none), by the other wamid, or by its own
-- address that went out with it. What is found by that alone is thereby known to have been sent.
-- A status of an unknown message is kept in pending_status and applied by whoever writes the message or its wamid.
--
-- Returns one row an input in their order: outcome APPLIED (something of the message changed), SAME or PENDING, with the
-- message's address, its status as it stands and whether it is another than before.
-- Locks: wamids (advisory, sorted), then rows of whatsapp_message by (chat, seq); tenants shared.
CREATE FUNCTION apply_statuses(p_inputs json, p_at timestamptz)
RETURNS TABLE (ord int, outcome text, chat_id uuid, seq int, tenant_id uuid, agents_seq int, status text,
  is_new_status boolean, error jsonb)
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
  v_ords int[];
  v_chat_ids uuid[];
  v_seqs int[];
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(w.wamid, 0)) FROM (
    SELECT DISTINCT a.wamid
    FROM json_to_recordset(p_inputs) AS i (wamid text, alt_wamid text)
    CROSS JOIN LATERAL (VALUES (i.wamid), (i.alt_wamid)) AS a (wamid)
    WHERE a.wamid IS NOT NULL ORDER BY a.wamid) w;

  SELECT array_agg(f.ord ORDER BY f.ord), array_agg(f.chat_id ORDER BY f.ord), array_agg(f.seq ORDER BY f.ord)
  INTO v_ords, v_chat_ids, v_seqs
  FROM (
    SELECT i.ord::int AS ord, m.chat_id, m.seq
    FROM ROWS FROM (json_to_recordset(p_inputs) AS (
      wamid text, alt_wamid text, phone_number_id text, callback_chat_id uuid, callback_seq int
    )) WITH ORDINALITY AS i (wamid, alt_wamid, phone_number_id, callback_chat_id, callback_seq, ord)
    LEFT JOIN LATERAL (
      SELECT c.chat_id, c.seq FROM (
        SELECT w.chat_id, w.seq, 1 AS place FROM whatsapp_message w
        WHERE w.wamid = i.wamid AND (i.phone_number_id IS NULL OR w.phone_number_id = i.phone_number_id)
        UNION ALL
        SELECT w.chat_id, w.seq, 2 FROM whatsapp_message w
        WHERE w.wamid = i.alt_wamid AND (i.phone_number_id IS NULL OR w.phone_number_id = i.phone_number_id)
        UNION ALL
        SELECT w.chat_id, w.seq, 3 FROM whatsapp_message w
        WHERE w.chat_id = i.callback_chat_id AND w.seq = i.callback_seq AND w.direction = 'OUT'
          -- A send that failed, and was followed by another, is not told of that one.
          AND i.wamid <> ALL (w.former_wamids)
          AND (i.phone_number_id IS NULL OR w.phone_number_id = i.phone_number_id)
      ) c ORDER BY c.place LIMIT 1) m ON true
  ) f;

  PERFORM 1 FROM whatsapp_message w
  WHERE (w.chat_id, w.seq) IN (SELECT * FROM unnest(v_chat_ids, v_seqs))
  ORDER BY w.chat_id, w.seq FOR NO KEY UPDATE;
  PERFORM pg_advisory_xact_lock_shared(lock_tenant_key(t.tenant_id)) FROM (
    SELECT DISTINCT w.tenant_id FROM unnest(v_chat_ids, v_seqs) AS a (chat_id, seq)
    JOIN whatsapp_message w ON w.chat_id = a.chat_id AND w.seq = a.seq ORDER BY w.tenant_id) t;

  RETURN QUERY
  WITH input AS MATERIALIZED (
    SELECT i.*, v_chat_ids[i.ord] AS chat_id, v_seqs[i.ord] AS seq,
      CASE i.status WHEN 'played' THEN 'READ' ELSE upper(i.status) END AS step
    FROM (
      SELECT r.wamid, r.phone_number_id, r.callback_seq, r.status, r.at, r.error, r.participant, r.item, r.ord::int AS ord
      FROM ROWS FROM (json_to_recordset(p_inputs) AS (
        wamid text, phone_number_id text, callback_seq int, status text, at timestamptz, error jsonb, participant text,
        item jsonb
      )) WITH ORDINALITY AS r (wamid, phone_number_id, callback_seq, status, at, error, participant, item, ord)) i
  ), waited AS (
    -- What was told of a wamid before anybody knew whose it is, which is known from now on.
    DELETE FROM pending_status p
    USING (
      SELECT DISTINCT i.wamid, w.chat_id, w.seq, w.phone_number_id
      FROM input i JOIN whatsapp_message w ON w.chat_id = i.chat_id AND w.seq = i.seq
      WHERE w.wamid IS NULL) n
    WHERE p.wamid = n.wamid AND p.phone_number_id IN ('', n.phone_number_id)
    RETURNING n.chat_id, n.seq, p.wamid, p.status, p.at, p.error
  ), told AS MATERIALIZED (
    SELECT i.chat_id, i.seq,
      (array_agg(i.step ORDER BY status_rank(i.step) DESC))[1] AS highest,
      min(i.at) FILTER (WHERE i.status = 'sent') AS sent,
      min(i.at) FILTER (WHERE i.status = 'delivered') AS delivered,
      min(i.at) FILTER (WHERE i.status IN ('read', 'played')) AS read,
      min(i.at) FILTER (WHERE i.status = 'played') AS played,
      min(i.at) FILTER (WHERE i.status = 'failed') AS failed,
      (array_agg(coalesce(i.error, '{}') ORDER BY i.at, i.error::text) FILTER (WHERE i.status = 'failed'))[1] AS error,
      (array_agg(i.wamid ORDER BY i.ord))[1] AS wamid
    FROM (
      SELECT n.chat_id, n.seq, n.step, n.status, n.at, n.error, n.wamid, n.ord FROM input n WHERE n.seq IS NOT NULL
      UNION ALL
      SELECT p.chat_id, p.seq, CASE p.status WHEN 'played' THEN 'READ' ELSE upper(p.status) END, p.status, p.at, p.error,
        p.wamid, 2147483647
      FROM waited p) i
    GROUP BY i.chat_id, i.seq
  ), aimed AS MATERIALIZED (
    SELECT w.chat_id, w.seq, w.tenant_id, w.status::text AS old_status,
      CASE WHEN status_rank(t.highest) > status_rank(w.status::text) THEN t.highest ELSE w.status::text END AS new_status,
      -- least() passes over nulls.
      least(w.status_sent_at, t.sent) AS status_sent_at, least(w.delivered_at, t.delivered) AS delivered_at,
      least(w.read_at, t.read) AS read_at, least(w.played_at, t.played) AS played_at,
      least(w.failed_at, t.failed) AS failed_at,
      CASE
        WHEN t.failed IS NOT NULL AND (w.failed_at IS NULL OR (t.failed, t.error::text) < (w.failed_at, w.error::text))
          THEN t.error
        -- It has been sent after all.
        WHEN w.failed_at IS NULL AND w.direction = 'OUT' THEN NULL
        ELSE w.error
      END AS error,
      coalesce(w.wamid, t.wamid) AS wamid
    FROM told t JOIN whatsapp_message w ON w.chat_id = t.chat_id AND w.seq = t.seq
  ), moved AS (
    UPDATE whatsapp_message w SET status = a.new_status::message_status, status_sent_at = a.status_sent_at,
      delivered_at = a.delivered_at, read_at = a.read_at, played_at = a.played_at, failed_at = a.failed_at,
      error = a.error, wamid = a.wamid,
      dispatch = NULL, next_attempt_at = NULL, claimed_at = NULL, changed_tx = pg_current_xact_id()
    FROM aimed a
    WHERE w.chat_id = a.chat_id AND w.seq = a.seq AND (
      a.new_status <> a.old_status OR w.dispatch IS NOT NULL
      OR (w.status_sent_at, w.delivered_at, w.read_at, w.played_at, w.failed_at, w.error, w.wamid) IS DISTINCT FROM
        (a.status_sent_at, a.delivered_at, a.read_at, a.played_at, a.failed_at, a.error, a.wamid))
    RETURNING w.chat_id, w.seq
  ), kept AS (
    -- Of the same step told more than once, the same one is kept that would stand if the message were there.
    INSERT INTO pending_status AS k (wamid, status, participant, phone_number_id, at, error, item, received_at)
    SELECT DISTINCT ON (i.wamid, i.status, coalesce(i.participant, ''), coalesce(i.phone_number_id, ''))
      i.wamid, i.status, coalesce(i.participant, ''), coalesce(i.phone_number_id, ''), i.at, i.error, i.item, p_at
    FROM input i WHERE i.seq IS NULL
    ORDER BY i.wamid, i.status, coalesce(i.participant, ''), coalesce(i.phone_number_id, ''), i.at,
      coalesce(i.error, '{}')::text
    ON CONFLICT (wamid, status, participant, phone_number_id) DO UPDATE
    SET at = excluded.at, error = excluded.error, item = excluded.item
    WHERE (excluded.at, coalesce(excluded.error, '{}')::text) < (k.at, coalesce(k.error, '{}')::text)
  )
  SELECT i.ord,
    CASE WHEN i.seq IS NULL THEN 'PENDING' WHEN v.seq IS NULL THEN 'SAME' ELSE 'APPLIED' END,
    i.chat_id, i.seq, a.tenant_id, t.agents_seq, a.new_status, coalesce(a.new_status <> a.old_status, false), a.error
  FROM input i
  LEFT JOIN aimed a ON a.chat_id = i.chat_id AND a.seq = i.seq
  LEFT JOIN moved v ON v.chat_id = i.chat_id AND v.seq = i.seq
  LEFT JOIN tenant t ON t.id = a.tenant_id
  ORDER BY i.ord;
END
$$;

-- Applies what was told of these wamids before their messages were known, and forgets it. The caller's transaction has
-- just written them and holds their advisory locks. Returns the messages whose status is now another.
CREATE FUNCTION apply_pending_statuses(p_wamids text[], p_at timestamptz)
RETURNS TABLE (chat_id uuid, seq int, status text)
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
  v_inputs json;
BEGIN
  WITH taken AS (
    DELETE FROM pending_status p USING whatsapp_message w
    WHERE p.wamid = ANY (p_wamids) AND w.wamid = p.wamid
      AND p.phone_number_id IN ('', w.phone_number_id)
    RETURNING p.wamid, nullif(p.phone_number_id, '') AS phone_number_id, p.status, p.at, p.error, p.item, p.participant)
  SELECT json_agg(json_build_object('wamid', t.wamid, 'phone_number_id', t.phone_number_id, 'status', t.status,
    'at', t.at, 'error', t.error, 'participant', t.participant, 'item', t.item))
  INTO v_inputs FROM taken t;
  IF v_inputs IS NULL THEN RETURN; END IF;
  RETURN QUERY SELECT a.chat_id, a.seq, a.status FROM apply_statuses(v_inputs, p_at) a WHERE a.is_new_status;
END
$$;

-- Writes a batch of messages that cross a channel, each with its side row, in one round trip: the other door beside
-- `send_messages`.
--
-- p_inputs is a JSON array of { chat_id, key, sender_id, type, text, terms, media_id, reply_to_seq, reply_to_wamid,
-- forwarded, side }, nulls may be left out; `side` is { tenant_id, phone_number_id, direction, status, wamid, from, to,
-- sent_at, error, idempotency_key, payload, dispatch, next_attempt_at, bot_pending, media_pending, is_history,
-- window_until, marks }. `marks` says what becomes of the team's read mark: ALL (it moves to this message), FOLLOW (it
-- does if nothing before was unread) or nothing.
--
-- Returns one row an input in their order: outcome CREATED, REPEATED (the same wamid, or the same sender and key: with the
-- first message's address), KEY_USED (the same idempotency key: with the first message's address), CLOSED (the chat was
-- merged: with the chat that goes on) or NO_CHAT (also when the tenant is gone). Rows with the outcome STATUS follow
-- (ord 0): new messages of which a status was known before them, with that status; then rows with the outcome CHANGED:
-- new messages of which a change was known before them, by which they are another revision already.
-- The bot is to look only if the tenant has one.
--
-- Locks: tenants (advisory, shared), wamids (advisory, sorted), chats by id, conversations by chat. What is looked at
-- stands in later statements, so under snapshots taken after the locks, and seq follows commit order.
CREATE FUNCTION append_channel_messages(p_inputs json, p_at timestamptz)
RETURNS TABLE (ord int, outcome text, chat_id uuid, seq int, agents_seq int, status text, window_opened boolean,
  team_read_seq int, reply_seq int, reply_sender_id uuid, reply_type text, reply_text text, reply_deleted boolean)
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
SET gin_pending_list_limit = '256kB'
-- The trigger that keeps conversations in step with their chats has nothing to do here.
SET parley.appends = 'on'
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
  v_chat_ids uuid[];
  v_wamids text[];
BEGIN
  PERFORM pg_advisory_xact_lock_shared(lock_tenant_key(t.id)) FROM (
    SELECT DISTINCT (i.side ->> 'tenant_id')::uuid AS id FROM json_to_recordset(p_inputs) AS i (side json) ORDER BY 1) t;
  SELECT array_agg(DISTINCT i.chat_id), array_agg(DISTINCT i.side ->> 'wamid') FILTER (WHERE i.side ->> 'wamid' IS NOT NULL)
  INTO v_chat_ids, v_wamids FROM json_to_recordset(p_inputs) AS i (chat_id uuid, side json);
  IF v_wamids IS NOT NULL THEN
    PERFORM pg_advisory_xact_lock(hashtextextended(w.wamid, 0)) FROM (
      SELECT u.wamid FROM unnest(v_wamids) AS u (wamid) ORDER BY u.wamid) w;
  END IF;
  PERFORM 1 FROM chat c WHERE c.id = ANY (v_chat_ids) ORDER BY c.id FOR NO KEY UPDATE;
  PERFORM 1 FROM conversation k WHERE k.chat_id = ANY (v_chat_ids) ORDER BY k.chat_id FOR NO KEY UPDATE;
  PERFORM 1 FROM media f
  WHERE f.id IN (SELECT i.media_id FROM json_to_recordset(p_inputs) AS i (media_id uuid) WHERE i.media_id IS NOT NULL)
  ORDER BY f.id FOR KEY SHARE;

  RETURN QUERY
  WITH input AS MATERIALIZED (
    SELECT r.ord::int AS ord, r.chat_id, r.key, r.sender_id, r.type, r.text, r.terms, r.media_id, r.reply_to_seq,
      r.reply_to_wamid, r.forwarded, s.*
    FROM ROWS FROM (json_to_recordset(p_inputs) AS (
      chat_id uuid, key text, sender_id uuid, type message_type, text text, terms text, media_id uuid,
      reply_to_seq int, reply_to_wamid text, forwarded boolean, side json
    )) WITH ORDINALITY AS r (chat_id, key, sender_id, type, text, terms, media_id, reply_to_seq, reply_to_wamid,
      forwarded, side, ord)
    CROSS JOIN LATERAL json_to_record(r.side) AS s (
      tenant_id uuid, phone_number_id text, direction message_direction, status message_status, wamid text, "from" text,
      "to" text, sent_at timestamptz, error jsonb, idempotency_key text, payload jsonb, dispatch dispatch_state,
      next_attempt_at timestamptz, bot_pending boolean, media_pending boolean, is_history boolean,
      window_until timestamptz, marks text)
  ), judged AS (
    SELECT i.*, c.last_seq, k.read_seq, k.window_expires_at, k.merged_into_id, t.agents_seq,
      t.auto_reply OR t.has_flows AS has_bot,
      coalesce(known.chat_id, sent.chat_id, keyed.chat_id) AS first_chat_id,
      coalesce(known.seq, sent.seq, keyed.seq) AS first_seq,
      replied.seq AS reply_seq, replied.sender_id AS reply_sender_id, replied.type AS reply_type,
      replied.text AS reply_text, replied.deleted_at IS NOT NULL AS reply_deleted,
      CASE
        WHEN known.seq IS NOT NULL OR sent.seq IS NOT NULL THEN 'REPEATED'
        WHEN keyed.seq IS NOT NULL THEN 'KEY_USED'
        WHEN k.chat_id IS NULL OR k.tenant_id <> i.tenant_id OR t.deleted_at IS NOT NULL THEN 'NO_CHAT'
        -- They were an agent when it was accepted; who is one now, the tenant's lock says.
        WHEN i.sender_id IS NOT NULL AND NOT EXISTS (
          SELECT FROM tenant_agent a WHERE a.tenant_id = i.tenant_id AND a.user_id = i.sender_id AND a.left_at IS NULL)
          THEN 'NO_CHAT'
        WHEN k.merged_into_id IS NOT NULL THEN 'CLOSED'
        ELSE 'CREATED'
      END AS outcome
    FROM input i
    LEFT JOIN chat c ON c.id = i.chat_id
    LEFT JOIN conversation k ON k.chat_id = i.chat_id
    LEFT JOIN tenant t ON t.id = i.tenant_id
    LEFT JOIN whatsapp_message known ON known.wamid = i.wamid AND known.phone_number_id = i.phone_number_id
    LEFT JOIN whatsapp_message keyed ON keyed.tenant_id = i.tenant_id AND keyed.idempotency_key = i.idempotency_key
    LEFT JOIN message sent
      ON sent.sender_id = i.sender_id AND sent.client_key = i.key AND sent.chat_id::text = i.chat_id::text
    LEFT JOIN whatsapp_message context
      ON context.wamid = i.reply_to_wamid AND context.phone_number_id = i.phone_number_id AND context.chat_id = i.chat_id
    LEFT JOIN message replied
      ON replied.chat_id = i.chat_id AND replied.seq = coalesce(i.reply_to_seq, context.seq)
  ), firsts AS (
    -- The same message twice in one batch: the first one is written, the others repeat it.
    SELECT j.*,
      row_number() OVER (PARTITION BY j.phone_number_id, coalesce(j.wamid, 'ord ' || j.ord) ORDER BY j.ord) = 1
        AND row_number() OVER (PARTITION BY j.tenant_id, coalesce(j.idempotency_key, 'ord ' || j.ord) ORDER BY j.ord) = 1
        AND row_number() OVER (PARTITION BY j.chat_id, j.sender_id, CASE WHEN j.sender_id IS NULL THEN 'ord ' || j.ord ELSE j.key END ORDER BY j.ord) = 1
        AS is_first
    FROM judged j
  ), placed AS MATERIALIZED (
    SELECT f.*, f.outcome = 'CREATED' AND f.is_first AS is_new,
      (f.last_seq + count(*) FILTER (WHERE f.outcome = 'CREATED' AND f.is_first)
        OVER (PARTITION BY f.chat_id ORDER BY f.ord))::int AS new_seq
    FROM firsts f
  ), inserted AS (
    INSERT INTO message (chat_id, seq, sender_id, client_key, type, channel, text, media_id, mentions, reply_to_seq,
      forwarded, created_at, search)
    SELECT n.chat_id, n.new_seq, n.sender_id, n.key, n.type, 'WHATSAPP', n.text, n.media_id, '{}', n.reply_seq,
      coalesce(n.forwarded, false), p_at,
      search_vector(search_prefix(n.chat_id, n.new_seq), n.terms)
        || search_vector(tenant_search_prefix(n.tenant_id, search_span(p_at)), n.terms)
    FROM placed n WHERE n.is_new
  ), sided AS (
    INSERT INTO whatsapp_message (chat_id, seq, tenant_id, direction, phone_number_id, wamid, "from", "to", status,
      sent_at, error, idempotency_key, payload, dispatch, next_attempt_at, bot_pending, media_pending, is_history)
    SELECT n.chat_id, n.new_seq, n.tenant_id, n.direction, n.phone_number_id, n.wamid, n."from", n."to", n.status,
      n.sent_at, n.error, n.idempotency_key, coalesce(n.payload, '{}'), n.dispatch, n.next_attempt_at,
      coalesce(n.bot_pending, false) AND n.has_bot, coalesce(n.media_pending, false), coalesce(n.is_history, false)
    FROM placed n WHERE n.is_new
  ), totals AS MATERIALIZED (
    SELECT n.chat_id, max(n.new_seq) AS new_seq, min(n.last_seq) AS old_seq,
      bool_and(coalesce(n.is_history, false)) AS is_history,
      max(n.new_seq) FILTER (WHERE n.direction = 'IN' AND NOT coalesce(n.is_history, false)) AS inbound_seq,
      max(n.window_until) AS window_until,
      greatest(min(n.read_seq), max(n.new_seq) FILTER (WHERE n.marks = 'ALL')) AS mark,
      array_agg(n.new_seq) FILTER (WHERE n.marks IS DISTINCT FROM 'FOLLOW') AS stops
    FROM placed n WHERE n.is_new GROUP BY n.chat_id
  ), counted AS (
    UPDATE chat c SET last_seq = t.new_seq,
      updated_at = CASE WHEN t.is_history THEN c.updated_at ELSE greatest(c.updated_at, p_at) END,
      changed_tx = pg_current_xact_id()
    FROM totals t WHERE c.id = t.chat_id
  ), followed AS (
    UPDATE conversation k SET last_seq = t.new_seq,
      active_at = CASE WHEN t.is_history THEN k.active_at ELSE greatest(k.active_at, p_at) END,
      last_inbound_seq = coalesce(t.inbound_seq, k.last_inbound_seq),
      window_expires_at = greatest(k.window_expires_at, t.window_until),
      read_seq = CASE
        WHEN t.mark < t.old_seq THEN t.mark
        ELSE coalesce((SELECT min(s.seq) - 1 FROM unnest(t.stops) AS s (seq) WHERE s.seq > t.mark), t.new_seq)
      END,
      changed_tx = pg_current_xact_id()
    FROM totals t WHERE k.chat_id = t.chat_id
    RETURNING k.chat_id, k.read_seq, t.new_seq
  )
  SELECT p.ord,
    CASE
      WHEN p.is_new OR p.outcome <> 'CREATED' THEN p.outcome
      WHEN p.wamid IS NULL AND p.sender_id IS NULL THEN 'KEY_USED'
      ELSE 'REPEATED'
    END,
    CASE
      WHEN p.is_new THEN p.chat_id
      WHEN p.outcome = 'CLOSED' THEN p.merged_into_id
      ELSE coalesce(p.first_chat_id, p.chat_id)
    END,
    CASE WHEN p.is_new THEN p.new_seq ELSE coalesce(p.first_seq, twin.new_seq) END,
    p.agents_seq, p.status::text,
    p.is_new AND p.window_until > p_at AND coalesce(p.window_expires_at <= p_at, true),
    CASE WHEN f.read_seq > p.read_seq THEN f.read_seq END,
    p.reply_seq, p.reply_sender_id, p.reply_type::text, p.reply_text, p.reply_deleted
  FROM placed p
  LEFT JOIN LATERAL (
    SELECT o.new_seq FROM placed o
    WHERE o.is_new AND NOT p.is_new AND p.outcome = 'CREATED' AND (
      (o.wamid = p.wamid AND o.phone_number_id = p.phone_number_id)
      OR (o.tenant_id = p.tenant_id AND o.idempotency_key = p.idempotency_key)
      OR (o.chat_id = p.chat_id AND o.sender_id = p.sender_id AND o.key = p.key))
    LIMIT 1) twin ON true
  LEFT JOIN followed f ON p.is_new AND f.chat_id = p.chat_id AND f.new_seq = p.new_seq
  ORDER BY p.ord;

  IF v_wamids IS NOT NULL AND EXISTS (SELECT FROM pending_status p WHERE p.wamid = ANY (v_wamids)) THEN
    RETURN QUERY
      SELECT 0, 'STATUS', a.chat_id, a.seq, NULL::int, a.status, false, NULL::int, NULL::int, NULL::uuid, NULL, NULL, NULL::boolean
      FROM apply_pending_statuses(v_wamids, p_at) a;
  END IF;
  IF v_wamids IS NOT NULL AND EXISTS (
    SELECT FROM channel_change c WHERE c.target_wamid = ANY (v_wamids) AND NOT c.settled) THEN
    RETURN QUERY
      SELECT DISTINCT 0, 'CHANGED', a.chat_id, a.seq, a.agents_seq, NULL, false, NULL::int, NULL::int, NULL::uuid, NULL, NULL,
        NULL::boolean
      FROM (SELECT DISTINCT c.phone_number_id, c.target_wamid FROM channel_change c
        WHERE c.target_wamid = ANY (v_wamids) AND NOT c.settled) c
      CROSS JOIN LATERAL settle_channel_changes(c.phone_number_id, c.target_wamid, p_at) a;
  END IF;
END
$$;
