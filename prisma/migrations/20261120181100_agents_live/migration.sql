-- Moves the mark that all agents of a tenant share in one of its conversations, forward only, and takes away the
-- reader's own note that it is unread. No row for who is no agent.
--
-- Locks: the tenant (advisory, shared), then the conversation. What is looked at stands in a later statement.
CREATE FUNCTION mark_team_read(p_chat_id uuid, p_user_id uuid, p_up_to_seq int)
RETURNS TABLE (tenant_id uuid, agents_seq int, last_seq int, read_seq int, read_moved boolean, mark_removed boolean)
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
  PERFORM pg_advisory_xact_lock_shared(lock_tenant_key(k.tenant_id)) FROM conversation k WHERE k.chat_id = p_chat_id;
  PERFORM 1 FROM conversation k WHERE k.chat_id = p_chat_id FOR NO KEY UPDATE;

  RETURN QUERY
  WITH place AS MATERIALIZED (
    SELECT k.chat_id, k.tenant_id, k.last_seq, k.read_seq, t.agents_seq
    FROM conversation k
    JOIN tenant t ON t.id = k.tenant_id
    JOIN tenant_agent a ON a.tenant_id = k.tenant_id AND a.user_id = p_user_id AND a.left_at IS NULL
    WHERE k.chat_id = p_chat_id
  ), moved AS (
    UPDATE conversation k SET read_seq = least(p_up_to_seq, p.last_seq)
    FROM place p WHERE k.chat_id = p.chat_id AND p.read_seq < least(p_up_to_seq, p.last_seq)
    RETURNING k.chat_id, k.read_seq
  ), removed AS (
    UPDATE agent_chat s SET marked_unread = false
    FROM place p WHERE s.user_id = p_user_id AND s.chat_id = p.chat_id AND s.marked_unread
    RETURNING s.chat_id
  )
  SELECT p.tenant_id, p.agents_seq, p.last_seq, coalesce(m.read_seq, p.read_seq), m.chat_id IS NOT NULL,
    r.chat_id IS NOT NULL
  FROM place p LEFT JOIN moved m ON true LEFT JOIN removed r ON true;
END
$$;

-- Agents see what the conversations of their tenants hold.
CREATE OR REPLACE FUNCTION may_attach(p_user_id uuid, p_media_id uuid) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN EXISTS (SELECT FROM media f WHERE f.id = p_media_id AND f.owner_id = p_user_id)
    OR EXISTS (
      SELECT FROM message h
      JOIN member m ON m.chat_id = h.chat_id AND m.user_id = p_user_id AND m.left_at IS NULL
      WHERE h.media_id = p_media_id AND h.deleted_at IS NULL AND h.seq > greatest(m.joined_seq, m.cleared_seq)
        AND NOT is_hidden(p_user_id, h.chat_id, h.seq))
    OR EXISTS (
      SELECT FROM message h
      JOIN conversation k ON k.chat_id = h.chat_id
      JOIN tenant_agent a ON a.tenant_id = k.tenant_id AND a.user_id = p_user_id AND a.left_at IS NULL
      LEFT JOIN agent_chat s ON s.user_id = p_user_id AND s.chat_id = h.chat_id
      WHERE h.media_id = p_media_id AND h.deleted_at IS NULL AND h.seq > coalesce(s.cleared_seq, 0)
        AND NOT is_hidden(p_user_id, h.chat_id, h.seq));
END
$$;
