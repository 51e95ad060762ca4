-- AlterTable
ALTER TABLE "whatsapp_message" ADD COLUMN     "former_wamids" TEXT[] DEFAULT ARRAY[]::TEXT[],
ADD COLUMN     "slots_taken" SMALLINT NOT NULL DEFAULT 0;

-- AlterTable
ALTER TABLE "tenant" DROP COLUMN "bucket_at",
DROP COLUMN "bucket_tokens",
ADD COLUMN     "send_slots" TIMESTAMPTZ(3)[] DEFAULT ARRAY[]::TIMESTAMPTZ(3)[];

-- CreateTable
CREATE TABLE "outgoing_reaction" (
    "id" BIGSERIAL NOT NULL,
    "tenant_id" UUID NOT NULL,
    "chat_id" UUID NOT NULL,
    "seq" INTEGER NOT NULL,
    "user_id" UUID NOT NULL,
    "emoji" TEXT NOT NULL,
    "idempotency_key" TEXT,
    "dispatch" "dispatch_state",
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "next_attempt_at" TIMESTAMPTZ(3),
    "slots_taken" SMALLINT NOT NULL DEFAULT 0,
    "error" JSONB,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "outgoing_reaction_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "outgoing_reaction_idempotency_key" ON "outgoing_reaction"("tenant_id", "idempotency_key") WHERE (idempotency_key IS NOT NULL);

-- CreateIndex
CREATE INDEX "outgoing_reaction_queue_idx" ON "outgoing_reaction"("chat_id", "id") WHERE (dispatch IN ('READY', 'CALLING'));

-- CreateIndex
CREATE INDEX "outgoing_reaction_due_idx" ON "outgoing_reaction"("next_attempt_at") WHERE (dispatch IN ('READY', 'CALLING'));

-- CreateIndex
CREATE INDEX "conversation_untold_idx" ON "conversation"("tenant_id") WHERE (told_read_seq < LEAST(read_seq, last_inbound_seq));

-- Takes a token from the bucket of the pair and then one from that of the number, as far as p_taken (0, 1 for the pair's,
-- 2 for both) says that they are not taken yet, and returns what is taken now and from when on it may be used. The pair
-- has 45 tokens and gets one more every 6 seconds. The number has as many as it may send a second, and each comes back a
-- second after its use, so that no second sees more. Both are promised ahead, so that each send that waits has a time of
-- its own. The caller holds the conversation. Locks: tenant.
CREATE FUNCTION take_send_slot(p_tenant_id uuid, p_chat_id uuid, p_at timestamptz, p_taken smallint,
  OUT slot timestamptz, OUT taken smallint)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  c_pair_size CONSTANT double precision := 45;
  c_pair_seconds CONSTANT double precision := 6;
  v_rate int;
  v_used timestamptz[];
  v_pair double precision;
BEGIN
  slot := p_at;
  taken := p_taken;
  IF taken = 0 THEN
    UPDATE conversation k SET bucket_at = greatest(k.bucket_at, p_at),
      bucket_tokens = CASE WHEN k.bucket_at IS NULL THEN c_pair_size
        ELSE least(c_pair_size,
          k.bucket_tokens + greatest(0, extract(epoch FROM p_at - k.bucket_at)) / c_pair_seconds) END - 1
    WHERE k.chat_id = p_chat_id RETURNING k.bucket_tokens INTO v_pair;
    taken := 1;
    -- A rounding error of the division must not cost a millisecond more.
    slot := greatest(p_at, p_at + make_interval(secs => round((-v_pair * c_pair_seconds)::numeric, 3)::double precision));
    IF slot > p_at THEN RETURN; END IF;
  END IF;
  IF taken = 1 THEN
    SELECT t.messages_per_second, t.send_slots INTO v_rate, v_used
    FROM tenant t WHERE t.id = p_tenant_id FOR NO KEY UPDATE;
    IF cardinality(v_used) >= v_rate THEN
      slot := greatest(p_at, v_used[cardinality(v_used) - v_rate + 1] + interval '1 second');
    END IF;
    UPDATE tenant t SET send_slots = (
      SELECT array_agg(u.used ORDER BY u.used) FROM (
        SELECT used FROM unnest(v_used || slot) AS used ORDER BY used DESC LIMIT v_rate) u)
    WHERE t.id = p_tenant_id;
    taken := 2;
  END IF;
END
$$;

-- Says what is to be done with the oldest message of a conversation that waits to be sent:
-- NONE: nothing waits. WAIT: not before `wait_until`, or, if that is null, until the tenant may send again.
-- LOST: who was sending it has died. CLOSED: the window for free text has closed meanwhile. GONE: there is no tenant any
-- more. UPLOAD: its file is to be uploaded first, which is the caller's until p_upload_until.
-- CALL: it is the caller's to send until p_call_until, which is committed before anything leaves.
--
-- Locks: the conversation, so that one at a time is claimed, then the message, then the tenant.
CREATE FUNCTION claim_send(p_chat_id uuid, p_at timestamptz, p_call_until timestamptz, p_upload_until timestamptz)
RETURNS TABLE (outcome text, wait_until timestamptz, seq int, tenant_id uuid, attempt int, "to" text, payload jsonb,
  media_id uuid, reply_wamid text, wa_id text, user_id text)
LANGUAGE plpgsql VOLATILE
AS $$
#variable_conflict use_column
DECLARE
  v_head record;
  v_tenant record;
  v_window timestamptz;
  v_slot record;
  v_media_id uuid;
  v_reply_seq int;
BEGIN
  SELECT k.window_expires_at INTO v_window FROM conversation k WHERE k.chat_id = p_chat_id FOR NO KEY UPDATE;
  SELECT w.seq, w.tenant_id, w.dispatch, w.next_attempt_at, w.attempts, w."to", w.payload, w.slots_taken INTO v_head
  FROM whatsapp_message w WHERE w.chat_id = p_chat_id AND w.dispatch IN ('READY', 'CALLING')
  ORDER BY w.seq LIMIT 1 FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    outcome := 'NONE';
    RETURN NEXT;
    RETURN;
  END IF;
  seq := v_head.seq;
  tenant_id := v_head.tenant_id;
  attempt := v_head.attempts;
  "to" := v_head."to";
  payload := v_head.payload;
  SELECT t.status, t.is_mock, t.enforce_window, t.paused_until, t.deleted_at INTO v_tenant
  FROM tenant t WHERE t.id = v_head.tenant_id;
  SELECT m.media_id, m.reply_to_seq INTO v_media_id, v_reply_seq
  FROM message m WHERE m.chat_id = p_chat_id AND m.seq = v_head.seq;
  media_id := v_media_id;
  outcome := CASE
    WHEN v_head.next_attempt_at > p_at THEN 'WAIT'
    WHEN v_head.dispatch = 'CALLING' THEN 'LOST'
    WHEN v_tenant.deleted_at IS NOT NULL THEN 'GONE'
    WHEN v_tenant.status <> 'active' OR v_tenant.paused_until > p_at THEN 'WAIT'
    WHEN coalesce(v_tenant.enforce_window, NOT v_tenant.is_mock) AND v_head.payload ->> 'type' <> 'template'
      AND coalesce(v_window <= p_at, true) THEN 'CLOSED'
    WHEN v_tenant.is_mock THEN 'CALL'
    WHEN v_media_id IS NOT NULL AND v_head.payload ->> 'type' IN ('image', 'video', 'audio', 'document', 'sticker')
      AND v_head.payload -> (v_head.payload ->> 'type') ->> 'id' IS NULL THEN 'UPLOAD'
    ELSE 'CALL'
  END;
  IF outcome = 'WAIT' THEN
    wait_until := CASE
      WHEN v_head.next_attempt_at > p_at THEN v_head.next_attempt_at
      WHEN v_tenant.status = 'active' THEN v_tenant.paused_until
    END;
  ELSIF outcome = 'UPLOAD' THEN
    UPDATE whatsapp_message w SET next_attempt_at = p_upload_until WHERE w.chat_id = p_chat_id AND w.seq = v_head.seq;
  ELSIF outcome = 'CALL' THEN
    IF NOT v_tenant.is_mock THEN
      SELECT * INTO v_slot FROM take_send_slot(v_head.tenant_id, p_chat_id, p_at, v_head.slots_taken);
      IF v_slot.slot > p_at THEN
        UPDATE whatsapp_message w SET slots_taken = v_slot.taken, next_attempt_at = v_slot.slot
        WHERE w.chat_id = p_chat_id AND w.seq = v_head.seq;
        outcome := 'WAIT';
        wait_until := v_slot.slot;
        RETURN NEXT;
        RETURN;
      END IF;
    END IF;
    attempt := v_head.attempts + 1;
    reply_wamid := (SELECT r.wamid FROM whatsapp_message r WHERE r.chat_id = p_chat_id AND r.seq = v_reply_seq);
    SELECT c.wa_id, c.user_id INTO wa_id, user_id
    FROM conversation k JOIN customer c ON c.id = k.customer_id WHERE k.chat_id = p_chat_id;
    UPDATE whatsapp_message w SET dispatch = 'CALLING', claimed_at = p_at, next_attempt_at = p_call_until,
      attempts = v_head.attempts + 1, slots_taken = 0
    WHERE w.chat_id = p_chat_id AND w.seq = v_head.seq;
  END IF;
  RETURN NEXT;
END
$$;

-- Meta has taken a message: it is SENT, unless more was told of it already, and what was told of its wamid before is
-- applied. If the same message has come back as an echo meanwhile, the wamid is this one's.
-- Locks: the wamid (advisory), the message, the tenant (advisory, shared).
CREATE FUNCTION settle_sent(p_chat_id uuid, p_seq int, p_wamid text, p_at timestamptz)
RETURNS TABLE (tenant_id uuid, agents_seq int, status text)
LANGUAGE plpgsql VOLATILE
AS $$
#variable_conflict use_column
DECLARE
  v_message record;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(p_wamid, 0));
  SELECT w.tenant_id, w.phone_number_id INTO v_message
  FROM whatsapp_message w WHERE w.chat_id = p_chat_id AND w.seq = p_seq FOR NO KEY UPDATE;
  PERFORM pg_advisory_xact_lock_shared(lock_tenant_key(v_message.tenant_id));
  UPDATE whatsapp_message w SET wamid = NULL, changed_tx = pg_current_xact_id()
  WHERE w.wamid = p_wamid AND w.phone_number_id = v_message.phone_number_id
    AND (w.chat_id, w.seq) <> (p_chat_id, p_seq);
  UPDATE whatsapp_message w SET wamid = p_wamid, sent_at = coalesce(w.sent_at, p_at),
    status = CASE WHEN w.status = 'QUEUED' THEN 'SENT' ELSE w.status END,
    error = CASE WHEN w.failed_at IS NULL THEN NULL ELSE w.error END,
    dispatch = NULL, next_attempt_at = NULL, claimed_at = NULL, changed_tx = pg_current_xact_id()
  WHERE w.chat_id = p_chat_id AND w.seq = p_seq;
  PERFORM 1 FROM apply_pending_statuses(ARRAY[p_wamid], p_at);
  RETURN QUERY SELECT w.tenant_id, t.agents_seq, w.status::text
  FROM whatsapp_message w JOIN tenant t ON t.id = w.tenant_id WHERE w.chat_id = p_chat_id AND w.seq = p_seq;
