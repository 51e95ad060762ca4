-- The order in which messages came to a tenant, for lists of all of them.
ALTER TABLE "whatsapp_message" ADD COLUMN "place" BIGSERIAL NOT NULL;

-- CreateIndex
CREATE INDEX "whatsapp_message_tenant_id_place_idx" ON "whatsapp_message"("tenant_id", "place");

-- Whatever all see of a chat with a customer is seen by who asks for the changed conversations of a tenant.
-- `append_channel_messages` does it by itself.
CREATE FUNCTION follow_chat() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE conversation SET last_seq = NEW.last_seq, active_at = NEW.updated_at, changed_tx = NEW.changed_tx
  WHERE chat_id = NEW.id AND (last_seq, active_at, changed_tx) IS DISTINCT FROM (NEW.last_seq, NEW.updated_at, NEW.changed_tx);
  RETURN NULL;
END
$$;
CREATE TRIGGER chat_followed AFTER UPDATE ON chat FOR EACH ROW
  WHEN (NEW.type = 'WHATSAPP' AND OLD.changed_tx IS DISTINCT FROM NEW.changed_tx
    AND current_setting('parley.appends', true) IS DISTINCT FROM 'on')
  EXECUTE FUNCTION follow_chat();

-- The customer is part of what agents see of the chat.
CREATE FUNCTION touch_conversations() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE conversation SET changed_tx = pg_current_xact_id() WHERE customer_id = NEW.id;
  RETURN NULL;
END
$$;
CREATE TRIGGER customer_changed AFTER UPDATE ON customer FOR EACH ROW
  WHEN ((OLD.wa_id, OLD.user_id, OLD.phone, OLD.name) IS DISTINCT FROM (NEW.wa_id, NEW.user_id, NEW.phone, NEW.name))
  EXECUTE FUNCTION touch_conversations();

CREATE TRIGGER whatsapp_message_changed BEFORE UPDATE ON whatsapp_message FOR EACH ROW
  WHEN (OLD.changed_tx = NEW.changed_tx AND (OLD.wamid, OLD."from", OLD."to", OLD.status, OLD.sent_at, OLD.error)
    IS DISTINCT FROM (NEW.wamid, NEW."from", NEW."to", NEW.status, NEW.sent_at, NEW.error))
  EXECUTE FUNCTION set_changed_tx();

CREATE FUNCTION set_joined_tx() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.joined_tx := pg_current_xact_id();
  RETURN NEW;
END
$$;
CREATE TRIGGER tenant_agent_joined BEFORE UPDATE ON tenant_agent FOR EACH ROW
  WHEN (OLD.left_at IS NOT NULL AND NEW.left_at IS NULL) EXECUTE FUNCTION set_joined_tx();

DROP FUNCTION sync_page(uuid, xid8, text, uuid, int, int, int);

-- Finds one page of what changed for a person at or after transaction p_from; null for a first sync, which is
-- everything. Nothing but addresses: the bodies are read later and may be newer. As a STABLE function it sees one
-- snapshot from its beginning to its end.
--
-- A round of pages goes through four lists. Three go by ids that grow: CONTACTS, USERS, CHATS. The position is the list
-- (p_phase), the last id that is done (p_after) and, within a chat whose messages did not fit, the seq below which they
-- go on (p_before, else null) and the lowest of the newest 50 where these are sent whatever their age (p_floor).
-- STATUSES are messages of which nothing but what their channel told of them has changed. They go by the transaction of
-- that change; the position is the last one that is done (p_tx, p_after, p_before).
-- p_limit bounds contacts, people, chats, messages and removals together.
--
-- A person is in a chat as a member, or as an agent of the tenant whose conversation it is. A tenant may have a hundred
-- thousand of these, so what happened in them is never looked for chat by chat: `conversation.changed_tx` says it of the
-- chat, with all that changes `chat.changed_tx` (triggers see to it). Who the agents are is the same in all chats of a
-- tenant, so when that changes it is told with one of them: the one with the highest id, which a round that goes on
-- cannot have passed.
--
-- Why no message is skipped. `p_from` is the xmin of an earlier snapshot S: whatever has a lower id was finished at S.
-- Messages of a chat commit in the order of their seqs, since each send holds the chat's row until it commits. So from
-- the newest backwards to the first row written by an id below p_from: that row was visible at S, and so was every
-- message below it. The round before began at S or later, and had them. A revision gives a row a new id; such rows are
-- found by their partial index, and do not end the walk. Whatever commits between two pages of a round was unfinished
-- at the round's first snapshot, so its id is not below that snapshot's xmin, from which the next round starts. STATUSES
-- leaves out what was written since p_from, which CHATS has handed out; a status that came in between is of the next
-- round. A row that changes again moves ahead of the position, never behind it.
CREATE FUNCTION sync_page(
  p_user_id uuid, p_from xid8, p_phase text, p_after uuid, p_before int, p_floor int, p_tx xid8, p_limit int)
