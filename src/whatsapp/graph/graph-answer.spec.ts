import { readGraphError, readGraphSuccess } from './graph-answer.js';

const TOKEN = 'EAAGm0PX4ZCpsBAKZCsecretTokenOfTheTenant';
const NOW = Date.parse('2026-11-20T10:00:00.000Z');

function read(
  body: unknown,
  headers: Record<string, string | string[]> = {},
  httpStatus = 400,
): ReturnType<typeof readGraphError> {
  return readGraphError(
    httpStatus,
    headers,
    typeof body === 'string' ? body : JSON.stringify(body),
    TOKEN,
    NOW,
  );
}

describe('an error of the Graph API', () => {
  it.each([
    [
      'whole',
      {
        error: {
          message: '(#131056) Pair',
          type: 'OAuthException',
          code: 131056,
          error_data: { messaging_product: 'whatsapp', details: 'Too many' },
        },
      },
      { code: 131056, message: '(#131056) Pair', details: 'Too many' },
    ],
    [
      'with a text for error_data',
      { error: { message: 'm', code: 100, error_data: 'The parameter to is required' } },
      { code: 100, message: 'm', details: 'The parameter to is required' },
    ],
    ['with a code that is a text', { error: { message: 'm', code: '190' } }, { code: 190, details: null }],
    [
      'with a sentence for people',
      { error: { message: 'm', code: 1, error_user_msg: 'Sorry' } },
      { code: 1, details: 'Sorry' },
    ],
    [
      'as statuses have them',
      { errors: [{ code: 131026, title: 'Undeliverable', details: 'd' }] },
      { code: 131026, message: 'Undeliverable', details: 'd' },
    ],
    [
      'as OAuth has them',
      { error: 'invalid_token', error_description: 'Expired' },
      { code: null, message: 'Expired' },
    ],
    ['as a text', { error: 'no such thing' }, { code: null, message: 'no such thing' }],
    ['of nothing', {}, { code: null, message: 'The Graph API answered 400.', details: null }],
    ['as a list', [1, 2], { code: null, message: 'The Graph API answered 400.' }],
    ['as a page', '<html>Bad gateway</html>', { code: null, message: 'The Graph API answered 400.' }],
    ['of nonsense', { error: { message: 7, code: {}, error_data: [] } }, { code: null, details: null }],
  ])('%s', (_name, body, facts) => {
    expect(read(body)).toMatchObject({ httpStatus: 400, ...facts });
  });

  it('never holds a token, whoever quotes it', () => {
    const facts = read({
      error: {
        message: `Malformed access token ${TOKEN}`,
        code: 190,
        error_data: {
          details: 'see /me?access_token=abc123&x=1 or Bearer xyz or EAAGabcdefghijklmnopqrstuvwxyz',
        },
      },
    });
    expect(JSON.stringify(facts)).not.toMatch(/secretToken|abc123|xyz|EAAG/);
    expect(facts.message).toBe('Malformed access token …');
  });

  it('is of bounded size, and can be stored', () => {
    const facts = read({ error: { message: 'x\u0000'.repeat(100_000), code: 1 } });
    expect(facts.message.length).toBeLessThanOrEqual(1_000);
    expect(facts.message).not.toContain('\u0000');
  });
});

describe('how long to wait', () => {
  it.each([
    [{ 'retry-after': '7' }, 7_000],
    [{ 'retry-after': 'Fri, 20 Nov 2026 10:01:00 GMT' }, 60_000],
    [{ 'retry-after': 'Fri, 20 Nov 2026 09:00:00 GMT' }, 0],
    [{ 'retry-after': '999999999' }, 3_600_000],
    [{ 'retry-after': 'soon' }, null],
    [
      {
        'x-business-use-case-usage':
          '{"1":[{"estimated_time_to_regain_access":5},{"estimated_time_to_regain_access":2}]}',
      },
      300_000,
    ],
    [{ 'x-business-use-case-usage': '{"1":[{"estimated_time_to_regain_access":0}]}' }, null],
    [{ 'x-business-use-case-usage': 'nonsense' }, null],
    [{}, null],
  ])('%j is %s ms', (headers: Record<string, string>, waitMs) => {
    expect(read({}, headers).retryAfterMs).toBe(waitMs);
  });
});

describe('a success', () => {
  it('is a JSON object without an error', () => {
    expect(readGraphSuccess('{"success":true}')).toEqual({ success: true });
    for (const text of ['', '[]', 'null', '"x"', '<html>', '{"error":{"code":1}}'])
      expect(readGraphSuccess(text)).toBeNull();
  });
});
