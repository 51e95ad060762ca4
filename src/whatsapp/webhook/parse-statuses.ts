import type { ChannelStatus } from '../../messages/channel-messages.js';
import { errorOf, idOf, objectOf, textOf, timeOf, type JsonObject } from './parse-values.js';

/** What Meta tells of one message that is on its way. */
export interface MetaStatus {
  wamid: string;
  altWamid: string | null;
  status: ChannelStatus['status'];
  at: Date | null;
  error: ChannelStatus['error'];
  /** Our own id of the message. */
  callback: string | null;
  /** Of a group's. */
  participant: string | null;
  payload: JsonObject;
}

const STATUSES: readonly string[] = ['sent', 'delivered', 'read', 'played', 'failed'];
/** Of an older API, and of no use: a customer's deletion comes as a message, and a warning changes nothing. */
const IGNORED: readonly string[] = ['deleted', 'warning'];

/** What a status tells, or why it tells nothing; null for one that is of no use. */
export function statusOf(raw: unknown): MetaStatus | string | null {
  const status = objectOf(raw);
  if (!status) return 'a status must be an object';
  const [id, other] = [idOf(status.id), idOf(status.meta_msg_id)];
  const wamid = id ?? other;
  if (wamid === null) return 'a status must say of which message';
  const step = textOf(status.status)?.toLowerCase() ?? '';
  if (IGNORED.includes(step)) return null;
  if (!isStep(step)) return 'this status is not known';
  return {
    wamid,
    altWamid: other === wamid ? null : other,
    status: step,
    at: timeOf(status.timestamp),
    error: step === 'failed' ? (errorOf(status.errors) ?? NO_REASON) : null,
    callback: textOf(status.biz_opaque_callback_data),
    participant:
      idOf(status.recipient_participant_user_id) ??
      idOf(status.recipient_participant_id) ??
      idOf(status.participant_recipient_id),
    payload: status,
  };
}

const NO_REASON = { code: 'UNKNOWN', message: 'Meta gave no reason.' };

function isStep(text: string): text is ChannelStatus['status'] {
  return STATUSES.includes(text);
}
