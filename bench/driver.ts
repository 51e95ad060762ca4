/** The load, as a process of its own: does the one task given as JSON and sends the result to its parent. */
import { measureGroup, type GroupTask } from './group-task.js';
import { measureIdleSockets, type IdleTask } from './idle-task.js';
import { measureSending, type SendTask } from './send-task.js';
import { floodWebhook, type FloodTask } from './webhook-flood-task.js';
import { measureWebhook, type WebhookTask } from './webhook-task.js';

export type Task = SendTask | IdleTask | GroupTask | WebhookTask | FloodTask;

// The parent is gone: nobody waits for the result.
const stop = (): void => {
  process.exit(1);
};
process.once('disconnect', stop);
const task = JSON.parse(process.argv[2] ?? '') as Task;
const result = await perform(task);
process.off('disconnect', stop);
process.send?.(result, () => {
  process.disconnect();
});

async function perform(given: Task): Promise<object> {
  switch (given.kind) {
    case 'send':
      return measureSending(given);
    case 'idle':
      return measureIdleSockets(given);
    case 'group':
      return measureGroup(given);
    case 'webhook':
      return measureWebhook(given);
    case 'webhook-flood':
      return floodWebhook(given);
  }
}