RETURNS json
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
DECLARE
  c_newest CONSTANT int := 50;
  -- Beyond so many changed profiles it is cheaper to begin with the person's chats than with the profiles.
  c_few CONSTANT int := 100;
  -- Beyond so many changed conversations of a tenant it is cheaper to go through all of them in their order.
  c_many CONSTANT int := 5000;
  -- Statuses looked at for one page, most of which may be of new messages.
  c_looks CONSTANT int := 10000;
  v_snapshot CONSTANT pg_snapshot := pg_current_snapshot();
  v_first CONSTANT boolean := p_from IS NULL;
  v_from CONSTANT xid8 := coalesce(p_from, '0');
  v_phase text := coalesce(p_phase, 'CONTACTS');
  v_after uuid := coalesce(p_after, '00000000-0000-0000-0000-000000000000');
  v_before int := p_before;
  v_room int := p_limit;
  v_more boolean := false;
  v_changed_ids uuid[];
  v_versions int[];
  v_few boolean;
  v_mine uuid[];
  v_flagged uuid[];
  v_shown uuid[] := '{}';
  v_found uuid[];
  v_gone boolean[];
  v_contacts uuid[] := '{}';
  v_removed_contacts uuid[] := '{}';
  v_users uuid[] := '{}';
  v_removed_chats uuid[] := '{}';
  v_chats json[] := '{}';
  v_id uuid;
  v_chat record;
  v_resumed boolean;
  v_floor int;
  v_low int;
  v_size int;
  v_seqs int[];
  v_hidden int[];
  -- The tenants the person works for, those of them since before p_from, and those they came to or left since.
  v_tenants uuid[];
  v_staying uuid[];
  v_turned uuid[];
  v_tenant uuid;
  v_talks uuid[];
  v_tx xid8 := p_tx;
  v_looks int := 0;
  v_listed uuid[];
  v_row record;
