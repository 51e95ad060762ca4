-- An index each for who asked and who was asked, in the order of the changes: sync asks for the newest.
DROP INDEX "contact_requester_id_idx";
DROP INDEX "contact_addressee_id_idx";

-- CreateIndex
CREATE INDEX "contact_requester_id_changed_tx_idx" ON "contact"("requester_id", "changed_tx");

-- CreateIndex
CREATE INDEX "contact_addressee_id_changed_tx_idx" ON "contact"("addressee_id", "changed_tx");

-- Names the history that transaction ids belong to. It changes when another cluster serves, when a standby was
-- promoted or a backup replayed (a new timeline), and when whoever restores a copy writes a new row of sync_epoch.
CREATE FUNCTION sync_epoch_key() RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_key text;
BEGIN
  SELECT string_agg(e.id::text, ',' ORDER BY e.id) INTO v_key FROM sync_epoch e;
  IF NOT pg_is_in_recovery() THEN
    v_key := v_key || ' ' || left(pg_walfile_name(pg_current_wal_lsn()), 8);
  END IF;
  IF has_function_privilege('pg_control_system()', 'EXECUTE') THEN
    v_key := v_key || ' ' || (SELECT s.system_identifier FROM pg_control_system() s);
  END IF;
  RETURN left(md5(v_key), 16);
END
$$;

-- Finds one page of what changed for a person at or after transaction p_from; null for a first sync, which is
-- everything. Nothing but addresses: the bodies are read later and may be newer. As a STABLE function it sees one
-- snapshot from its beginning to its end.
--
-- A round of pages goes through three lists, each by ids that grow: CONTACTS, USERS, CHATS. The position is the list
-- (p_phase), the last id that is done (p_after) and, within a chat whose messages did not fit, the seq below which they
-- go on (p_before, else null) and the lowest of the newest 50 where these are sent whatever their age (p_floor).
-- p_limit bounds contacts, people, chats, messages and removals together.
--
-- Why no message is skipped. `p_from` is the xmin of an earlier snapshot S: whatever has a lower id was finished at S.
-- Messages of a chat commit in the order of their seqs, since each send holds the chat's row until it commits. So from
-- the newest backwards to the first row written by an id below p_from: that row was visible at S, and so was every
-- message below it. The round before began at S or later, and had them. A revision gives a row a new id; such rows are
-- found by their partial index, and do not end the walk. Whatever commits between two pages of a round was unfinished
-- at the round's first snapshot, so its id is not below that snapshot's xmin, from which the next round starts.
CREATE FUNCTION sync_page(
  p_user_id uuid, p_from xid8, p_phase text, p_after uuid, p_before int, p_floor int, p_limit int)
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
BEGIN
  -- Nobody has even begun to write since.
  IF p_phase IS NULL AND NOT v_first AND pg_snapshot_xmax(v_snapshot) = v_from THEN
    RETURN json_build_object('epoch', sync_epoch_key(), 'xmin', pg_snapshot_xmin(v_snapshot)::text,
      'xmax', pg_snapshot_xmax(v_snapshot)::text);
  END IF;

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
              WHERE mine.chat_id = theirs.chat_id AND mine.user_id = p_user_id AND mine.left_at IS NULL)))
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
          WHERE mine.user_id = p_user_id AND mine.left_at IS NULL)
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
    IF v_first THEN
      v_found := ARRAY(
        SELECT m.chat_id FROM member m
        WHERE m.user_id = p_user_id AND m.left_at IS NULL AND m.chat_id >= v_after
        ORDER BY m.chat_id LIMIT v_room + 2);
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
      CONTINUE WHEN NOT FOUND;
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

  RETURN json_build_object(
    'epoch', sync_epoch_key(), 'xmin', pg_snapshot_xmin(v_snapshot)::text, 'xmax', pg_snapshot_xmax(v_snapshot)::text,
    'changedUsers', v_changed_ids, 'versions', v_versions,
    'contacts', v_contacts, 'removedContacts', v_removed_contacts, 'users', v_users,
    'chats', v_chats, 'removedChats', v_removed_chats,
    'next', CASE WHEN v_more THEN json_build_object(
      'phase', v_phase, 'after', v_after, 'before', v_before, 'floor', CASE WHEN v_before IS NOT NULL THEN v_floor END) END);
END
$$;
