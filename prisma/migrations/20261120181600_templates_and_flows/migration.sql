-- CreateTable
CREATE TABLE "template" (
    "id" UUID NOT NULL,
    "tenant_id" UUID NOT NULL,
    "key" TEXT NOT NULL,
    "language" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "content" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "template_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "template_version" (
    "template_id" UUID NOT NULL,
    "version" INTEGER NOT NULL,
    "content" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "template_version_pkey" PRIMARY KEY ("template_id","version")
);

-- CreateTable
CREATE TABLE "meta_template" (
    "tenant_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "language" TEXT NOT NULL,
    "meta_id" TEXT,
    "status" TEXT,
    "reason" TEXT,
    "category" TEXT,
    "quality" TEXT,
    "parameter_format" TEXT,
    "status_at" TIMESTAMPTZ(3),
    "category_at" TIMESTAMPTZ(3),
    "quality_at" TIMESTAMPTZ(3),
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "meta_template_pkey" PRIMARY KEY ("tenant_id","name","language")
);

-- CreateTable
CREATE TABLE "flow_set" (
    "tenant_id" UUID NOT NULL,
    "version" INTEGER NOT NULL,
    "flows" JSONB NOT NULL,
    "fallback_template_key" TEXT,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "flow_set_pkey" PRIMARY KEY ("tenant_id")
);

-- CreateTable
CREATE TABLE "bot_answer" (
    "chat_id" UUID NOT NULL,
    "seq" INTEGER NOT NULL,
    "tenant_id" UUID NOT NULL,
    "idempotency_key" TEXT NOT NULL,
    "message" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "bot_answer_pkey" PRIMARY KEY ("chat_id","seq")
);

-- CreateTable
CREATE TABLE "bot_count" (
    "chat_id" UUID NOT NULL,
    "short_at" TIMESTAMPTZ(3) NOT NULL,
    "short_count" INTEGER NOT NULL,
    "long_at" TIMESTAMPTZ(3) NOT NULL,
    "long_count" INTEGER NOT NULL,

    CONSTRAINT "bot_count_pkey" PRIMARY KEY ("chat_id")
);

-- CreateIndex
CREATE UNIQUE INDEX "template_tenant_id_key_language_key" ON "template"("tenant_id", "key", "language");

-- Commits what the bot has decided about a batch of messages of customers, in one round trip.
--
-- p_inputs is a JSON array of { chat_id, seq, state, next_state, hand_off, answer, idempotency_key }, nulls may be left
-- out, at most one message a chat: `state` is the conversation's state that was decided upon, `answer` the message that
-- is to be sent. p_limits is { short_ms, short_max, long_ms, long_max }: how many answers a customer gets in a time.
--
-- Returns one row an input in their order. DECIDED: the message no longer waits, the state is the next one, the hand-off
-- is made, and the answer is kept in bot_answer until it was accepted for sending. LIMITED: the same without an answer
-- and without a change, for there were too many. STALE: nothing was done; the conversation is not what it was when this
-- was decided, or an earlier message of it waits. DONE: somebody else has. `more` says that another message waits.
--
-- Locks: tenants (advisory, shared), conversations by chat, then their messages.
CREATE FUNCTION commit_bot_decisions(p_inputs json, p_limits json, p_at timestamptz)
RETURNS TABLE (ord int, outcome text, chat_id uuid, seq int, handed_off boolean, tenant_id uuid, agents_seq int, more boolean)
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
  v_chat_ids uuid[];
  v_short interval := make_interval(secs => (p_limits ->> 'short_ms')::float8 / 1000);
  v_long interval := make_interval(secs => (p_limits ->> 'long_ms')::float8 / 1000);
