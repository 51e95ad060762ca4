DROP FUNCTION send_messages(json, timestamptz);

-- Takes a batch of sends in one round trip.
--
-- p_inputs is a JSON array of { chat_id, sender_id, key, type, text, terms, media_id, reply_to_seq, mentions,
-- forwarded }, nulls may be left out; p_media_ids are the media in it (null for none), p_has_mentions says whether
-- anybody is mentioned. With p_all one refused input refuses all others.
-- Returns one row an input in their order, `ord` counting from 1: outcome CREATED or REPEATED with the message's seq,
-- or why not (NOT_MEMBER, BLOCKED, REPLY_NOT_VISIBLE, MEDIA_NOT_VISIBLE, MENTION_NOT_MEMBER, NOT_ALL). For a reply,
-- the message replied to is returned too. `members_seq` is the chat's at the commit.
--
-- The first statement locks the chats in id order; the second runs under a snapshot taken after the lock, so no
-- removal, block or repeated key can slip in between, and seq follows commit order. Media are locked too: what is
-- attached cannot be swept away as unused. Indexes are forced because the plan is cached per connection, perhaps
-- while the tables are still empty; new messages are numbered by window functions, as a join of the batch with itself
-- takes a step for each pair of inputs. What waits to be put into the search index is kept short: to put it there takes
-- some sender, or a searcher, tens of milliseconds instead of hundreds.
CREATE FUNCTION send_messages(
  p_inputs json, p_at timestamptz, p_media_ids uuid[], p_has_mentions boolean, p_all boolean)
RETURNS TABLE (ord int, outcome text, seq int, chat_type text, members_seq int,
  reply_sender_id uuid, reply_type text, reply_text text, reply_deleted boolean)
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
SET gin_pending_list_limit = '256kB'
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
  v_chat_ids uuid[];
BEGIN
  SELECT array_agg(DISTINCT i.chat_id) INTO v_chat_ids FROM json_to_recordset(p_inputs) AS i (chat_id uuid);

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
  ), judged AS (
    SELECT i.*, c.last_seq, c.members_seq, c.type AS chat_type, c.user_lo, c.user_hi, first.seq AS first_seq,
      replied.sender_id AS reply_sender_id, replied.type AS reply_type, replied.text AS reply_text,
      replied.deleted_at IS NOT NULL AS reply_deleted,
      CASE
        WHEN m.user_id IS NULL THEN 'NOT_MEMBER'
        WHEN first.seq IS NOT NULL THEN 'REPEATED'
        WHEN c.type = 'PRIVATE' AND (
          EXISTS (SELECT FROM block b WHERE b.blocker_id = c.user_lo AND b.blocked_id = c.user_hi)
          OR EXISTS (SELECT FROM block b WHERE b.blocker_id = c.user_hi AND b.blocked_id = c.user_lo)) THEN 'BLOCKED'
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
  ), firsts AS (
    -- The same key twice in one batch: the first input that is not refused is the message, the others repeat it.
    SELECT j.*, j.ord = min(j.ord) FILTER (WHERE j.outcome = 'CREATED')
        OVER (PARTITION BY j.chat_id, j.sender_id, j.key) AS is_first,
      bool_and(j.outcome IN ('CREATED', 'REPEATED')) OVER () AS are_all
    FROM judged j
  ), numbered AS (
    SELECT f.*, f.outcome = 'CREATED' AND f.is_first AND (f.are_all OR NOT p_all) AS is_new,
      (f.last_seq + count(*) FILTER (WHERE f.outcome = 'CREATED' AND f.is_first)
        OVER (PARTITION BY f.chat_id ORDER BY f.ord))::int AS next_seq
    FROM firsts f
  ), placed AS MATERIALIZED (
    SELECT n.*, min(n.next_seq) FILTER (WHERE n.is_new) OVER (PARTITION BY n.chat_id, n.sender_id, n.key) AS new_seq
    FROM numbered n
  ), inserted AS (
    INSERT INTO message (chat_id, seq, sender_id, client_key, type, text, media_id, mentions, reply_to_seq, forwarded,
      created_at, search)
    SELECT n.chat_id, n.new_seq, n.sender_id, n.key, n.type, n.text, n.media_id, coalesce(n.mentions, '{}'),
      n.reply_to_seq, coalesce(n.forwarded, false), p_at, search_vector(search_prefix(n.chat_id, n.new_seq), n.terms)
    FROM placed n WHERE n.is_new
  ), counted AS (
    UPDATE chat c SET last_seq = t.new_seq, updated_at = greatest(c.updated_at, p_at), changed_tx = pg_current_xact_id()
    FROM (SELECT n.chat_id, max(n.new_seq) AS new_seq FROM placed n WHERE n.is_new GROUP BY n.chat_id) t
    WHERE c.id = t.chat_id
  ), moved AS (
    UPDATE member m SET
      read_seq = t.new_seq,
      delivered_seq = t.new_seq,
      shown_read_seq = CASE WHEN t.shows_reads THEN t.new_seq ELSE m.shown_read_seq END,
      silent_read_seq = CASE WHEN t.shows_reads THEN m.silent_read_seq ELSE t.new_seq END,
      marked_unread = false
    FROM (
      SELECT g.*, g.chat_type <> 'PRIVATE' OR NOT EXISTS (
        SELECT FROM app_user u WHERE u.id IN (g.user_lo, g.user_hi) AND NOT u.read_receipts) AS shows_reads
      FROM (
        SELECT n.chat_id, n.sender_id, max(n.new_seq) AS new_seq, min(n.chat_type) AS chat_type,
          n.user_lo, n.user_hi
        -- Members are locked in (chat, user) order everywhere.
        FROM placed n WHERE n.is_new GROUP BY n.chat_id, n.sender_id, n.user_lo, n.user_hi ORDER BY n.chat_id, n.sender_id) g
    ) t
    WHERE m.chat_id = t.chat_id AND m.user_id = t.sender_id
  )
  SELECT p.ord,
    CASE
      WHEN p.outcome <> 'CREATED' THEN p.outcome
      WHEN p.new_seq IS NULL THEN 'NOT_ALL'
      WHEN NOT p.is_first THEN 'REPEATED'
      ELSE 'CREATED'
    END,
    coalesce(p.first_seq, p.new_seq), p.chat_type::text, p.members_seq,
    p.reply_sender_id, p.reply_type::text, p.reply_text, p.reply_deleted
  FROM placed p
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

