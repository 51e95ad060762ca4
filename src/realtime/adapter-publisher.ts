import type { Redis } from 'ioredis';

/**
 * The connection through which the Socket.IO adapter tells the other instances. The adapter leaves the promise of
 * every publication alone, and one that is refused while Redis is away would end the process: here it is handed to
 * `onLost`. The sockets of this instance have been served by then; the others hear `resync` when Redis is back.
 */
export function adapterPublisher(redis: Redis, onLost: (error: unknown) => void): Redis {
  const publish = async (channel: string | Buffer, message: string | Buffer): Promise<number> => {
    try {
      return await redis.publish(channel, message);
    } catch (error) {
      onLost(error);
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
