import type { NewJob } from '../../infra/queue/job-queues.js';

export const SEND_QUEUE = 'whatsapp-send-queue';

/** What is to be done in a conversation: `send` what waits in it, or tell Meta what was `read`. */
export type SendJobName = 'send' | 'read';

export interface SendJob {
  chatId: string;
}

/**
 * A job that wakes the worker for one conversation.
 *
 * @param mark tells wakings for different reasons apart: a job whose id still runs is not added again
 */
export function sendJob(name: SendJobName, chatId: string, mark: string | number): NewJob {
  const data: SendJob = { chatId };
  return { id: `${name}.${chatId}.${mark}`, name, data };
}