-- What the index knows of some blocks of chats: the newest `p_limit` hits that a person may see and that come before
-- a position. One scan of the index a block costs less than queries of many blocks with `|`.
CREATE FUNCTION search_hits(
  p_user_id uuid, p_chat_ids uuid[], p_firsts int[], p_lasts int[], p_queries tsquery[],
  p_before_at timestamptz, p_before_chat_id uuid, p_before_seq int, p_limit int)
RETURNS TABLE (chat_id uuid, seq int, created_at timestamptz)
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = on
SET enable_nestloop = off
SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
  v_hides_any boolean := EXISTS (
    SELECT FROM message_flag f WHERE f.user_id = p_user_id AND f.hidden_at IS NOT NULL);
BEGIN
  RETURN QUERY
  SELECT m.chat_id, m.seq, m.created_at
  -- OFFSET 0 keeps the planner from going through whole chats.
  FROM (
    SELECT h.chat_id, h.seq, h.created_at, h.deleted_at FROM message h WHERE h.search @@ ANY (p_queries) OFFSET 0) m
  JOIN unnest(p_chat_ids, p_firsts, p_lasts) AS b (chat_id, first_seq, last_seq)
    ON b.chat_id = m.chat_id AND m.seq BETWEEN b.first_seq AND b.last_seq
  WHERE m.deleted_at IS NULL
    AND (p_before_at IS NULL OR (m.created_at, m.chat_id, m.seq) < (p_before_at, p_before_chat_id, p_before_seq))
    AND (NOT v_hides_any OR NOT is_hidden(p_user_id, m.chat_id, m.seq))
  ORDER BY m.created_at DESC, m.chat_id DESC, m.seq DESC
  LIMIT p_limit;
END
$$;

-- The newest messages that a person may see and that hold all of some terms (`searchTermsOf`), newest first; of each
-- term `p_are_prefixes` says whether what begins with it counts too. `p_chat_id` restricts to one chat. After a
-- position (`p_before_*`, null for none) the list goes on.
--
-- Common terms are found by looking at the person's newest messages, as long as that is cheap; all others by the
-- index, in the chats with the latest activity first and in growing shares, until what is found is newer than all
-- activity in the rest. What waits to be put into the index is put there first: each of the many small scans would
-- read all of it.
CREATE FUNCTION search_messages(
  p_user_id uuid, p_chat_id uuid, p_terms text[], p_are_prefixes boolean[],
  p_before_at timestamptz, p_before_chat_id uuid, p_before_seq int, p_limit int)
