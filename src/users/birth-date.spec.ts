import { problemWithBirthDate } from './birth-date.js';

const TODAY = '2026-11-20';

describe('problemWithBirthDate', () => {
  it.each(['1900-01-01', '2000-02-29', '2013-11-20'])('accepts %s', (date) => {
    expect(problemWithBirthDate(date, TODAY)).toBeNull();
  });

  it.each([
    ['2013-11-21', 'must be at least 13 years ago'],
    ['2026-11-20', 'must be at least 13 years ago'],
    ['2026-11-21', 'must not be in the future'],
    ['2001-02-29', 'must be a real date, YYYY-MM-DD'],
    ['2001-13-01', 'must be a real date, YYYY-MM-DD'],
    ['1899-12-31', 'must be a real date, YYYY-MM-DD'],
    ['01.02.2003', 'must be a real date, YYYY-MM-DD'],
    ['2001-1-1', 'must be a real date, YYYY-MM-DD'],
    ['2001-01-01T00:00:00Z', 'must be a real date, YYYY-MM-DD'],
    ['', 'must be a real date, YYYY-MM-DD'],
  ])('refuses %s', (date, problem) => {
    expect(problemWithBirthDate(date, TODAY)).toBe(problem);
  });

  it('has the birthday of a leap day on the first of March', () => {
    expect(problemWithBirthDate('2012-02-29', '2025-02-28')).toBe('must be at least 13 years ago');
    expect(problemWithBirthDate('2012-02-29', '2025-03-01')).toBeNull();
  });
});