END
$$;

-- A message was not sent: it is due again at p_again_at, or its outcome is UNKNOWN, or it has failed for good (p_state
-- READY, UNKNOWN or FAILED). Only while it is still the try p_attempt that waits for it, so that nothing told meanwhile is
-- overwritten. p_tries is added to its tries: -1 leaves them
-- as they were before the claim.
-- Locks: the message, the tenant (advisory, shared).
CREATE FUNCTION settle_unsent(p_chat_id uuid, p_seq int, p_attempt int, p_state text, p_again_at timestamptz,
  p_tries int, p_error jsonb, p_at timestamptz)
RETURNS TABLE (tenant_id uuid, agents_seq int, status text)
LANGUAGE plpgsql VOLATILE
AS $$
#variable_conflict use_column
DECLARE
  v_tenant_id uuid;
BEGIN
  SELECT w.tenant_id INTO v_tenant_id FROM whatsapp_message w
  WHERE w.chat_id = p_chat_id AND w.seq = p_seq AND w.attempts = p_attempt AND w.dispatch IN ('READY', 'CALLING')
  FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN; END IF;
  PERFORM pg_advisory_xact_lock_shared(lock_tenant_key(v_tenant_id));
  UPDATE whatsapp_message w SET
    status = CASE p_state WHEN 'FAILED' THEN 'FAILED' ELSE w.status END,
    failed_at = CASE p_state WHEN 'FAILED' THEN p_at ELSE w.failed_at END,
    dispatch = CASE p_state WHEN 'READY' THEN 'READY' WHEN 'UNKNOWN' THEN 'UNKNOWN' END::dispatch_state,
    next_attempt_at = CASE p_state WHEN 'READY' THEN p_again_at END,
    attempts = w.attempts + p_tries,
    claimed_at = NULL, slots_taken = 0, error = p_error, changed_tx = pg_current_xact_id()
  WHERE w.chat_id = p_chat_id AND w.seq = p_seq;
  RETURN QUERY SELECT w.tenant_id, t.agents_seq, w.status::text
  FROM whatsapp_message w JOIN tenant t ON t.id = w.tenant_id WHERE w.chat_id = p_chat_id AND w.seq = p_seq;