BEGIN
  -- Nobody has even begun to write since.
  IF p_phase IS NULL AND NOT v_first AND pg_snapshot_xmax(v_snapshot) = v_from THEN
    RETURN json_build_object('epoch', sync_epoch_key(), 'xmin', pg_snapshot_xmin(v_snapshot)::text,
      'xmax', pg_snapshot_xmax(v_snapshot)::text);
  END IF;

  SELECT coalesce(array_agg(a.tenant_id) FILTER (WHERE a.left_at IS NULL), '{}'),
    coalesce(array_agg(a.tenant_id) FILTER (WHERE a.left_at IS NULL AND a.joined_tx < v_from), '{}'),
    coalesce(array_agg(a.tenant_id) FILTER (WHERE CASE WHEN a.left_at IS NULL THEN a.joined_tx >= v_from
      ELSE a.changed_tx >= v_from AND NOT v_first END), '{}')
  INTO v_tenants, v_staying, v_turned
  FROM tenant_agent a WHERE a.user_id = p_user_id;

  -- The profiles changed last.
  SELECT coalesce(array_agg(u.id), '{}'), coalesce(array_agg(u.version), '{}') INTO v_changed_ids, v_versions
  FROM (SELECT id, version FROM app_user WHERE changed_tx >= v_from ORDER BY changed_tx DESC LIMIT c_few + 1) u;
  v_few := cardinality(v_changed_ids) <= c_few;

  IF v_phase = 'CONTACTS' THEN
    SELECT array_agg(p.id), array_agg(p.gone) INTO v_found, v_gone FROM (
      SELECT c.id,
        EXISTS (SELECT FROM block b WHERE b.blocker_id = c.user_lo AND b.blocked_id = c.user_hi)
        OR EXISTS (SELECT FROM block b WHERE b.blocker_id = c.user_hi AND b.blocked_id = c.user_lo) AS gone
      FROM contact c
      WHERE c.id = ANY (ARRAY(
        SELECT r.id FROM contact r WHERE r.requester_id = p_user_id AND r.changed_tx >= v_from
        UNION ALL
        SELECT a.id FROM contact a WHERE a.addressee_id = p_user_id AND a.changed_tx >= v_from
        UNION ALL
        SELECT k.id FROM unnest(v_changed_ids) u (id)
        JOIN contact k ON k.user_lo = least(u.id, p_user_id) AND k.user_hi = greatest(u.id, p_user_id)
        WHERE v_few AND NOT v_first
        UNION ALL
        SELECT k.id FROM contact k JOIN app_user u
          ON u.id = CASE WHEN k.requester_id = p_user_id THEN k.addressee_id ELSE k.requester_id END
        WHERE NOT v_few AND NOT v_first AND (k.requester_id = p_user_id OR k.addressee_id = p_user_id)
          AND u.changed_tx >= v_from))
        AND c.id > v_after
      UNION ALL
      SELECT r.contact_id, true FROM removed_contact r
      WHERE NOT v_first AND r.user_id = p_user_id AND r.changed_tx >= v_from AND r.contact_id > v_after
      ORDER BY id LIMIT v_room + 1) p;
    IF cardinality(v_found) > v_room THEN
      v_more := true;
      v_found := v_found[:v_room];
      v_after := v_found[v_room];
    END IF;
    SELECT coalesce(array_agg(f.id) FILTER (WHERE NOT f.gone), '{}'),
      coalesce(array_agg(f.id) FILTER (WHERE f.gone AND NOT v_first), '{}')
    INTO v_contacts, v_removed_contacts
    FROM unnest(v_found, v_gone) f (id, gone) WHERE f.id IS NOT NULL;
    IF NOT v_more THEN
      v_room := v_room - coalesce(cardinality(v_found), 0);
      v_phase := 'USERS';
      v_after := '00000000-0000-0000-0000-000000000000';
    END IF;
  END IF;

  IF v_phase = 'USERS' AND NOT v_first AND NOT v_more THEN
    IF v_few THEN
      v_found := ARRAY(
        SELECT u.id FROM unnest(v_changed_ids) u (id)
        WHERE u.id > v_after AND u.id <> p_user_id AND (
          EXISTS (
            SELECT FROM contact k WHERE k.user_lo = least(u.id, p_user_id) AND k.user_hi = greatest(u.id, p_user_id))
          -- OFFSET keeps the planner from beginning with the person's own chats, who may have thousands.
          OR EXISTS (
            SELECT FROM (SELECT t.chat_id FROM member t WHERE t.user_id = u.id OFFSET 0) theirs
            WHERE EXISTS (
              SELECT FROM member mine
              WHERE mine.chat_id = theirs.chat_id AND mine.user_id = p_user_id AND mine.left_at IS NULL))
          OR EXISTS (
            SELECT FROM tenant_agent a WHERE a.user_id = u.id AND a.tenant_id = ANY (v_tenants)))
        ORDER BY u.id LIMIT v_room + 1);
    ELSE
      v_found := ARRAY(
        SELECT u.id FROM app_user u
        WHERE u.changed_tx >= v_from AND u.id > v_after AND u.id <> p_user_id AND u.id IN (
          SELECT k.user_lo FROM contact k WHERE k.requester_id = p_user_id OR k.addressee_id = p_user_id
          UNION
          SELECT k.user_hi FROM contact k WHERE k.requester_id = p_user_id OR k.addressee_id = p_user_id
          UNION
          SELECT theirs.user_id FROM member mine JOIN member theirs ON theirs.chat_id = mine.chat_id
          WHERE mine.user_id = p_user_id AND mine.left_at IS NULL
          UNION
          SELECT a.user_id FROM tenant_agent a WHERE a.tenant_id = ANY (v_tenants))
        ORDER BY u.id LIMIT v_room + 1);
    END IF;
    v_users := v_found[:v_room];
    IF cardinality(v_found) > v_room THEN
      v_more := true;
      v_after := coalesce(v_found[v_room], v_after);
    ELSE
      v_room := v_room - cardinality(v_found);
    END IF;
  END IF;
  IF v_phase = 'USERS' AND NOT v_more THEN
    v_phase := 'CHATS';
    v_after := '00000000-0000-0000-0000-000000000000';
  END IF;

  IF v_phase = 'CHATS' AND NOT v_more THEN
    v_flagged := ARRAY(
      SELECT DISTINCT f.chat_id FROM message_flag f WHERE f.user_id = p_user_id AND f.changed_tx >= v_from
        AND (NOT v_first OR f.hidden_at IS NOT NULL));
    v_talks := '{}';
    FOREACH v_tenant IN ARRAY v_turned
    LOOP
      v_talks := v_talks || ARRAY(
        SELECT k.chat_id FROM conversation k WHERE k.tenant_id = v_tenant AND k.chat_id >= v_after
        ORDER BY k.chat_id LIMIT v_room + 2);
    END LOOP;
    FOREACH v_tenant IN ARRAY v_staying
    LOOP
      v_found := ARRAY(
        SELECT k.chat_id FROM conversation k WHERE k.tenant_id = v_tenant AND k.changed_tx >= v_from
        ORDER BY k.changed_tx DESC LIMIT c_many + 1);
      IF cardinality(v_found) > c_many THEN
        v_found := ARRAY(
          SELECT k.chat_id FROM (
            SELECT t.chat_id, t.changed_tx FROM conversation t WHERE t.tenant_id = v_tenant AND t.chat_id >= v_after
            ORDER BY t.chat_id OFFSET 0) k
          WHERE k.changed_tx >= v_from LIMIT v_room + 2);
      END IF;
      v_talks := v_talks || v_found;
      IF EXISTS (SELECT FROM tenant_agent a WHERE a.tenant_id = v_tenant AND a.changed_tx >= v_from)
        OR v_few AND EXISTS (
          SELECT FROM unnest(v_changed_ids) u (id)
          JOIN tenant_agent a ON a.tenant_id = v_tenant AND a.user_id = u.id AND a.left_at IS NULL)
        OR NOT v_few AND EXISTS (
          SELECT FROM tenant_agent a JOIN app_user u ON u.id = a.user_id AND u.changed_tx >= v_from
          WHERE a.tenant_id = v_tenant AND a.left_at IS NULL)
      THEN
        v_talks := v_talks || ARRAY(
          SELECT k.chat_id FROM conversation k WHERE k.tenant_id = v_tenant ORDER BY k.chat_id DESC LIMIT 1);
      END IF;
    END LOOP;
    IF v_tenants <> '{}' AND NOT v_first THEN
      v_talks := v_talks || ARRAY(
        SELECT s.chat_id FROM agent_chat s WHERE s.user_id = p_user_id AND s.changed_tx >= v_from);
    END IF;
    IF v_first THEN
      v_found := ARRAY(
        SELECT m.chat_id FROM member m
        WHERE m.user_id = p_user_id AND m.left_at IS NULL AND m.chat_id >= v_after
        ORDER BY m.chat_id LIMIT v_room + 2);
      IF v_talks <> '{}' THEN
        v_found := ARRAY(SELECT f.id FROM unnest(v_found || v_talks) f (id) ORDER BY f.id LIMIT v_room + 2);
      END IF;
    ELSE
      -- A person may have thousands of chats and nothing new in them: three scans, not a search for each.
      SELECT array_agg(m.chat_id), array_agg(m.chat_id) FILTER (WHERE m.changed_tx >= v_from) INTO v_mine, v_found
      FROM member m WHERE m.user_id = p_user_id AND m.chat_id >= v_after;
      IF NOT v_few THEN
        v_shown := ARRAY(
          SELECT mine.id FROM unnest(v_mine) mine (id)
          WHERE EXISTS (
            SELECT FROM (SELECT t.user_id FROM member t WHERE t.chat_id = mine.id AND t.left_at IS NULL OFFSET 0) theirs
            JOIN app_user u ON u.id = theirs.user_id AND u.changed_tx >= v_from));
      ELSIF v_changed_ids <> '{}' THEN
        v_shown := ARRAY(
          SELECT theirs.chat_id
          FROM unnest(v_changed_ids) u (id)
          CROSS JOIN LATERAL (
            SELECT t.chat_id FROM member t
            WHERE t.user_id = u.id AND t.left_at IS NULL AND t.chat_id >= v_after OFFSET 0) theirs
          WHERE EXISTS (
            SELECT FROM (SELECT FROM member m WHERE m.chat_id = theirs.chat_id AND m.user_id = p_user_id OFFSET 0) mine));
      END IF;
      v_found := ARRAY(
        SELECT unnest(v_found)
        UNION
        SELECT c.id FROM chat c WHERE c.id = ANY (v_mine) AND c.changed_tx >= v_from
        UNION
        SELECT k.chat_id FROM chat_marks k WHERE k.chat_id = ANY (v_mine) AND k.changed_tx >= v_from
        UNION
        SELECT f.id FROM unnest(v_flagged) f (id) WHERE f.id >= v_after
        UNION
        SELECT f.id FROM unnest(v_shown) f (id)
        UNION
        SELECT f.id FROM unnest(v_talks) f (id) WHERE f.id >= v_after
        ORDER BY 1);
    END IF;

    FOREACH v_id IN ARRAY v_found
    LOOP
      SELECT c.id, c.last_seq, greatest(m.joined_seq, m.cleared_seq) + 1 AS first_seq,
        m.left_at IS NOT NULL AS is_left, m.changed_tx >= v_from AS is_mine_changed,
        m.joined_tx >= v_from AS is_joined, c.changed_tx >= v_from AS is_changed
      INTO v_chat
      FROM member m JOIN chat c ON c.id = m.chat_id
      WHERE m.chat_id = v_id AND m.user_id = p_user_id;
      IF NOT FOUND THEN
        SELECT c.id, c.last_seq, coalesce(s.cleared_seq, 0) + 1 AS first_seq,
          a.left_at IS NOT NULL AS is_left, a.changed_tx >= v_from AS is_mine_changed,
          a.joined_tx >= v_from AS is_joined, c.changed_tx >= v_from AS is_changed
        INTO v_chat
        FROM conversation k
        JOIN tenant_agent a ON a.tenant_id = k.tenant_id AND a.user_id = p_user_id
        JOIN chat c ON c.id = k.chat_id
        LEFT JOIN agent_chat s ON s.user_id = p_user_id AND s.chat_id = k.chat_id
        WHERE k.chat_id = v_id;
        CONTINUE WHEN NOT FOUND;
      END IF;
      v_resumed := v_chat.id = v_after AND v_before IS NOT NULL;
      CONTINUE WHEN v_chat.id = v_after AND NOT v_resumed;
      CONTINUE WHEN v_chat.is_left AND (v_first OR NOT v_chat.is_mine_changed);
      IF v_room = 0 THEN
        v_more := true;
        v_before := NULL;
        EXIT;
      END IF;
      v_after := v_chat.id;
      IF v_chat.is_left THEN
        v_removed_chats := v_removed_chats || v_chat.id;
        v_room := v_room - 1;
        v_before := NULL;
        CONTINUE;
      END IF;

      IF v_resumed THEN
        v_floor := p_floor;
      ELSE
        v_room := v_room - 1;
        v_before := v_chat.last_seq + 1;
        IF NOT v_first AND NOT v_chat.is_joined THEN
          v_floor := v_before;
        ELSIF v_chat.id = ANY (v_flagged) THEN
          SELECT coalesce(min(n.seq), v_before) INTO v_floor FROM (
            SELECT m.seq FROM message m
            LEFT JOIN message_flag f ON f.user_id = p_user_id AND f.chat_id = m.chat_id AND f.seq = m.seq
            WHERE m.chat_id = v_chat.id AND m.seq BETWEEN v_chat.first_seq AND v_chat.last_seq AND f.hidden_at IS NULL
            ORDER BY m.seq DESC LIMIT c_newest) n;
        ELSE
          v_floor := v_before - c_newest;
        END IF;
      END IF;
      v_low := least(v_before, v_floor);
      IF NOT v_first AND v_chat.is_changed AND v_low > v_chat.first_seq THEN
        SELECT least(v_low, coalesce(max(m.seq) + 1, v_before - v_room)) INTO v_low FROM (
          SELECT seq FROM message
          WHERE chat_id = v_chat.id AND seq >= greatest(v_before - v_room, v_chat.first_seq) AND seq < v_before
            AND changed_tx < v_from
          ORDER BY seq DESC LIMIT 1) m;
      END IF;
      v_low := greatest(v_low, v_before - v_room, v_chat.first_seq);
      v_size := greatest(v_before - v_low, 0);
      v_seqs := '{}';
      IF NOT v_first AND v_size < v_room THEN
        v_seqs := ARRAY(
          SELECT s.seq FROM (
            SELECT f.seq FROM message_flag f
            WHERE f.user_id = p_user_id AND f.chat_id = v_chat.id AND f.changed_tx >= v_from
              AND v_chat.id = ANY (v_flagged)
            UNION
            SELECT r.seq FROM message r
            WHERE r.chat_id = v_chat.id AND r.rev > 1 AND r.changed_tx >= v_from AND v_chat.is_changed
            UNION
            -- What a message replies to is shown with it.
            SELECT a.seq FROM message r JOIN message a ON a.chat_id = r.chat_id AND a.reply_to_seq = r.seq
            WHERE r.chat_id = v_chat.id AND r.rev > 1 AND r.changed_tx >= v_from AND v_chat.is_changed
          ) s
          WHERE s.seq >= v_chat.first_seq AND s.seq < v_low
          ORDER BY s.seq DESC LIMIT v_room - v_size + 1);
      END IF;
      IF v_size >= v_room THEN
        v_more := true;
      ELSIF cardinality(v_seqs) > v_room - v_size THEN
        v_more := true;
        v_seqs := v_seqs[:v_room - v_size];
      END IF;
      v_hidden := '{}';
      IF NOT v_first AND v_chat.id = ANY (v_flagged) THEN
        v_hidden := ARRAY(
          SELECT f.seq FROM message_flag f
          WHERE f.user_id = p_user_id AND f.chat_id = v_chat.id AND f.changed_tx >= v_from AND f.hidden_at IS NOT NULL
            AND (f.seq = ANY (v_seqs) OR (f.seq >= v_low AND f.seq < v_before)));
      END IF;
      v_chats := v_chats || json_build_object('id', v_chat.id, 'isNew', NOT v_resumed, 'isWhole', v_first OR v_chat.is_joined,
        'from', v_low, 'size', v_size, 'seqs', v_seqs, 'hidden', v_hidden);
      IF v_more THEN
        v_before := coalesce(v_seqs[cardinality(v_seqs)], v_low);
        EXIT;
      END IF;
      v_room := v_room - v_size - cardinality(v_seqs);
      v_before := NULL;
    END LOOP;
  END IF;

  IF v_phase = 'CHATS' AND NOT v_more AND NOT v_first AND v_staying <> '{}' THEN
    v_phase := 'STATUSES';
  END IF;

  IF v_phase = 'STATUSES' AND NOT v_more THEN
    v_listed := ARRAY(
      SELECT (f.chat ->> 'id')::uuid FROM unnest(v_chats) f (chat) WHERE (f.chat ->> 'isNew')::boolean);
    FOR v_row IN
      SELECT w.chat_id, w.seq, w.changed_tx, m.changed_tx < v_from AND w.seq > coalesce(s.cleared_seq, 0) AS is_due
      FROM (
        SELECT o.* FROM unnest(v_staying) t (id)
        CROSS JOIN LATERAL (
          SELECT l.chat_id, l.seq, l.changed_tx FROM whatsapp_message l
          WHERE l.tenant_id = t.id AND l.changed_tx >= coalesce(p_tx, v_from)
            AND (p_tx IS NULL OR (l.changed_tx, l.chat_id, l.seq) > (p_tx, p_after, p_before))
          ORDER BY l.changed_tx, l.chat_id, l.seq LIMIT c_looks) o
        ORDER BY o.changed_tx, o.chat_id, o.seq LIMIT c_looks) w
      JOIN message m ON m.chat_id = w.chat_id AND m.seq = w.seq
      LEFT JOIN agent_chat s ON s.user_id = p_user_id AND s.chat_id = w.chat_id
      ORDER BY w.changed_tx, w.chat_id, w.seq
    LOOP
      IF v_row.is_due THEN
        v_size := 1 + (v_row.chat_id <> ALL (v_listed))::int;
        -- One status and its chat are the least that a page of its own holds.
        IF v_size > v_room AND v_room < p_limit THEN
          v_more := true;
          EXIT;
        END IF;
        v_chats := v_chats || json_build_object('id', v_row.chat_id, 'isNew', true, 'isWhole', false,
          'from', v_row.seq, 'size', 1, 'seqs', '{}'::int[], 'hidden', '{}'::int[]);
        v_listed := v_listed || v_row.chat_id;
        v_room := v_room - v_size;
      END IF;
      v_looks := v_looks + 1;
      v_tx := v_row.changed_tx;
      v_after := v_row.chat_id;
      v_before := v_row.seq;
    END LOOP;
    v_more := v_more OR v_looks = c_looks;
  END IF;

  RETURN json_build_object(
    'epoch', sync_epoch_key(), 'xmin', pg_snapshot_xmin(v_snapshot)::text, 'xmax', pg_snapshot_xmax(v_snapshot)::text,
    'changedUsers', v_changed_ids, 'versions', v_versions,
    'contacts', v_contacts, 'removedContacts', v_removed_contacts, 'users', v_users,
    'chats', v_chats, 'removedChats', v_removed_chats,
    'next', CASE WHEN v_more THEN json_build_object(
      'phase', v_phase, 'after', v_after, 'before', v_before,
      'floor', CASE WHEN v_phase = 'CHATS' AND v_before IS NOT NULL THEN v_floor END, 'tx', v_tx::text) END);
END
$$;
