-- What all conversations of a tenant are searched by: its messages of six hours. A tenant may have so many conversations
-- that they cannot be gone through one by one, and so many messages a day that a common word's should not be.
CREATE FUNCTION tenant_search_prefix(p_tenant_id uuid, p_span int) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT 't' || left(p_tenant_id::text, 8) || to_hex(p_span) || ':'
$$;

CREATE FUNCTION search_span(p_at timestamptz) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT floor(extract(epoch FROM p_at) / 21600)::int
$$;

-- The terms of a message that crosses a channel are indexed a second time, under its tenant and time.
CREATE FUNCTION index_for_tenant() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  v_own CONSTANT text := search_prefix(NEW.chat_id, NEW.seq);
  v_prefix text;
  v_terms text[];
BEGIN
  SELECT tenant_search_prefix(k.tenant_id, search_span(NEW.created_at)) INTO v_prefix
  FROM conversation k WHERE k.chat_id = NEW.chat_id;
  IF v_prefix IS NOT NULL THEN
    v_terms := tsvector_to_array(NEW.search);
    NEW.search := array_to_tsvector(v_terms || ARRAY(
      SELECT v_prefix || substr(t.term, length(v_own) + 1) FROM unnest(v_terms) t (term) WHERE starts_with(t.term, v_own)));
  END IF;
  RETURN NEW;
END
$$;
-- `append_channel_messages` writes both at once.
CREATE TRIGGER message_indexed_for_tenant BEFORE UPDATE OF search ON message FOR EACH ROW
  WHEN (NEW.channel IS NOT NULL AND NEW.search IS NOT NULL) EXECUTE FUNCTION index_for_tenant();

-- Like `search_messages`, in the conversations of the tenants that a person works for, or of one of them.
--
-- Each span of time is asked for apart, the newest first and in growing shares, until enough is found: what lies in a
-- later share is older than all before it.
CREATE FUNCTION search_conversations(
  p_user_id uuid, p_tenant_id uuid, p_terms text[], p_are_prefixes boolean[],
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
  c_most CONSTANT int := 256;
  v_tenant_ids uuid[];
  v_span int;
  v_first_span int;
  v_spans int := 1;
  v_queries tsquery[];
  v_left int := p_limit;
  v_found int;
BEGIN
  SELECT array_agg(a.tenant_id) INTO v_tenant_ids
  FROM tenant_agent a
  WHERE a.user_id = p_user_id AND a.left_at IS NULL AND (p_tenant_id IS NULL OR a.tenant_id = p_tenant_id);
  IF v_tenant_ids IS NULL THEN RETURN; END IF;
  -- The clocks of two instances may differ, and what came first is not quite what is oldest: a span more on both sides.
  SELECT min(search_span(oldest.created_at)) - 1, max(search_span(newest.active_at)) + 1 INTO v_first_span, v_span
  FROM unnest(v_tenant_ids) t (id)
  CROSS JOIN LATERAL (
    SELECT m.created_at FROM whatsapp_message w JOIN message m ON m.chat_id = w.chat_id AND m.seq = w.seq
    WHERE w.tenant_id = t.id ORDER BY w.place LIMIT 1) oldest
  CROSS JOIN LATERAL (
    SELECT k.active_at FROM conversation k WHERE k.tenant_id = t.id ORDER BY k.active_at DESC, k.chat_id DESC LIMIT 1) newest;
  v_span := least(v_span, search_span(p_before_at));

  WHILE v_span >= v_first_span AND v_left > 0 LOOP
    v_spans := least(v_spans, v_span - v_first_span + 1);
    SELECT array_agg((
      SELECT string_agg(
        '''' || replace(replace(tenant_search_prefix(t.id, d.span) || e.term, '\', '\\'), '''', '''''') || ''''
          || CASE WHEN e.is_prefix THEN ':*' ELSE '' END, ' & ')
      FROM unnest(p_terms, p_are_prefixes) AS e (term, is_prefix))::tsquery)
    INTO v_queries
    FROM unnest(v_tenant_ids) t (id) CROSS JOIN generate_series(v_span - v_spans + 1, v_span) AS d (span);
    RETURN QUERY
      SELECT h.chat_id, h.seq, h.created_at, h.text
      -- Looked at in their order, and no more of them than are needed.
      FROM (
        SELECT m.chat_id, m.seq, m.created_at, m.text FROM (
          SELECT g.chat_id, g.seq, g.created_at, g.deleted_at, g.text FROM message g WHERE g.search @@ ANY (v_queries)
          OFFSET 0) m
        WHERE m.deleted_at IS NULL
          AND (p_before_at IS NULL OR (m.created_at, m.chat_id, m.seq) < (p_before_at, p_before_chat_id, p_before_seq))
        ORDER BY m.created_at DESC, m.chat_id DESC, m.seq DESC OFFSET 0) h
      JOIN conversation k ON k.chat_id = h.chat_id AND k.tenant_id = ANY (v_tenant_ids)
      LEFT JOIN agent_chat s ON s.user_id = p_user_id AND s.chat_id = h.chat_id
      WHERE h.seq > coalesce(s.cleared_seq, 0) AND NOT is_hidden(p_user_id, h.chat_id, h.seq)
      ORDER BY h.created_at DESC, h.chat_id DESC, h.seq DESC
      LIMIT v_left;
    GET DIAGNOSTICS v_found = ROW_COUNT;
    v_left := v_left - v_found;
    v_span := v_span - v_spans;
    v_spans := least(v_spans * 2, c_most);
  END LOOP;
END
$$;

-- The newest messages that a person may see and that hold all of some terms (`searchTermsOf`), newest first; of each
-- term `p_are_prefixes` says whether what begins with it counts too. `p_chat_id` restricts to one chat; without it, the
-- conversations that they reach as an agent are left to `search_conversations`. After a
-- position (`p_before_*`, null for none) the list goes on.
--
-- Common terms are found by looking at the person's newest messages, as long as that is cheap; all others by the
-- index, in the chats with the latest activity first and in growing shares, until what is found is newer than all
-- activity in the rest. What waits to be put into the index is put there first: each of the many small scans would
-- read all of it.
CREATE OR REPLACE FUNCTION search_messages(
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
      FROM (
        SELECT p.chat_id, p.joined_seq, p.cleared_seq FROM member p
        WHERE p.user_id = p_user_id AND p.left_at IS NULL AND (p_chat_id IS NULL OR p.chat_id = p_chat_id)
        UNION ALL
        SELECT p.chat_id, p.joined_seq, p.cleared_seq FROM chat_place p
        WHERE p.chat_id = p_chat_id AND p.user_id = p_user_id AND p.left_at IS NULL AND p.tenant_id IS NOT NULL
      ) m JOIN chat c ON c.id = m.chat_id
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
