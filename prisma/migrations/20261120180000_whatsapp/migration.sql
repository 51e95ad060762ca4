-- CreateEnum
CREATE TYPE "message_channel" AS ENUM ('WHATSAPP');

-- CreateEnum
CREATE TYPE "tenant_status" AS ENUM ('active', 'disconnected', 'restricted');

-- CreateEnum
CREATE TYPE "message_direction" AS ENUM ('IN', 'OUT');

-- CreateEnum
CREATE TYPE "message_status" AS ENUM ('QUEUED', 'SENT', 'DELIVERED', 'READ', 'FAILED');

-- CreateEnum
CREATE TYPE "dispatch_state" AS ENUM ('READY', 'CALLING', 'UNKNOWN');

-- AlterTable
ALTER TABLE "message" ADD COLUMN     "channel" "message_channel";

-- CreateTable
CREATE TABLE "tenant" (
    "id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "phone_number_id" TEXT NOT NULL,
    "display_phone_number" TEXT,
    "waba_id" TEXT,
    "status" "tenant_status" NOT NULL DEFAULT 'active',
    "status_reason" TEXT,
    "access_token" TEXT,
    "is_mock" BOOLEAN NOT NULL DEFAULT false,
    "api_key_hash" TEXT,
    "auto_reply" BOOLEAN NOT NULL DEFAULT true,
    "enforce_window" BOOLEAN,
    "messages_per_second" INTEGER NOT NULL DEFAULT 80,
    "bucket_tokens" DOUBLE PRECISION NOT NULL DEFAULT 0,
    "bucket_at" TIMESTAMPTZ(3),
    "paused_until" TIMESTAMPTZ(3),
    "agents_seq" INTEGER NOT NULL DEFAULT 0,
    "has_flows" BOOLEAN NOT NULL DEFAULT false,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,
    "deleted_at" TIMESTAMPTZ(3),

    CONSTRAINT "tenant_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "tenant_agent" (
    "tenant_id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "role" "member_role" NOT NULL DEFAULT 'MEMBER',
    "joined_at" TIMESTAMPTZ(3) NOT NULL,
    "joined_seq" INTEGER NOT NULL,
    "left_at" TIMESTAMPTZ(3),
    "left_seq" INTEGER,
    "joined_tx" xid8 NOT NULL DEFAULT pg_current_xact_id(),
    "changed_tx" xid8 NOT NULL DEFAULT pg_current_xact_id(),

    CONSTRAINT "tenant_agent_pkey" PRIMARY KEY ("tenant_id","user_id")
);

-- CreateTable
CREATE TABLE "agent_chat" (
    "user_id" UUID NOT NULL,
    "chat_id" UUID NOT NULL,
    "muted_until" TIMESTAMPTZ(3),
    "pinned" BOOLEAN NOT NULL DEFAULT false,
    "archived" BOOLEAN NOT NULL DEFAULT false,
    "marked_unread" BOOLEAN NOT NULL DEFAULT false,
    "cleared_seq" INTEGER NOT NULL DEFAULT 0,
    "changed_tx" xid8 NOT NULL DEFAULT pg_current_xact_id(),

    CONSTRAINT "agent_chat_pkey" PRIMARY KEY ("user_id","chat_id")
);

-- CreateTable
CREATE TABLE "customer" (
    "id" UUID NOT NULL,
    "tenant_id" UUID NOT NULL,
    "wa_id" TEXT,
    "user_id" TEXT,
    "parent_user_id" TEXT,
    "phone" TEXT,
    "name" TEXT,
    "username" TEXT,
    "opted_out" BOOLEAN NOT NULL DEFAULT false,
    "merged_into_id" UUID,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "customer_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "customer_alias" (
    "tenant_id" UUID NOT NULL,
    "key" TEXT NOT NULL,
    "customer_id" UUID NOT NULL,

    CONSTRAINT "customer_alias_pkey" PRIMARY KEY ("tenant_id","key")
);

-- CreateTable
CREATE TABLE "conversation" (
    "chat_id" UUID NOT NULL,
    "tenant_id" UUID NOT NULL,
    "customer_id" UUID NOT NULL,
    "last_seq" INTEGER NOT NULL DEFAULT 0,
    "active_at" TIMESTAMPTZ(3) NOT NULL,
    "changed_tx" xid8 NOT NULL DEFAULT pg_current_xact_id(),
    "read_seq" INTEGER NOT NULL DEFAULT 0,
    "last_inbound_seq" INTEGER NOT NULL DEFAULT 0,
    "told_read_seq" INTEGER NOT NULL DEFAULT 0,
    "window_expires_at" TIMESTAMPTZ(3),
    "bot_paused" BOOLEAN NOT NULL DEFAULT false,
    "bot_state" TEXT,
    "bucket_tokens" DOUBLE PRECISION NOT NULL DEFAULT 45,
    "bucket_at" TIMESTAMPTZ(3),
    "merged_into_id" UUID,

    CONSTRAINT "conversation_pkey" PRIMARY KEY ("chat_id")
);

