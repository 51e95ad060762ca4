-- AlterTable
ALTER TABLE "pending_status" DROP CONSTRAINT "pending_status_pkey",
ALTER COLUMN "phone_number_id" SET DEFAULT '',
ALTER COLUMN "phone_number_id" SET NOT NULL,
ADD CONSTRAINT "pending_status_pkey" PRIMARY KEY ("wamid", "status", "participant", "phone_number_id");

-- CreateTable
CREATE TABLE "channel_change" (
    "phone_number_id" TEXT NOT NULL,
    "wamid" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "target_wamid" TEXT NOT NULL,
    "direction" "message_direction" NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "change" JSONB NOT NULL,
    "settled" BOOLEAN NOT NULL DEFAULT false,
    "received_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "channel_change_pkey" PRIMARY KEY ("phone_number_id","wamid","kind")
);

-- CreateIndex
CREATE INDEX "channel_change_target_wamid_phone_number_id_idx" ON "channel_change"("target_wamid", "phone_number_id");

-- CreateIndex
CREATE INDEX "channel_change_open_idx" ON "channel_change"("target_wamid") WHERE (NOT settled);

-- CreateIndex
CREATE INDEX "channel_change_received_at_idx" ON "channel_change"("received_at");

-- Brings a message to where the changes lead that were told of it: the latest by the time and the wamid that Meta gave
-- them stands, of edits and of the reactions of each side, and nothing comes after a revocation. So the order in which
-- changes come does not matter. Nothing for a message that is not there (yet).
--
-- Returns one row for each change that could be seen: EDIT, REVOKE or REACTION, with who made it (the customer, or the
-- tenant for the business), and the emoji that is there now or, when it was taken back, was.
-- The caller's transaction holds the advisory lock of the wamid. Locks: the chat.
CREATE FUNCTION settle_channel_changes(p_phone_number_id text, p_wamid text, p_at timestamptz)
RETURNS TABLE (kind text, chat_id uuid, seq int, rev int, actor_id uuid, emoji text, action text, media_id uuid,
  tenant_id uuid, agents_seq int)
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  v_at record;
  v_message record;
  v_change record;
  v_before text;
