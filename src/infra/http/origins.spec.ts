import { isAllowedOrigin } from './origins.js';

describe('isAllowedOrigin', () => {
  const listed = { kind: 'list', origins: ['https://chat.example.com'] } as const;
  const localhost = { kind: 'localhost' } as const;

  it('takes the origins of a list, exactly', () => {
    expect(isAllowedOrigin(listed, 'https://chat.example.com')).toBe(true);
    for (const other of [
      'http://chat.example.com',
      'https://chat.example.com:8443',
      'https://example.com',
      'null',
      '',
    ]) {
      expect(isAllowedOrigin(listed, other)).toBe(false);
    }
    expect(isAllowedOrigin({ kind: 'list', origins: [] }, 'http://localhost')).toBe(false);
  });

  it('takes any port of this machine', () => {
    for (const own of [
      'http://localhost',
      'https://localhost:5173',
      'http://127.0.0.1:3000',
      'http://[::1]:80',
    ]) {
      expect(isAllowedOrigin(localhost, own)).toBe(true);
    }
    for (const other of [
      'http://localhost.evil.org',
      'http://127.0.0.1.evil.org',
      'http://192.168.0.1',
      'ftp://localhost',
    ]) {
      expect(isAllowedOrigin(localhost, other)).toBe(false);
    }
  });
});