-- CreateTable
CREATE TABLE "whatsapp_message" (
    "chat_id" UUID NOT NULL,
    "seq" INTEGER NOT NULL,
    "tenant_id" UUID NOT NULL,
    "direction" "message_direction" NOT NULL,
    "phone_number_id" TEXT NOT NULL,
    "wamid" TEXT,
    "from" TEXT,
    "to" TEXT,
    "status" "message_status" NOT NULL,
    "sent_at" TIMESTAMPTZ(3),
    "status_sent_at" TIMESTAMPTZ(3),
    "delivered_at" TIMESTAMPTZ(3),
    "read_at" TIMESTAMPTZ(3),
    "played_at" TIMESTAMPTZ(3),
    "failed_at" TIMESTAMPTZ(3),
    "error" JSONB,
    "idempotency_key" TEXT,
    "payload" JSONB NOT NULL,
    "dispatch" "dispatch_state",
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "next_attempt_at" TIMESTAMPTZ(3),
    "claimed_at" TIMESTAMPTZ(3),
    "bot_pending" BOOLEAN NOT NULL DEFAULT false,
    "media_pending" BOOLEAN NOT NULL DEFAULT false,
    "is_history" BOOLEAN NOT NULL DEFAULT false,
    "changed_tx" xid8 NOT NULL DEFAULT pg_current_xact_id(),

    CONSTRAINT "whatsapp_message_pkey" PRIMARY KEY ("chat_id","seq")
);

-- CreateTable
CREATE TABLE "pending_status" (
    "wamid" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "participant" TEXT NOT NULL DEFAULT '',
    "phone_number_id" TEXT,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "error" JSONB,
    "item" JSONB NOT NULL,
    "received_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "pending_status_pkey" PRIMARY KEY ("wamid","status","participant")
);

