import { emailKeyOf, nameKeyOf } from './profile.js';

describe('keys of people', () => {
  it('compares e-mail addresses without case and outer white space', () => {
    expect(emailKeyOf('  Zoë@Example.COM ')).toBe('zoë@example.com');
    expect(emailKeyOf('zoe\u0308@example.com')).toBe(emailKeyOf('zoë@example.com'));
  });

  it('folds names: accents, case, compatibility forms', () => {
    expect(nameKeyOf('Łukasz Ångström')).toBe('łukasz angstrom');
    expect(nameKeyOf('Ｚｏë')).toBe('zoe');
    expect(nameKeyOf(' Ann ')).toBe('ann');
  });
});