END
$$;

-- Puts a message that has failed, or of which nobody knows whether it was sent, back into the queue. No row for any
-- other. Locks: the message, the tenant (advisory, shared).
CREATE FUNCTION retry_send(p_tenant_id uuid, p_chat_id uuid, p_seq int, p_at timestamptz)
RETURNS TABLE (agents_seq int)
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
  PERFORM 1 FROM whatsapp_message w WHERE w.chat_id = p_chat_id AND w.seq = p_seq FOR NO KEY UPDATE;
  PERFORM pg_advisory_xact_lock_shared(lock_tenant_key(p_tenant_id));
  RETURN QUERY
  UPDATE whatsapp_message w SET status = 'QUEUED', dispatch = 'READY', next_attempt_at = p_at, attempts = 0,
    slots_taken = 0, claimed_at = NULL, former_wamids = array_remove(w.former_wamids || w.wamid, NULL),
    wamid = NULL, sent_at = NULL, status_sent_at = NULL, failed_at = NULL,
    error = NULL, changed_tx = pg_current_xact_id(),
    -- A file is uploaded anew: that may be what failed, and uploads die after 30 days.
    payload = CASE WHEN m.media_id IS NOT NULL AND w.payload ->> 'type' IN ('image', 'video', 'audio', 'document', 'sticker')
      THEN w.payload #- ARRAY[w.payload ->> 'type', 'id'] ELSE w.payload END
  FROM tenant t, message m
  WHERE w.chat_id = p_chat_id AND w.seq = p_seq AND w.tenant_id = p_tenant_id AND w.direction = 'OUT'
    AND (w.status = 'FAILED' OR w.dispatch = 'UNKNOWN') AND t.id = p_tenant_id
    AND m.chat_id = w.chat_id AND m.seq = w.seq AND m.deleted_at IS NULL
  RETURNING t.agents_seq;