RETURNS TABLE (chat_id uuid, seq int, created_at timestamptz, text text)
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
  -- Messages and blocks looked at without the index: at most, and before it is judged whether that leads anywhere.
  c_looks CONSTANT int := 4000;
  c_first_looks CONSTANT int := 300;
  -- How far back the first look goes: to the activity of so many chats.
  c_first_window CONSTANT interval := '10 minutes';
  c_first_chats CONSTANT int := 150;
  -- The clocks of two instances may differ: seq order and time order are the same but for this.
  c_skew CONSTANT interval := '5 seconds';
  -- Messages in the first share: at least, and as many as should hold so many hits by what was looked at.
  c_first_share CONSTANT int := 32768;
  c_share_hits CONSTANT int := 4000;
  v_chat_ids uuid[];
  v_firsts int[];
  v_lasts int[];
  v_active_ats timestamptz[];
  v_queries tsquery[];
  v_blocks int;
  v_next int[];
  v_looks int := 0;
  -- Of these, messages before the position.
  v_seen int := 0;
  v_is_worth_it boolean := true;
  v_window interval;
  v_since timestamptz;
  v_row record;
  v_share int;
  v_messages int;
  v_from int := 1;
  v_to int;
  v_hit_chat_ids uuid[] := '{}';
  v_hit_seqs int[] := '{}';
  v_hit_ats timestamptz[] := '{}';
