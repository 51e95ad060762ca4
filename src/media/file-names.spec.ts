import { cleanFileName, contentDisposition } from './file-names.js';

describe('cleanFileName', () => {
  it.each([
    ['photo.jpg', 'photo.jpg'],
    ['Grüße 日本語 👩‍👩‍👧.pdf', 'Grüße 日本語 👩‍👩‍👧.pdf'],
    ['../../etc/passwd', 'passwd'],
    ['C:\\Users\\ann\\secret.txt', 'secret.txt'],
    ['a/b\\c', 'c'],
    ['..', null],
    ['.', null],
    ['', null],
    [null, null],
    ['   ', null],
    ['.htaccess', 'htaccess'],
    ['name. . .', 'name'],
    ['a\u0000b\u0007c\r\nd.txt', 'abcd.txt'],
    // Shown with the direction turned round, it would end in .pdf.
    ['invoice\u202efdp.exe', 'invoicefdp.exe'],
    ['\u2067a\u2069\u200fb\ufeff.txt', 'ab.txt'],
    ['a\u2028b.txt', 'ab.txt'],
    ['a"b<c>d|e?f*g:h.txt', 'a_b_c_d_e_f_g_h.txt'],
    ['a\ud800b.txt', 'a\ufffdb.txt'],
    ['نیم\u200cفاصله.txt', 'نیم\u200cفاصله.txt'],
  ])('%j becomes %j', (given, expected) => {
    expect(cleanFileName(given)).toBe(expected);
  });

  it('cuts what is long between characters, and keeps the extension', () => {
    const long = cleanFileName(`${'é'.repeat(5000)}.pdf`);
    expect(long).toBe(`${'é'.repeat(98)}.pdf`);
    expect(Buffer.byteLength(cleanFileName('😀'.repeat(3000)) ?? '')).toBe(200);
    expect(Buffer.byteLength(cleanFileName(`a.${'x'.repeat(10_000)}`) ?? '')).toBe(200);
  });
});

describe('contentDisposition', () => {
  it.each([
    [null, 'attachment'],
    ['a.txt', 'attachment; filename="a.txt"'],
    ['50%.txt', `attachment; filename="50_.txt"; filename*=UTF-8''50%25.txt`],
    ['é (1).txt', `attachment; filename="_ (1).txt"; filename*=UTF-8''%C3%A9%20%281%29.txt`],
    ["it's.txt", 'attachment; filename="it\'s.txt"'],
  ])('%j gives %s', (name, expected) => {
    expect(contentDisposition('attachment', name)).toBe(expected);
  });
});
