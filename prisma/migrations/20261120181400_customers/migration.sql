-- AlterTable
ALTER TABLE "customer" ADD COLUMN     "opted_at" TIMESTAMPTZ(3);

-- Finds the customer who is known by any of these keys, or makes them, and learns what is told of them; customers who
-- turn out to be one are merged: the one whose conversation is the oldest stays, its aliases grow, the other
-- conversations close and say so, as does the one that goes on.
--
-- p_keys are aliases that name the customer; p_phone_key and p_user_key those among them that p_wa_id and p_user_id have.
-- An alias never moves but by a merge, and a conversation that was merged away says with which it goes on: so what was
-- found once may be kept. What is told replaces what was known, except by a number or an id that the customer has had
-- and left: a late message does not bring it back, only p_force does.
-- With p_make_chat there is a conversation afterwards; without p_make nothing is made.
--
-- Returns one row for the customer, or none without p_make; then one for each SYSTEM message of a merge, with chat and seq.
-- Locks: tenant (advisory, shared), keys (advisory, sorted), customers by id, chats by id, conversations by chat.
CREATE FUNCTION open_conversation(p_tenant_id uuid, p_keys text[], p_phone_key text, p_user_key text, p_ref json,
  p_force boolean, p_make boolean, p_make_chat boolean, p_customer_id uuid, p_chat_id uuid, p_merge_text text, p_at timestamptz)