BEGIN
  SELECT w.chat_id, w.seq, w.tenant_id INTO v_at
  FROM whatsapp_message w WHERE w.wamid = p_wamid AND w.phone_number_id = p_phone_number_id;
  IF NOT FOUND THEN RETURN; END IF;
  PERFORM 1 FROM chat c WHERE c.id = v_at.chat_id FOR NO KEY UPDATE;
  PERFORM 1 FROM conversation k WHERE k.chat_id = v_at.chat_id FOR NO KEY UPDATE;
  SELECT m.deleted_at, m.media_id, k.customer_id, t.agents_seq INTO v_message
  FROM message m JOIN conversation k ON k.chat_id = m.chat_id JOIN tenant t ON t.id = v_at.tenant_id
  WHERE m.chat_id = v_at.chat_id AND m.seq = v_at.seq;

  FOR v_change IN
    SELECT l.* FROM (
      SELECT DISTINCT ON (c.kind, CASE c.kind WHEN 'REACTION' THEN c.direction END)
        c.kind, c.direction, c.change, c.settled
      FROM channel_change c WHERE c.target_wamid = p_wamid AND c.phone_number_id = p_phone_number_id
      ORDER BY c.kind, CASE c.kind WHEN 'REACTION' THEN c.direction END, c.at DESC, c.wamid DESC) l
    WHERE NOT l.settled ORDER BY l.kind = 'REVOKE' DESC, l.kind, l.direction
  LOOP
    EXIT WHEN v_message.deleted_at IS NOT NULL;
    kind := v_change.kind;
    actor_id := CASE v_change.direction WHEN 'IN' THEN v_message.customer_id ELSE v_at.tenant_id END;
    chat_id := v_at.chat_id;
    seq := v_at.seq;
    tenant_id := v_at.tenant_id;
    agents_seq := v_message.agents_seq;
    media_id := NULL;
    emoji := NULL;
    action := NULL;
    IF v_change.kind = 'REVOKE' THEN
      DELETE FROM reaction r WHERE r.chat_id = v_at.chat_id AND r.seq = v_at.seq;
      UPDATE message m SET text = NULL, media_id = NULL, search = NULL, deleted_at = p_at
      WHERE m.chat_id = v_at.chat_id AND m.seq = v_at.seq;
      UPDATE whatsapp_message w SET payload = jsonb_build_object('type', w.payload -> 'type'), bot_pending = false,
        media_pending = false, changed_tx = pg_current_xact_id()
      WHERE w.chat_id = v_at.chat_id AND w.seq = v_at.seq;
      v_message.deleted_at := p_at;
      media_id := v_message.media_id;
    ELSIF v_change.kind = 'EDIT' THEN
      UPDATE message m SET text = v_change.change ->> 'text', edited_at = p_at,
        search = search_vector(search_prefix(m.chat_id, m.seq), v_change.change ->> 'terms')
      WHERE m.chat_id = v_at.chat_id AND m.seq = v_at.seq;
      UPDATE whatsapp_message w SET payload = w.payload || (v_change.change -> 'payload'),
        changed_tx = pg_current_xact_id()
      WHERE w.chat_id = v_at.chat_id AND w.seq = v_at.seq;
    ELSE
      -- The business has one reaction, whoever of its agents gave it.
      SELECT r.emoji INTO v_before FROM reaction r
      WHERE r.chat_id = v_at.chat_id AND r.seq = v_at.seq
        AND (r.user_id = v_message.customer_id) = (v_change.direction = 'IN')
      ORDER BY r.rev DESC LIMIT 1;
      emoji := coalesce(v_change.change ->> 'emoji', v_before);
      action := CASE WHEN v_change.change ->> 'emoji' IS NULL THEN 'removed' ELSE 'added' END;
      CONTINUE WHEN v_before IS NOT DISTINCT FROM v_change.change ->> 'emoji';
      DELETE FROM reaction r
      WHERE r.chat_id = v_at.chat_id AND r.seq = v_at.seq
        AND (r.user_id = v_message.customer_id) = (v_change.direction = 'IN');
      IF v_change.change ->> 'emoji' IS NOT NULL THEN
        INSERT INTO reaction (chat_id, seq, user_id, emoji, rev, reacted_at)
        SELECT m.chat_id, m.seq, actor_id, emoji, m.rev + 1, p_at
        FROM message m WHERE m.chat_id = v_at.chat_id AND m.seq = v_at.seq;
      END IF;
    END IF;
    UPDATE message m SET rev = m.rev + 1, changed_tx = pg_current_xact_id()
    WHERE m.chat_id = v_at.chat_id AND m.seq = v_at.seq RETURNING m.rev INTO rev;
    UPDATE chat c SET changed_tx = pg_current_xact_id() WHERE c.id = v_at.chat_id;
    UPDATE conversation k SET changed_tx = pg_current_xact_id() WHERE k.chat_id = v_at.chat_id;
    RETURN NEXT;
  END LOOP;
  UPDATE channel_change c SET settled = true
  WHERE c.target_wamid = p_wamid AND c.phone_number_id = p_phone_number_id AND NOT c.settled;
END
$$;

-- Keeps a change that a channel told of a message, once, and brings the message to where its changes lead; one of an
-- unknown message is kept until that appears.
--
-- p_input is { tenant_id, phone_number_id, wamid, kind, target_wamid, direction, at, change }: `change` is
-- { text, terms, payload } of an EDIT and { emoji } of a REACTION.
-- Returns what `settle_channel_changes` does. Locks: tenant (advisory, shared), target wamid (advisory), chat.
CREATE FUNCTION change_channel_message(p_input json, p_at timestamptz)
RETURNS TABLE (kind text, chat_id uuid, seq int, rev int, actor_id uuid, emoji text, action text, media_id uuid,
  tenant_id uuid, agents_seq int)
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(lock_tenant_key((p_input ->> 'tenant_id')::uuid));
  PERFORM pg_advisory_xact_lock(hashtextextended(p_input ->> 'target_wamid', 0));
  INSERT INTO channel_change (phone_number_id, wamid, kind, target_wamid, direction, at, change, received_at)
  VALUES (p_input ->> 'phone_number_id', p_input ->> 'wamid', p_input ->> 'kind', p_input ->> 'target_wamid',
    (p_input ->> 'direction')::message_direction, (p_input ->> 'at')::timestamptz, (p_input -> 'change')::jsonb, p_at)
  ON CONFLICT DO NOTHING;
  RETURN QUERY SELECT * FROM settle_channel_changes(p_input ->> 'phone_number_id', p_input ->> 'target_wamid', p_at);