-- CreateTable
CREATE TABLE "webhook_event" (
    "id" BIGSERIAL NOT NULL,
    "received_at" TIMESTAMPTZ(3) NOT NULL,
    "source" TEXT NOT NULL DEFAULT 'meta',
    "body" BYTEA NOT NULL,
    "processed_at" TIMESTAMPTZ(3),
    "attempts" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "webhook_event_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "webhook_dead_letter" (
    "id" UUID NOT NULL,
    "event_id" BIGINT,
    "tenant_id" UUID,
    "phone_number_id" TEXT,
    "field" TEXT,
    "path" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    "detail" TEXT,
    "item" JSONB NOT NULL,
    "source" TEXT NOT NULL DEFAULT 'meta',
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "resolved_at" TIMESTAMPTZ(3),

    CONSTRAINT "webhook_dead_letter_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "tenant_api_key_hash_key" ON "tenant"("api_key_hash");

-- CreateIndex
CREATE INDEX "tenant_waba_id_idx" ON "tenant"("waba_id");

-- CreateIndex
CREATE UNIQUE INDEX "tenant_phone_number_id_key" ON "tenant"("phone_number_id") WHERE (deleted_at IS NULL);

-- CreateIndex
CREATE INDEX "tenant_agent_user_id_tenant_id_idx" ON "tenant_agent"("user_id", "tenant_id");

-- CreateIndex
CREATE INDEX "agent_chat_user_id_changed_tx_idx" ON "agent_chat"("user_id", "changed_tx");

-- CreateIndex
CREATE INDEX "customer_tenant_id_idx" ON "customer"("tenant_id");

-- CreateIndex
CREATE INDEX "customer_alias_customer_id_idx" ON "customer_alias"("customer_id");

-- CreateIndex
CREATE INDEX "conversation_tenant_id_active_at_chat_id_idx" ON "conversation"("tenant_id", "active_at" DESC, "chat_id" DESC);

-- CreateIndex
CREATE INDEX "conversation_tenant_id_chat_id_idx" ON "conversation"("tenant_id", "chat_id");

-- CreateIndex
CREATE INDEX "conversation_tenant_id_changed_tx_idx" ON "conversation"("tenant_id", "changed_tx");

-- CreateIndex
CREATE INDEX "conversation_unread_idx" ON "conversation"("tenant_id") WHERE (last_seq > read_seq);

-- CreateIndex
CREATE INDEX "conversation_customer_id_idx" ON "conversation"("customer_id");

-- CreateIndex
CREATE INDEX "whatsapp_message_tenant_id_changed_tx_idx" ON "whatsapp_message"("tenant_id", "changed_tx");

-- CreateIndex
CREATE INDEX "whatsapp_message_queue_idx" ON "whatsapp_message"("chat_id", "seq") WHERE (dispatch IN ('READY', 'CALLING'));

-- CreateIndex
CREATE INDEX "whatsapp_message_due_idx" ON "whatsapp_message"("next_attempt_at") WHERE (dispatch IN ('READY', 'CALLING'));

-- CreateIndex
CREATE INDEX "whatsapp_message_dead_idx" ON "whatsapp_message"("tenant_id", "failed_at") WHERE (status = 'FAILED' OR dispatch = 'UNKNOWN');

-- CreateIndex
CREATE INDEX "whatsapp_message_bot_idx" ON "whatsapp_message"("chat_id", "seq") WHERE (bot_pending);

-- CreateIndex
CREATE INDEX "whatsapp_message_media_idx" ON "whatsapp_message"("chat_id", "seq") WHERE (media_pending);

-- CreateIndex
CREATE UNIQUE INDEX "whatsapp_message_wamid_key" ON "whatsapp_message"("wamid", "phone_number_id") WHERE (wamid IS NOT NULL);

-- CreateIndex
CREATE UNIQUE INDEX "whatsapp_message_idempotency_key" ON "whatsapp_message"("tenant_id", "idempotency_key") WHERE (idempotency_key IS NOT NULL);

-- CreateIndex
CREATE INDEX "pending_status_received_at_idx" ON "pending_status"("received_at");

-- CreateIndex
CREATE INDEX "webhook_event_open_idx" ON "webhook_event"("id") WHERE (processed_at IS NULL);

-- CreateIndex
CREATE INDEX "webhook_event_done_idx" ON "webhook_event"("processed_at") WHERE (processed_at IS NOT NULL);

-- CreateIndex
CREATE INDEX "webhook_dead_letter_tenant_id_created_at_idx" ON "webhook_dead_letter"("tenant_id", "created_at");

-- CreateIndex
CREATE INDEX "webhook_dead_letter_number_idx" ON "webhook_dead_letter"("phone_number_id") WHERE (resolved_at IS NULL);

-- CreateIndex
CREATE UNIQUE INDEX "webhook_dead_letter_event_id_path_key" ON "webhook_dead_letter"("event_id", "path");

CREATE TRIGGER tenant_agent_changed BEFORE UPDATE ON tenant_agent FOR EACH ROW EXECUTE FUNCTION set_changed_tx();
CREATE TRIGGER agent_chat_changed BEFORE UPDATE ON agent_chat FOR EACH ROW EXECUTE FUNCTION set_changed_tx();
CREATE TRIGGER conversation_changed BEFORE UPDATE ON conversation FOR EACH ROW
  WHEN ((OLD.customer_id, OLD.read_seq, OLD.bot_paused, OLD.merged_into_id)
    IS DISTINCT FROM (NEW.customer_id, NEW.read_seq, NEW.bot_paused, NEW.merged_into_id))
  EXECUTE FUNCTION set_changed_tx();

-- A person's place in a chat, whether they are a member of it or reach it through a tenant. Asked by chat and person:
-- a list of all chats of a person is better made of its two halves.
CREATE VIEW chat_place AS
SELECT m.chat_id, m.user_id, NULL::uuid AS tenant_id, m.role, m.joined_at, m.joined_seq, m.left_at, m.cleared_seq,
  m.delivered_seq, m.read_seq, m.muted_until, m.pinned, m.archived, m.marked_unread
FROM member m
UNION ALL
SELECT k.chat_id, a.user_id, k.tenant_id, a.role, a.joined_at, 0, a.left_at, coalesce(s.cleared_seq, 0),
  k.last_seq, k.read_seq, s.muted_until, coalesce(s.pinned, false), coalesce(s.archived, false),
  coalesce(s.marked_unread, false)
FROM conversation k
JOIN tenant_agent a ON a.tenant_id = k.tenant_id
LEFT JOIN agent_chat s ON s.user_id = a.user_id AND s.chat_id = k.chat_id;

-- Who may be told of a tenant's conversations changes under this lock, exclusive; what tells them holds it shared.
CREATE FUNCTION lock_tenant_key(p_tenant_id uuid) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT hashtextextended('tenant ' || p_tenant_id::text, 0)
$$;
