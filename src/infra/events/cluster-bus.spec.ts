import { EventEmitter } from 'node:events';
import type { Redis } from 'ioredis';
import type { Log } from '../observability/log.js';
import { ClusterBus } from './cluster-bus.js';

/** What one Redis carries between instances, as far as the bus uses it. */
class Wire {
  readonly subscribers: FakeRedis[] = [];
}

class FakeRedis extends EventEmitter {
  status = 'ready';

  constructor(private readonly wire: Wire) {
    super();
  }

  subscribe(): Promise<void> {
    this.wire.subscribers.push(this);
    return Promise.resolve();
  }

  publish(channel: string, text: string): Promise<number> {
    if (this.status !== 'ready') return Promise.reject(new Error('away'));
    for (const subscriber of this.wire.subscribers) subscriber.emit('message', channel, text);
    return Promise.resolve(1);
  }

  become(status: string): void {
    this.status = status;
    this.emit(status);
  }
}

const warnings: string[] = [];
const log = { warn: (_fields: object, text: string) => warnings.push(text) } as unknown as Log;

function makeInstance(wire: Wire): { bus: ClusterBus; publisher: FakeRedis; heard: string[] } {
  const publisher = new FakeRedis(wire);
  const bus = new ClusterBus(publisher as unknown as Redis, new FakeRedis(wire) as unknown as Redis, log);
  const heard: string[] = [];
  bus.onOthers('news', (text) => heard.push(text));
  bus.onRestore(() => heard.push('restored'));
  bus.connect();
  return { bus, publisher, heard };
}

it('tells the others and not itself, spaces and all', () => {
  const wire = new Wire();
  const [one, two, three] = [makeInstance(wire), makeInstance(wire), makeInstance(wire)];
  one.bus.tellOthers('news', 'a b  c');
  one.bus.tellOthers('else', 'd');
  expect([one.heard, two.heard, three.heard]).toEqual([[], ['a b  c'], ['a b  c']]);
});

it('what could not be told is made good by saying so, once it can be said', async () => {
  const wire = new Wire();
  const [one, two] = [makeInstance(wire), makeInstance(wire)];
  one.publisher.become('close');
  one.bus.tellOthers('news', '1');
  one.bus.tellOthers('news', '2');
  await Promise.resolve();
  expect(two.heard).toEqual([]);
  one.publisher.become('ready');
  one.bus.tellOthers('news', '3');
  expect(two.heard).toEqual(['restored', '3']);
  expect(warnings).toHaveLength(1);
});
