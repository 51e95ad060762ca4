import { expect, it } from '@jest/globals';
import { Limit } from './limit.js';

it('runs no more at a time than it may, in the order of the calls, failures included', async () => {
  const limit = new Limit(2);
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const work = (id: number) =>
    limit.run(async () => {
      begun.push(id);
      await new Promise<void>((resolve) => ends.push(resolve));
      if (id === 0) throw new Error('failed');
      return id;
    });
  const done = Promise.allSettled([0, 1, 2, 3].map(work));
  await Promise.resolve();
  expect(begun).toEqual([0, 1]);
  while (ends.length > 0) {
    ends.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(begun).toEqual([0, 1, 2, 3]);
  expect((await done).map(({ status }) => status)).toEqual([
    'rejected',
    'fulfilled',
    'fulfilled',
    'fulfilled',
  ]);
});
