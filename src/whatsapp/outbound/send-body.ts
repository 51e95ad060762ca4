import { messageId } from '../../common/ids.js';

const NUMBER = /^\+?(\d+)$/;

/** Digits, or a business-scoped id, as Meta wants to be told whom a message goes to. */
export function toRecipient(to: string): Record<string, string> {
  const digits = NUMBER.exec(to)?.[1];
  // Without the plus sign, Meta would put the country of the business before the number.
  return digits === undefined ? { recipient: to } : { to: `+${digits}` };
}

/**
 * The body of a send to the Graph API. Our own id of the message comes back with every status of it.
 *
 * @param request what is special to the type
 * @param replyWamid the message it answers, if Meta knows that
 */
export function toSendBody(
  address: { chatId: string; seq: number },
  to: string,
  request: Readonly<Record<string, unknown>>,
  replyWamid: string | null,
): Record<string, unknown> {
  return {
    recipient_type: 'individual',
    ...toRecipient(to),
    ...request,
    ...(replyWamid !== null && { context: { message_id: replyWamid } }),
    biz_opaque_callback_data: messageId(address.chatId, address.seq),
  };
}

/** The same for a reaction, which has no message of its own: its statuses concern none. */
export function toReactionBody(
  reactionId: string,
  to: string,
  wamid: string,
  emoji: string,
): Record<string, unknown> {
  return {
    recipient_type: 'individual',
    ...toRecipient(to),
    type: 'reaction',
    reaction: { message_id: wamid, emoji },
    biz_opaque_callback_data: `reaction:${reactionId}`,
  };
}
