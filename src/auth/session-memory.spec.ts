import { SessionMemory } from './session-memory.js';

const principal = (sessionId: string) => ({ userId: 'u', sessionId, deviceId: null });

describe('SessionMemory', () => {
  it('keeps what was looked up', () => {
    const memory = new SessionMemory(2);
    memory.keep(principal('a'), memory.startLookUp());
    expect(memory.get('a')).toEqual(principal('a'));
    expect(memory.get('b')).toBeUndefined();
  });

  it('does not keep what was looked up before a revocation, and found after it', () => {
    const memory = new SessionMemory(2);
    const lookUp = memory.startLookUp();
    memory.forget(['a']);
    memory.keep(principal('a'), lookUp);
    expect(memory.get('a')).toBeUndefined();
  });

  it('does not keep what was looked up before everything was forgotten', () => {
    const memory = new SessionMemory(2);
    memory.keep(principal('a'), memory.startLookUp());
    const lookUp = memory.startLookUp();
    memory.forgetAll();
    memory.keep(principal('b'), lookUp);
    expect(memory.get('a')).toBeUndefined();
    expect(memory.get('b')).toBeUndefined();
  });

  it('forgets what is revoked, and nothing else', () => {
    const memory = new SessionMemory(2);
    memory.keep(principal('a'), memory.startLookUp());
    memory.keep(principal('b'), memory.startLookUp());
    memory.forget(['a']);
    expect(memory.get('a')).toBeUndefined();
    expect(memory.get('b')).toBeDefined();
  });

  it('drops what was used longest ago when it is full', () => {
    const memory = new SessionMemory(2);
    memory.keep(principal('a'), memory.startLookUp());
    memory.keep(principal('b'), memory.startLookUp());
    memory.get('a');
    memory.keep(principal('c'), memory.startLookUp());
    expect(memory.get('b')).toBeUndefined();
    expect(memory.get('a')).toBeDefined();
    expect(memory.get('c')).toBeDefined();
  });
});
