-- AlterTable
ALTER TABLE "tenant" ADD COLUMN     "everyone_is_agent" BOOLEAN NOT NULL DEFAULT false;

-- CreateEnum
CREATE TYPE "hook_delivery_state" AS ENUM ('PENDING', 'DELIVERED', 'FAILED');

-- CreateTable
CREATE TABLE "tenant_hook" (
    "tenant_id" UUID NOT NULL,
    "url" TEXT NOT NULL,
    "secret" TEXT NOT NULL,
    "events" TEXT[],
    "cursor_tx" xid8 NOT NULL DEFAULT pg_snapshot_xmin(pg_current_snapshot()),
    "cursor_chat_id" UUID NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    "cursor_seq" INTEGER NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "tenant_hook_pkey" PRIMARY KEY ("tenant_id")
);

-- CreateTable
CREATE TABLE "hook_delivery" (
    "id" UUID NOT NULL,
    "tenant_id" UUID NOT NULL,
    "key" TEXT NOT NULL,
    "event" TEXT NOT NULL,
    "data" JSONB NOT NULL,
    "state" "hook_delivery_state" NOT NULL DEFAULT 'PENDING',
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "next_attempt_at" TIMESTAMPTZ(3),
    "last_status" INTEGER,
    "last_error" TEXT,
    "delivered_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "hook_delivery_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "hook_delivery_tenant_id_key_key" ON "hook_delivery"("tenant_id", "key");

-- CreateIndex
CREATE INDEX "hook_delivery_tenant_id_created_at_id_idx" ON "hook_delivery"("tenant_id", "created_at" DESC, "id" DESC);

-- CreateIndex
CREATE INDEX "hook_delivery_due_idx" ON "hook_delivery"("tenant_id", "next_attempt_at") WHERE (state = 'PENDING');

-- CreateIndex
CREATE INDEX "hook_delivery_created_at_idx" ON "hook_delivery"("created_at");

CREATE FUNCTION iso_time(p_at timestamptz) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT to_char(p_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;

-- Makes deliveries of what has changed in a tenant's messages since its hook's cursor, of at most p_limit messages, and
-- moves the cursor. They are read in the order of the transactions that changed them, and none that a slower, older one
-- may still join, so nothing committed is passed over. What is read twice has the same key, and is delivered once.
-- fed: the new deliveries. read: how many messages were looked at. more: something is left, or could not be read yet.
CREATE FUNCTION feed_hook(p_tenant_id uuid, p_limit int, p_at timestamptz)
RETURNS TABLE (fed uuid[], read int, more boolean)
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  v_hook tenant_hook;
  v_xmin xid8;
  v_chat_ids uuid[];
  v_seqs int[];
  v_txs text[];
  v_size int;
  v_fed uuid[];
BEGIN
  SELECT h.* INTO v_hook FROM tenant_hook h WHERE h.tenant_id = p_tenant_id FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN QUERY SELECT '{}'::uuid[], 0, EXISTS (SELECT FROM tenant_hook h WHERE h.tenant_id = p_tenant_id);
    RETURN;
  END IF;
  -- Under a snapshot no newer than that of the next statement.
  v_xmin := pg_snapshot_xmin(pg_current_snapshot());

  SELECT coalesce(array_agg(p.chat_id ORDER BY p.changed_tx, p.chat_id, p.seq), '{}'),
    array_agg(p.seq ORDER BY p.changed_tx, p.chat_id, p.seq),
    array_agg(p.changed_tx::text ORDER BY p.changed_tx, p.chat_id, p.seq)
  INTO v_chat_ids, v_seqs, v_txs
  FROM (
    SELECT w.chat_id, w.seq, w.changed_tx FROM whatsapp_message w
    WHERE w.tenant_id = p_tenant_id AND w.changed_tx >= v_hook.cursor_tx AND w.changed_tx < v_xmin
      AND (w.changed_tx, w.chat_id, w.seq) > (v_hook.cursor_tx, v_hook.cursor_chat_id, v_hook.cursor_seq)
    ORDER BY w.changed_tx, w.chat_id, w.seq LIMIT p_limit
  ) p;
  v_size := cardinality(v_chat_ids);

  WITH changed AS (
    SELECT p.ord, w.*, p.chat_id || '.' || p.seq AS message_id, m.type, m.text, m.media_id, m.sender_id, m.created_at,
      m.deleted_at, jsonb_build_object('id', c.id, 'waId', c.wa_id, 'userId', c.user_id, 'phone', c.phone, 'name', c.name)
        AS customer
    FROM unnest(v_chat_ids, v_seqs) WITH ORDINALITY AS p (chat_id, seq, ord)
    JOIN whatsapp_message w ON w.chat_id = p.chat_id AND w.seq = p.seq
    JOIN message m ON m.chat_id = p.chat_id AND m.seq = p.seq
    JOIN conversation k ON k.chat_id = p.chat_id
    JOIN customer c ON c.id = k.customer_id
    WHERE NOT w.is_history
  ), events AS (
    SELECT h.ord, 0 AS step, h.event, h.event || ':' || h.message_id AS key,
      jsonb_build_object(
        'message', jsonb_build_object(
          'id', h.message_id, 'chatId', h.chat_id, 'seq', h.seq, 'type', h.type, 'text', h.text, 'mediaId', h.media_id,
          'senderId', h.sender_id, 'createdAt', iso_time(h.created_at),
          'whatsapp', jsonb_build_object('waMessageId', h.wamid, 'direction', h.direction, 'from', h."from", 'to', h."to",
            'sentAt', iso_time(h.sent_at), 'payload', h.payload)),
        'customer', h.customer) AS data
    FROM (
      SELECT c.*, CASE c.direction WHEN 'IN' THEN 'message.received' ELSE 'message.outgoing' END AS event FROM changed c
    ) h
    WHERE h.created_at >= v_hook.created_at AND h.deleted_at IS NULL
    UNION ALL
    SELECT c.ord, s.step, 'message.status',
      'message.status:' || c.message_id || ':' || s.status
        -- It may fail, be sent again and fail again.
        || CASE s.status WHEN 'FAILED' THEN ':' || extract(epoch FROM s.at) ELSE '' END,
      jsonb_build_object(
        'messageId', c.message_id, 'chatId', c.chat_id, 'waMessageId', c.wamid, 'status', s.status, 'at', iso_time(s.at),
        'error', CASE s.status WHEN 'FAILED' THEN c.error END, 'customer', c.customer)
    FROM changed c
    CROSS JOIN LATERAL (VALUES (1, 'SENT', c.status_sent_at), (2, 'FAILED', c.failed_at), (3, 'DELIVERED', c.delivered_at),
      (4, 'READ', c.read_at)) AS s (step, status, at)
    WHERE s.at IS NOT NULL
  ), made AS (
    INSERT INTO hook_delivery (id, tenant_id, key, event, data, next_attempt_at, created_at)
    SELECT gen_random_uuid(), p_tenant_id, e.key, e.event, e.data, p_at, p_at
    FROM events e WHERE e.event = ANY (v_hook.events) ORDER BY e.ord, e.step
    ON CONFLICT (tenant_id, key) DO NOTHING
    RETURNING id
  )
  SELECT coalesce(array_agg(d.id), '{}') INTO v_fed FROM made d;

  IF v_size = p_limit THEN
    UPDATE tenant_hook h SET cursor_tx = v_txs[v_size]::xid8, cursor_chat_id = v_chat_ids[v_size],
      cursor_seq = v_seqs[v_size]
    WHERE h.tenant_id = p_tenant_id;
    RETURN QUERY SELECT v_fed, v_size, true;
  ELSE
    UPDATE tenant_hook h SET cursor_tx = v_xmin, cursor_chat_id = '00000000-0000-0000-0000-000000000000', cursor_seq = 0
    WHERE h.tenant_id = p_tenant_id;
    RETURN QUERY SELECT v_fed, v_size, EXISTS (
      SELECT FROM whatsapp_message w WHERE w.tenant_id = p_tenant_id AND w.changed_tx >= v_xmin);
  END IF;
END
$$;