BEGIN
  SELECT array_agg(b.chat_id), array_agg(b.first_seq), array_agg(b.last_seq), array_agg(b.active_at), array_agg((
    SELECT string_agg(
      '''' || replace(replace(search_prefix(b.chat_id, b.last_seq) || t.term, '\', '\\'), '''', '''''') || ''''
        || CASE WHEN t.is_prefix THEN ':*' ELSE '' END, ' & ')
    FROM unnest(p_terms, p_are_prefixes) AS t (term, is_prefix))::tsquery)
  INTO v_chat_ids, v_firsts, v_lasts, v_active_ats, v_queries
  FROM (
    SELECT v.chat_id, greatest(v.first_seq, s.block << 12) AS first_seq,
      least(v.last_seq, (s.block << 12) + 4095) AS last_seq, v.active_at
    FROM (
      SELECT c.id AS chat_id, greatest(m.joined_seq, m.cleared_seq) + 1 AS first_seq,
        CASE WHEN p_before_chat_id = p_chat_id THEN least(c.last_seq, p_before_seq - 1) ELSE c.last_seq END AS last_seq,
        c.updated_at AS active_at
      FROM member m JOIN chat c ON c.id = m.chat_id
      WHERE m.user_id = p_user_id AND m.left_at IS NULL AND (p_chat_id IS NULL OR m.chat_id = p_chat_id)
    ) v
    CROSS JOIN LATERAL generate_series(v.first_seq >> 12, v.last_seq >> 12) AS s (block)
    WHERE v.first_seq <= v.last_seq
    ORDER BY v.active_at DESC, v.chat_id DESC, s.block DESC
  ) b;
  v_blocks := coalesce(cardinality(v_chat_ids), 0);
  IF v_blocks = 0 THEN RETURN; END IF;

  v_next := v_lasts;
  v_window := greatest(c_first_window, v_active_ats[1] - v_active_ats[least(c_first_chats, v_blocks)]);
  LOOP
    v_since := least(p_before_at, v_active_ats[1]) - v_window;
    FOR i IN 1 .. v_blocks LOOP
      EXIT WHEN v_active_ats[i] < v_since OR NOT v_is_worth_it;
      CONTINUE WHEN v_next[i] < v_firsts[i];
      v_looks := v_looks + 1;
      FOR v_row IN
        SELECT m.seq, m.created_at, m.deleted_at IS NULL AND m.search @@ v_queries[i] AS is_hit
        FROM message m WHERE m.chat_id = v_chat_ids[i] AND m.seq BETWEEN v_firsts[i] AND v_next[i]
        ORDER BY m.seq DESC
      LOOP
        EXIT WHEN v_row.created_at < v_since - c_skew;
        v_looks := v_looks + 1;
        v_is_worth_it := v_looks < c_looks
          AND (v_seen < c_first_looks OR cardinality(v_hit_ats) * (c_looks / 2) >= v_seen * p_limit);
        EXIT WHEN NOT v_is_worth_it;
        v_next[i] := v_row.seq - 1;
        CONTINUE WHEN p_before_at IS NOT NULL
          AND (v_row.created_at, v_chat_ids[i], v_row.seq) >= (p_before_at, p_before_chat_id, p_before_seq);
        v_seen := v_seen + 1;
        IF v_row.is_hit AND NOT is_hidden(p_user_id, v_chat_ids[i], v_row.seq) THEN
          v_hit_chat_ids := v_hit_chat_ids || v_chat_ids[i];
          v_hit_seqs := v_hit_seqs || v_row.seq;
          v_hit_ats := v_hit_ats || v_row.created_at;
        END IF;
      END LOOP;
    END LOOP;
    EXIT WHEN NOT v_is_worth_it OR v_window > interval '10 years';
    IF (SELECT count(*) FROM unnest(v_hit_ats) AS h (at) WHERE h.at >= v_since) >= p_limit THEN
      RETURN QUERY
        SELECT m.chat_id, m.seq, m.created_at, m.text
        FROM (
          SELECT * FROM unnest(v_hit_chat_ids, v_hit_seqs, v_hit_ats) AS h (chat_id, seq, created_at)
          ORDER BY h.created_at DESC, h.chat_id DESC, h.seq DESC LIMIT p_limit) h
        JOIN message m ON m.chat_id = h.chat_id AND m.seq = h.seq
        ORDER BY m.created_at DESC, m.chat_id DESC, m.seq DESC;
      RETURN;
    END IF;
    v_window := v_window * least(4, greatest(1.5, 1.3 * p_limit / greatest(cardinality(v_hit_ats), 1)));
  END LOOP;

  v_share := greatest(c_first_share, c_share_hits * (v_seen + 1.0) / (cardinality(v_hit_ats) + 0.5))::int;
  v_hit_chat_ids := '{}';
  v_hit_seqs := '{}';
  v_hit_ats := '{}';
  BEGIN
    PERFORM gin_clean_pending_list('message_search_idx');
  EXCEPTION WHEN insufficient_privilege THEN
    -- The server does not own its tables: searches are slower while messages come in.
    NULL;
  END;
  WHILE v_from <= v_blocks LOOP
    EXIT WHEN cardinality(v_hit_ats) >= p_limit AND v_hit_ats[p_limit] > v_active_ats[v_from];
    v_to := v_from;
    v_messages := v_lasts[v_to] - v_firsts[v_to] + 1;
    WHILE v_to < v_blocks AND v_messages < v_share LOOP
      v_to := v_to + 1;
      v_messages := v_messages + v_lasts[v_to] - v_firsts[v_to] + 1;
    END LOOP;
    SELECT coalesce(array_agg(n.chat_id), '{}'), coalesce(array_agg(n.seq), '{}'), coalesce(array_agg(n.created_at), '{}')
    INTO v_hit_chat_ids, v_hit_seqs, v_hit_ats
    FROM (
      SELECT * FROM (
        SELECT * FROM unnest(v_hit_chat_ids, v_hit_seqs, v_hit_ats) AS h (chat_id, seq, created_at)
        UNION ALL
        SELECT * FROM search_hits(
          p_user_id, v_chat_ids[v_from : v_to], v_firsts[v_from : v_to], v_lasts[v_from : v_to],
          v_queries[v_from : v_to], p_before_at, p_before_chat_id, p_before_seq, p_limit)
      ) a
      ORDER BY a.created_at DESC, a.chat_id DESC, a.seq DESC LIMIT p_limit
    ) n;
    v_from := v_to + 1;
    v_share := v_share * 2;
  END LOOP;
  RETURN QUERY
    SELECT m.chat_id, m.seq, m.created_at, m.text
    FROM unnest(v_hit_chat_ids, v_hit_seqs) AS h (chat_id, seq)
    JOIN message m ON m.chat_id = h.chat_id AND m.seq = h.seq
    ORDER BY m.created_at DESC, m.chat_id DESC, m.seq DESC;
END
$$;
