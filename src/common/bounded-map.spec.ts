import { BoundedMap } from './bounded-map.js';

describe('BoundedMap', () => {
  it('lets go of what was set longest ago, and a key set again is the newest', () => {
    const map = new BoundedMap<string, number>(2);
    map.set('a', 1).set('b', 2).set('a', 3).set('c', 4);
    expect([...map]).toEqual([
      ['a', 3],
      ['c', 4],
    ]);
  });
});