BEGIN
  SELECT array_agg(DISTINCT i.chat_id) INTO v_chat_ids FROM json_to_recordset(p_inputs) AS i (chat_id uuid);
  PERFORM pg_advisory_xact_lock_shared(lock_tenant_key(t.tenant_id)) FROM (
    SELECT DISTINCT k.tenant_id FROM conversation k WHERE k.chat_id = ANY (v_chat_ids) ORDER BY 1) t;
  PERFORM 1 FROM conversation k WHERE k.chat_id = ANY (v_chat_ids) ORDER BY k.chat_id FOR NO KEY UPDATE;

  RETURN QUERY
  WITH input AS MATERIALIZED (
    SELECT r.*
    FROM ROWS FROM (json_to_recordset(p_inputs) AS (
      chat_id uuid, seq int, state text, next_state text, hand_off boolean, answer jsonb, idempotency_key text
    )) WITH ORDINALITY AS r (chat_id, seq, state, next_state, hand_off, answer, idempotency_key, ord)
  ), judged AS MATERIALIZED (
    SELECT i.*, k.tenant_id, t.agents_seq,
      CASE
        WHEN w.seq IS NULL OR NOT w.bot_pending THEN 'DONE'
        WHEN k.bot_state IS DISTINCT FROM i.state OR EXISTS (
          SELECT FROM whatsapp_message e WHERE e.chat_id = i.chat_id AND e.seq < i.seq AND e.bot_pending) THEN 'STALE'
        WHEN (k.bot_paused OR k.merged_into_id IS NOT NULL)
          AND (i.answer IS NOT NULL OR i.hand_off OR i.next_state IS DISTINCT FROM i.state) THEN 'STALE'
        WHEN i.answer IS NOT NULL AND (
          (n.short_at > p_at - v_short AND n.short_count >= (p_limits ->> 'short_max')::int)
          OR (n.long_at > p_at - v_long AND n.long_count >= (p_limits ->> 'long_max')::int)) THEN 'LIMITED'
        ELSE 'DECIDED'
      END AS outcome
    FROM input i
    LEFT JOIN conversation k ON k.chat_id = i.chat_id
    LEFT JOIN tenant t ON t.id = k.tenant_id
    LEFT JOIN whatsapp_message w ON w.chat_id = i.chat_id AND w.seq = i.seq
    LEFT JOIN bot_count n ON n.chat_id = i.chat_id
  ), cleared AS (
    UPDATE whatsapp_message w SET bot_pending = false
    FROM judged j WHERE j.outcome IN ('DECIDED', 'LIMITED') AND w.chat_id = j.chat_id AND w.seq = j.seq
  ), moved AS (
    UPDATE conversation k SET bot_state = j.next_state, bot_paused = k.bot_paused OR coalesce(j.hand_off, false)
    FROM judged j
    WHERE j.outcome = 'DECIDED' AND k.chat_id = j.chat_id
      AND (coalesce(j.hand_off, false) OR j.next_state IS DISTINCT FROM j.state)
  ), kept AS (
    INSERT INTO bot_answer (chat_id, seq, tenant_id, idempotency_key, message, created_at)
    SELECT j.chat_id, j.seq, j.tenant_id, j.idempotency_key, j.answer, p_at
    FROM judged j WHERE j.outcome = 'DECIDED' AND j.answer IS NOT NULL
  ), counted AS (
    INSERT INTO bot_count AS n (chat_id, short_at, short_count, long_at, long_count)
    SELECT j.chat_id, p_at, 1, p_at, 1 FROM judged j WHERE j.outcome = 'DECIDED' AND j.answer IS NOT NULL
    ON CONFLICT (chat_id) DO UPDATE SET
      short_at = CASE WHEN n.short_at > p_at - v_short THEN n.short_at ELSE p_at END,
      short_count = CASE WHEN n.short_at > p_at - v_short THEN n.short_count + 1 ELSE 1 END,
      long_at = CASE WHEN n.long_at > p_at - v_long THEN n.long_at ELSE p_at END,
      long_count = CASE WHEN n.long_at > p_at - v_long THEN n.long_count + 1 ELSE 1 END
  )
  SELECT j.ord::int, j.outcome, j.chat_id, j.seq, j.outcome = 'DECIDED' AND coalesce(j.hand_off, false), j.tenant_id,
    j.agents_seq,
    EXISTS (SELECT FROM whatsapp_message l WHERE l.chat_id = j.chat_id AND l.seq > j.seq AND l.bot_pending)
  FROM judged j ORDER BY j.ord;
END
$$;
