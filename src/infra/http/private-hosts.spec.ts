import { isPrivateAddress, isPrivateHost } from './private-hosts.js';

const hostOf = (url: string): string => new URL(url).hostname;

describe('isPrivateHost', () => {
  it.each([
    'localhost',
    'localhost.',
    'db',
    'printer.local',
    'a.internal',
    'nas.home.arpa',
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f.1',
    '0.0.0.0',
    '10.0.0.8',
    '172.16.0.1',
    '169.254.169.254',
    '192.168.1.1',
    '100.64.0.1',
    '255.255.255.255',
    '[::]',
    '[::1]',
    '[fe80::1]',
    '[fd00::1]',
    '[ff02::1]',
    '[::ffff:10.0.0.1]',
    '[::ffff:8.8.8.8]',
    '[64:ff9b::a00:1]',
    '[2002:a00:1::]',
    '[2001::1]',
  ])('finds %s, as browsers write it, inside', (host) => {
    expect(isPrivateHost(hostOf(`https://${host}/`))).toBe(true);
  });

  it.each(['example.com', 'fcm.googleapis.com', '8.8.8.8', '172.32.0.1', '[2a00:1450:4001::1]'])(
    'finds %s outside',
    (host) => {
      expect(isPrivateHost(hostOf(`https://${host}/`))).toBe(false);
    },
  );
});

describe('isPrivateAddress', () => {
  it('takes what is no address for private', () => {
    expect(isPrivateAddress('example.com')).toBe(true);
  });
});
