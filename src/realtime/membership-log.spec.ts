import { MembershipLog } from './membership-log.js';

const NOW = 1_000;

describe('MembershipLog', () => {
  it('says of a packet from before a change who was there then', () => {
    const log = new MembershipLog(0);
    log.note(5, 'left', ['ann'], NOW);
    log.note(7, 'joined', ['ben'], NOW);
    expect(log.audienceAt(7)).toEqual({ gone: [], notYet: [] });
    expect(log.audienceAt(5)).toEqual({ gone: [], notYet: ['ben'] });
    expect(log.audienceAt(4)).toEqual({ gone: ['ann'], notYet: ['ben'] });
  });

  it('takes a person’s first change after the packet, whatever came later', () => {
    const log = new MembershipLog(0);
    log.note(5, 'left', ['ann'], NOW);
    log.note(7, 'joined', ['ann'], NOW);
    log.note(9, 'left', ['ann'], NOW);
    expect(log.audienceAt(4)).toEqual({ gone: ['ann'], notYet: [] });
    expect(log.audienceAt(6)).toEqual({ gone: [], notYet: ['ann'] });
    expect(log.audienceAt(8)).toEqual({ gone: ['ann'], notYet: [] });
    expect(log.lastChangeOf('ann', 0)).toBe('left');
    expect(log.lastChangeOf('ann', 9)).toBeUndefined();
  });

  it('puts what it hears late where it belongs, and the same twice once', () => {
    const log = new MembershipLog(0);
    log.note(7, 'joined', ['ann'], NOW);
    log.note(5, 'left', ['ann'], NOW);
    log.note(7, 'joined', ['ann', 'ben'], NOW);
    expect(log.changesAfter(0).map(({ change, userIds }) => [change, [...userIds]])).toEqual([
      ['left', ['ann']],
      ['joined', ['ann', 'ben']],
    ]);
    expect(log.newestSeq).toBe(7);
  });

  it('does not answer for what it has let go, until that is looked up', () => {
    const log = new MembershipLog(3);
    expect(log.audienceAt(2)).toBeNull();
    expect(log.audienceAt(3)).not.toBeNull();
    log.note(5, 'left', ['ann'], NOW);
    log.note(7, 'left', ['ben'], NOW + 10);
    log.forgetBefore(NOW + 1);
    expect(log.audienceAt(4)).toBeNull();
    expect(log.audienceAt(5)).toEqual({ gone: ['ben'], notYet: [] });
    log.completeSince(4);
    expect(log.audienceAt(4)).not.toBeNull();
  });

  it('is bounded', () => {
    const log = new MembershipLog(0);
    for (let seq = 1; seq <= 20; seq++) {
      log.note(
        seq,
        'joined',
        Array.from({ length: 1_000 }, (_, i) => `${seq}.${i}`),
        NOW,
      );
    }
    expect(log.changesAfter(0).length).toBeLessThanOrEqual(8);
    expect(log.audienceAt(1)).toBeNull();
  });
});
