import type { Redis } from 'ioredis';
import type { Log } from '../infra/observability/log.js';

/**
 * The connection through which the Socket.IO adapter tells the other instances. The adapter leaves the promise of
 * every publication alone, and one that is refused while Redis is away would end the process: here it is logged,
 * once an outage. The sockets of this instance have been served by then; the others hear `resync` when Redis is back.
 */
export function adapterPublisher(redis: Redis, log: Log): Redis {
  let reported = false;
  redis.on('ready', () => {
    reported = false;
  });
  const publish = async (channel: string | Buffer, message: string | Buffer): Promise<number> => {
    try {
      return await redis.publish(channel, message);
    } catch (error) {
      if (!reported) log.warn({ err: error }, 'events do not reach the other instances');
      reported = true;
      return 0;
    }
  };
  return new Proxy(redis, {
    get(target, property): unknown {
      if (property === 'publish') return publish;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