END
$$;

-- Gives a message of a channel what came after it: its file, or its content where there was a placeholder.
--
-- p_media_id is set unless it is null; p_fill, unless it is null, is { type, text, terms, payload, media_pending } and
-- replaces what is UNSUPPORTED alone; p_error says why its file will never come. Returns the new revision, or no row when
-- nothing changed.
-- Locks: tenant (advisory, shared), chat, medium.
CREATE FUNCTION complete_channel_message(p_chat_id uuid, p_seq int, p_media_id uuid, p_fill json, p_error json)
RETURNS TABLE (rev int, tenant_id uuid, agents_seq int)
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  v_tenant_id uuid;
  v_rev int;
BEGIN
  SELECT w.tenant_id INTO v_tenant_id FROM whatsapp_message w WHERE w.chat_id = p_chat_id AND w.seq = p_seq;
  IF NOT FOUND THEN RETURN; END IF;
  PERFORM pg_advisory_xact_lock_shared(lock_tenant_key(v_tenant_id));
  PERFORM 1 FROM chat c WHERE c.id = p_chat_id FOR NO KEY UPDATE;
  PERFORM 1 FROM conversation k WHERE k.chat_id = p_chat_id FOR NO KEY UPDATE;
  PERFORM 1 FROM media f WHERE f.id = p_media_id FOR KEY SHARE;
  IF p_error IS NOT NULL THEN
    UPDATE whatsapp_message w SET media_pending = false, error = p_error::jsonb, next_attempt_at = NULL,
      changed_tx = pg_current_xact_id()
    WHERE w.chat_id = p_chat_id AND w.seq = p_seq AND w.media_pending;
    IF FOUND THEN
      UPDATE message m SET rev = m.rev + 1, changed_tx = pg_current_xact_id()
      WHERE m.chat_id = p_chat_id AND m.seq = p_seq AND m.deleted_at IS NULL RETURNING m.rev INTO v_rev;
    END IF;
  ELSIF p_fill IS NULL THEN
    UPDATE message m SET media_id = p_media_id, rev = m.rev + 1, changed_tx = pg_current_xact_id()
    WHERE m.chat_id = p_chat_id AND m.seq = p_seq AND m.deleted_at IS NULL AND m.media_id IS NULL
    RETURNING m.rev INTO v_rev;
    UPDATE whatsapp_message w SET media_pending = false, error = NULL, next_attempt_at = NULL,
      changed_tx = pg_current_xact_id()
    WHERE w.chat_id = p_chat_id AND w.seq = p_seq AND w.media_pending;
  ELSE
    UPDATE message m SET type = (p_fill ->> 'type')::message_type, text = p_fill ->> 'text', rev = m.rev + 1,
      search = search_vector(search_prefix(m.chat_id, m.seq), p_fill ->> 'terms'), changed_tx = pg_current_xact_id()
    WHERE m.chat_id = p_chat_id AND m.seq = p_seq AND m.deleted_at IS NULL AND m.type = 'UNSUPPORTED'
    RETURNING m.rev INTO v_rev;
    UPDATE whatsapp_message w SET payload = (p_fill -> 'payload')::jsonb, error = NULL,
      media_pending = (p_fill ->> 'media_pending')::boolean, changed_tx = pg_current_xact_id()
    WHERE w.chat_id = p_chat_id AND w.seq = p_seq AND v_rev IS NOT NULL;
  END IF;
  IF v_rev IS NULL THEN RETURN; END IF;
  UPDATE chat c SET changed_tx = pg_current_xact_id() WHERE c.id = p_chat_id;
  UPDATE conversation k SET changed_tx = pg_current_xact_id() WHERE k.chat_id = p_chat_id;
  RETURN QUERY SELECT v_rev, v_tenant_id, t.agents_seq FROM tenant t WHERE t.id = v_tenant_id;
END
$$;