RETURNS TABLE (customer_id uuid, wa_id text, user_id text, parent_user_id text, phone text, name text, username text,
  chat_id uuid, window_expires_at timestamptz, bot_paused boolean, agents_seq int, opened boolean, changed boolean,
  system_seq int)
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  v_ids uuid[];
  v_again uuid[];
  v_id uuid;
  v_known text[];
  v_own text[];
  v_old customer%ROWTYPE;
  v_new customer%ROWTYPE;
  v_chat_id uuid;
  v_lost uuid[] := '{}';
  v_agents_seq int;
  v_opened boolean := false;
  v_changed boolean := false;
  v_one uuid;
  v_seqs int[] := '{}';
  v_chats uuid[] := '{}';
  v_seq int;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(lock_tenant_key(p_tenant_id));
  SELECT t.agents_seq INTO v_agents_seq FROM tenant t WHERE t.id = p_tenant_id AND t.deleted_at IS NULL;
  IF NOT FOUND THEN RETURN; END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('customer ' || p_tenant_id::text || k.key, 0)) FROM (
    SELECT DISTINCT u.key FROM unnest(p_keys) AS u (key) ORDER BY u.key) k;

  -- A merge by other keys may be under way: who was found is looked up again under their locks.
  LOOP
    SELECT coalesce(array_agg(DISTINCT a.customer_id), '{}'), coalesce(array_agg(a.key), '{}') INTO v_ids, v_known
    FROM customer_alias a WHERE a.tenant_id = p_tenant_id AND a.key = ANY (p_keys);
    PERFORM 1 FROM customer c WHERE c.id = ANY (v_ids) ORDER BY c.id FOR NO KEY UPDATE;
    SELECT coalesce(array_agg(DISTINCT a.customer_id), '{}') INTO v_again
    FROM customer_alias a WHERE a.tenant_id = p_tenant_id AND a.key = ANY (p_keys);
    EXIT WHEN v_again <@ v_ids;
  END LOOP;

  IF cardinality(v_ids) = 0 THEN
    IF NOT p_make THEN RETURN; END IF;
    INSERT INTO customer (id, tenant_id, created_at, updated_at) VALUES (p_customer_id, p_tenant_id, p_at, p_at);
    v_id := p_customer_id;
  ELSE
    SELECT c.id INTO v_id FROM customer c
    LEFT JOIN LATERAL (
      SELECT min(h.created_at) AS at FROM conversation k JOIN chat h ON h.id = k.chat_id
      WHERE k.customer_id = c.id AND k.merged_into_id IS NULL) opened ON true
    WHERE c.id = ANY (v_ids) ORDER BY opened.at NULLS LAST, c.created_at, c.id LIMIT 1;
  END IF;

  -- Before the customer is touched: a trigger follows that into its conversations, which come after their chats.
  IF cardinality(v_ids) > 1 THEN
    PERFORM 1 FROM chat h
    WHERE h.id IN (SELECT k.chat_id FROM conversation k WHERE k.customer_id = ANY (v_ids) AND k.merged_into_id IS NULL)
    ORDER BY h.id FOR NO KEY UPDATE;
    PERFORM 1 FROM conversation k WHERE k.customer_id = ANY (v_ids) AND k.merged_into_id IS NULL
    ORDER BY k.chat_id FOR NO KEY UPDATE;
  END IF;

  SELECT * INTO v_old FROM customer c WHERE c.id = v_id;
  SELECT coalesce(array_agg(a.key), '{}') INTO v_own
  FROM customer_alias a WHERE a.tenant_id = p_tenant_id AND a.key = ANY (p_keys) AND a.customer_id = v_id;
  v_new := v_old;
  IF cardinality(v_ids) > 1 THEN
    SELECT coalesce(v_old.wa_id, min(c.wa_id)), coalesce(v_old.user_id, min(c.user_id)),
      coalesce(v_old.parent_user_id, min(c.parent_user_id)), coalesce(v_old.phone, min(c.phone)),
      coalesce(v_old.name, min(c.name)), coalesce(v_old.username, min(c.username)), v_old.opted_out OR bool_or(c.opted_out)
    INTO v_new.wa_id, v_new.user_id, v_new.parent_user_id, v_new.phone, v_new.name, v_new.username, v_new.opted_out
    FROM customer c WHERE c.id = ANY (v_ids) AND c.id <> v_id;
  END IF;
  IF p_ref ->> 'wa_id' IS NOT NULL AND (p_force OR v_new.wa_id IS NULL OR NOT p_phone_key = ANY (v_own)
    OR v_new.wa_id = ANY (SELECT json_array_elements_text(p_ref -> 'variants'))) THEN
    v_new.wa_id := p_ref ->> 'wa_id';
    v_new.phone := p_ref ->> 'phone';
  END IF;
  IF p_ref ->> 'user_id' IS NOT NULL AND (p_force OR v_new.user_id IS NULL OR NOT p_user_key = ANY (v_own)) THEN
    v_new.user_id := p_ref ->> 'user_id';
    v_new.parent_user_id := coalesce(p_ref ->> 'parent_user_id', v_new.parent_user_id);
  END IF;
  v_new.parent_user_id := coalesce(v_new.parent_user_id, p_ref ->> 'parent_user_id');
  v_new.name := coalesce(p_ref ->> 'name', v_new.name);
  v_new.username := coalesce(p_ref ->> 'username', v_new.username);

  IF v_new IS DISTINCT FROM v_old THEN
    v_changed := true;
    UPDATE customer c SET wa_id = v_new.wa_id, user_id = v_new.user_id, parent_user_id = v_new.parent_user_id,
      phone = v_new.phone, name = v_new.name, username = v_new.username, opted_out = v_new.opted_out, updated_at = p_at
    WHERE c.id = v_id;
  END IF;
  IF NOT p_keys <@ v_known THEN
    INSERT INTO customer_alias (tenant_id, key, customer_id)
    SELECT p_tenant_id, u.key, v_id FROM unnest(p_keys) AS u (key) ON CONFLICT DO NOTHING;
  END IF;

  SELECT k.chat_id INTO v_chat_id FROM conversation k JOIN chat h ON h.id = k.chat_id
  WHERE k.customer_id = v_id AND k.merged_into_id IS NULL ORDER BY h.created_at, h.id LIMIT 1;
  IF cardinality(v_ids) > 1 THEN
    SELECT coalesce(array_agg(k.chat_id ORDER BY k.chat_id), '{}') INTO v_lost
    FROM conversation k WHERE k.customer_id = ANY (v_ids) AND k.merged_into_id IS NULL AND k.chat_id <> v_chat_id;
    UPDATE customer_alias a SET customer_id = v_id WHERE a.tenant_id = p_tenant_id AND a.customer_id = ANY (v_ids);
    UPDATE customer c SET merged_into_id = v_id, updated_at = p_at
    WHERE (c.id = ANY (v_ids) AND c.id <> v_id) OR c.merged_into_id = ANY (array_remove(v_ids, v_id));
  END IF;

  IF cardinality(v_lost) > 0 THEN
    PERFORM 1 FROM chat h WHERE h.id = ANY (v_lost || v_chat_id) ORDER BY h.id FOR NO KEY UPDATE;
    PERFORM 1 FROM conversation k WHERE k.chat_id = ANY (v_lost || v_chat_id) ORDER BY k.chat_id FOR NO KEY UPDATE;
    FOREACH v_one IN ARRAY v_lost || v_chat_id LOOP
      UPDATE chat h SET last_seq = h.last_seq + 1, updated_at = greatest(h.updated_at, p_at),
        changed_tx = pg_current_xact_id()
      WHERE h.id = v_one RETURNING h.last_seq INTO v_seq;
      INSERT INTO message (chat_id, seq, client_key, type, text, mentions, created_at)
      VALUES (v_one, v_seq, 's:' || gen_random_uuid(), 'SYSTEM', p_merge_text, '{}', p_at);
      UPDATE conversation k SET last_seq = v_seq, active_at = greatest(k.active_at, p_at),
        read_seq = CASE WHEN k.read_seq = v_seq - 1 THEN v_seq ELSE k.read_seq END, changed_tx = pg_current_xact_id()
      WHERE k.chat_id = v_one;
      v_chats := v_chats || v_one;
      v_seqs := v_seqs || v_seq;
    END LOOP;
    UPDATE conversation k SET bot_paused = k.bot_paused OR l.bot_paused,
      window_expires_at = greatest(k.window_expires_at, l.window_expires_at)
    FROM (SELECT bool_or(c.bot_paused) AS bot_paused, max(c.window_expires_at) AS window_expires_at
      FROM conversation c WHERE c.chat_id = ANY (v_lost)) l
    WHERE k.chat_id = v_chat_id;
    UPDATE conversation k SET merged_into_id = v_chat_id, customer_id = v_id
    WHERE k.chat_id = ANY (v_lost) OR k.merged_into_id = ANY (v_lost);
    v_changed := true;
  END IF;

  IF v_chat_id IS NULL AND p_make AND p_make_chat THEN
    v_chat_id := p_chat_id;
    v_opened := true;
    INSERT INTO chat (id, type, created_at, updated_at) VALUES (v_chat_id, 'WHATSAPP', p_at, p_at);
    INSERT INTO conversation (chat_id, tenant_id, customer_id, active_at) VALUES (v_chat_id, p_tenant_id, v_id, p_at);
  ELSIF v_changed AND v_chat_id IS NOT NULL THEN
    UPDATE conversation k SET changed_tx = pg_current_xact_id() WHERE k.chat_id = v_chat_id;
  END IF;

  RETURN QUERY
  SELECT v_id, v_new.wa_id, v_new.user_id, v_new.parent_user_id, v_new.phone, v_new.name, v_new.username, v_chat_id,
    k.window_expires_at, coalesce(k.bot_paused, false), v_agents_seq, v_opened, v_changed AND NOT v_opened, NULL::int
  FROM (SELECT 1) AS one LEFT JOIN conversation k ON k.chat_id = v_chat_id;
  RETURN QUERY
  SELECT v_id, NULL, NULL, NULL, NULL, NULL, NULL, m.chat_id, NULL::timestamptz, false, v_agents_seq, false, true, m.seq
  FROM unnest(v_chats, v_seqs) AS m (chat_id, seq);
END
$$;