END
$$;

-- Sets the business's reaction to a message, or takes it back (p_emoji null): it has one, whoever of its agents gave it.
-- Unless nothing changes, Meta is to be told (p_send).
--
-- outcome: PLACED, SAME, KEY_USED (with the first's address), NO_MESSAGE (none, or deleted) or NOT_SENT (Meta does not
-- know the message yet). Locks: the tenant (advisory, shared), then the chat.
CREATE FUNCTION place_reaction(p_tenant_id uuid, p_chat_id uuid, p_seq int, p_user_id uuid, p_emoji text, p_key text,
  p_send boolean, p_at timestamptz)
RETURNS TABLE (outcome text, chat_id uuid, seq int, rev int, emoji text, agents_seq int)
LANGUAGE plpgsql VOLATILE
AS $$
#variable_conflict use_column
DECLARE
  v_message record;
  v_before text;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(lock_tenant_key(p_tenant_id));
  PERFORM 1 FROM chat c WHERE c.id = p_chat_id FOR NO KEY UPDATE;
  chat_id := p_chat_id;
  seq := p_seq;
  IF p_key IS NOT NULL THEN
    SELECT f.chat_id, f.seq INTO v_message FROM (
      SELECT w.chat_id, w.seq FROM whatsapp_message w WHERE w.tenant_id = p_tenant_id AND w.idempotency_key = p_key
      UNION ALL
      SELECT o.chat_id, o.seq FROM outgoing_reaction o WHERE o.tenant_id = p_tenant_id AND o.idempotency_key = p_key
    ) f LIMIT 1;
    IF FOUND THEN
      outcome := 'KEY_USED';
      chat_id := v_message.chat_id;
      seq := v_message.seq;
      RETURN NEXT;
      RETURN;
    END IF;
  END IF;
  SELECT m.rev, w.wamid, k.customer_id, t.agents_seq INTO v_message
  FROM message m
  JOIN whatsapp_message w ON w.chat_id = m.chat_id AND w.seq = m.seq
  JOIN conversation k ON k.chat_id = m.chat_id
  JOIN tenant t ON t.id = p_tenant_id
  WHERE m.chat_id = p_chat_id AND m.seq = p_seq AND m.deleted_at IS NULL AND w.tenant_id = p_tenant_id;
  IF NOT FOUND OR v_message.wamid IS NULL THEN
    outcome := CASE WHEN v_message.rev IS NULL THEN 'NO_MESSAGE' ELSE 'NOT_SENT' END;
    RETURN NEXT;
    RETURN;
  END IF;
  agents_seq := v_message.agents_seq;
  SELECT r.emoji INTO v_before FROM reaction r
  WHERE r.chat_id = p_chat_id AND r.seq = p_seq AND r.user_id <> v_message.customer_id ORDER BY r.rev DESC LIMIT 1;
  emoji := coalesce(p_emoji, v_before);
  outcome := CASE WHEN v_before IS NOT DISTINCT FROM p_emoji THEN 'SAME' ELSE 'PLACED' END;
  IF outcome = 'PLACED' THEN
    DELETE FROM reaction r WHERE r.chat_id = p_chat_id AND r.seq = p_seq AND r.user_id <> v_message.customer_id;
    UPDATE message m SET rev = m.rev + 1, changed_tx = pg_current_xact_id()
    WHERE m.chat_id = p_chat_id AND m.seq = p_seq RETURNING m.rev INTO rev;
    IF p_emoji IS NOT NULL THEN
      INSERT INTO reaction (chat_id, seq, user_id, emoji, rev, reacted_at)
      VALUES (p_chat_id, p_seq, p_user_id, p_emoji, rev, p_at);
    END IF;
    UPDATE chat c SET changed_tx = pg_current_xact_id() WHERE c.id = p_chat_id;
    UPDATE conversation k SET changed_tx = pg_current_xact_id() WHERE k.chat_id = p_chat_id;
  END IF;
  IF p_send AND (outcome = 'PLACED' OR p_key IS NOT NULL) THEN
    INSERT INTO outgoing_reaction (tenant_id, chat_id, seq, user_id, emoji, idempotency_key, dispatch, next_attempt_at,
      created_at)
    VALUES (p_tenant_id, p_chat_id, p_seq, p_user_id, coalesce(p_emoji, ''), p_key,
      CASE outcome WHEN 'PLACED' THEN 'READY' END::dispatch_state, CASE outcome WHEN 'PLACED' THEN p_at END, p_at);
  END IF;
  RETURN NEXT;
