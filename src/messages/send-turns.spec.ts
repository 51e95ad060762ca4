import { SendTurns } from './send-turns.js';

function later<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: Error) => void } {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

describe('SendTurns', () => {
  it('starts in the order of arrival, whatever is ready first, and past failures', async () => {
    const turns = new SendTurns();
    const started: string[] = [];
    const start = (name: string): Promise<string> => {
      started.push(name);
      return Promise.resolve(name);
    };
    const [first, second] = [later<string>(), later<string>()];
    const runs = [
      turns.run('a', first.promise, start),
      turns.run('a', second.promise, start),
      turns.run('a', Promise.resolve('third'), start),
      turns.run('b', Promise.resolve('other'), start),
    ];
    expect(turns.isTaken('a')).toBe(true);
    expect(await runs[3]).toBe('other');
    second.reject(new Error('not to be found'));
    await expect(Promise.race([runs[1], Promise.resolve('still waiting')])).resolves.toBe('still waiting');
    expect(started).toEqual(['other']);
    first.resolve('first');
    await expect(runs[1]).rejects.toThrow('not to be found');
    expect(await runs[2]).toBe('third');
    expect(started).toEqual(['other', 'first', 'third']);
    expect([turns.isTaken('a'), turns.isTaken('b')]).toEqual([false, false]);
  });
});
