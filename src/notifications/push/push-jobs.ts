import type { NewJob } from '../../infra/queue/job-queues.js';
import type { DueMemberRow } from './push.repository.js';

export const PUSH_QUEUE = 'push-queue';

/** Finds out whom to tell of a chat. */
export interface ChatJob {
  chatId: string;
}

/** Tells one device. No text: what is sent is read when it is sent. */
export interface DeviceJob {
  chatId: string;
  userId: string;
  deviceId: string;
  /** What lies at or below has been told of before. */
  afterSeq: number;
  seq: number;
  mentioned: boolean;
}

/**
 * One job a chat. Its id names the newest message, so that instances that ask for the same share it, and a message that
 * comes while it runs gets one of its own.
 */
export function chatJobs(due: readonly DueMemberRow[]): NewJob[] {
  const lastSeqs = new Map(due.map((row) => [row.chat_id, row.last_seq]));
  return [...lastSeqs].map(([chatId, lastSeq]) => {
    const data: ChatJob = { chatId };
    return { id: `${chatId}.${lastSeq}`, name: 'chat', data };
  });
}