END
$$;

-- `claim_send` for the oldest reaction of a conversation that Meta is to be told of. A reaction that is told twice is the
-- same reaction, so one whose sender has died is simply told again.
CREATE FUNCTION claim_reaction(p_chat_id uuid, p_at timestamptz, p_call_until timestamptz)
RETURNS TABLE (outcome text, wait_until timestamptz, id bigint, tenant_id uuid, attempt int, seq int, user_id uuid,
  emoji text, wamid text, "to" text)
LANGUAGE plpgsql VOLATILE
AS $$
#variable_conflict use_column
DECLARE
  v_head record;
  v_tenant record;
  v_window timestamptz;
  v_slot record;
BEGIN
  SELECT k.window_expires_at INTO v_window FROM conversation k WHERE k.chat_id = p_chat_id FOR NO KEY UPDATE;
  SELECT o.id, o.tenant_id, o.attempts, o.next_attempt_at, o.seq, o.user_id, o.emoji, o.slots_taken INTO v_head
  FROM outgoing_reaction o WHERE o.chat_id = p_chat_id AND o.dispatch IN ('READY', 'CALLING')
  ORDER BY o.id LIMIT 1 FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    outcome := 'NONE';
    RETURN NEXT;
    RETURN;
  END IF;
  id := v_head.id;
  tenant_id := v_head.tenant_id;
  attempt := v_head.attempts;
  seq := v_head.seq;
  user_id := v_head.user_id;
  emoji := v_head.emoji;
  SELECT t.status, t.is_mock, t.enforce_window, t.paused_until, t.deleted_at INTO v_tenant
  FROM tenant t WHERE t.id = v_head.tenant_id;
  SELECT w.wamid, coalesce(c.wa_id, c.phone, c.user_id) INTO wamid, "to"
  FROM whatsapp_message w JOIN conversation k ON k.chat_id = w.chat_id JOIN customer c ON c.id = k.customer_id
  WHERE w.chat_id = p_chat_id AND w.seq = v_head.seq;
  outcome := CASE
    WHEN v_head.next_attempt_at > p_at THEN 'WAIT'
    WHEN v_tenant.deleted_at IS NOT NULL THEN 'GONE'
    WHEN v_tenant.status <> 'active' OR v_tenant.paused_until > p_at THEN 'WAIT'
    WHEN coalesce(v_tenant.enforce_window, NOT v_tenant.is_mock) AND coalesce(v_window <= p_at, true) THEN 'CLOSED'
    ELSE 'CALL'
  END;
  IF outcome = 'WAIT' THEN
    wait_until := CASE
      WHEN v_head.next_attempt_at > p_at THEN v_head.next_attempt_at
      WHEN v_tenant.status = 'active' THEN v_tenant.paused_until
    END;
  ELSIF outcome = 'CALL' THEN
    SELECT * INTO v_slot
    FROM take_send_slot(v_head.tenant_id, p_chat_id, p_at, CASE WHEN v_tenant.is_mock THEN 2 ELSE v_head.slots_taken END::smallint);
    IF v_slot.slot > p_at THEN
      outcome := 'WAIT';
      wait_until := v_slot.slot;
      UPDATE outgoing_reaction o SET next_attempt_at = v_slot.slot, slots_taken = v_slot.taken WHERE o.id = v_head.id;
    ELSE
      attempt := v_head.attempts + 1;
      UPDATE outgoing_reaction o SET dispatch = 'CALLING', next_attempt_at = p_call_until, slots_taken = 0,
        attempts = v_head.attempts + 1
      WHERE o.id = v_head.id;
    END IF;
  END IF;
  RETURN NEXT;
END
$$;
