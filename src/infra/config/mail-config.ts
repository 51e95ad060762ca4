/** How mail leaves, and what it says of us. */
export interface MailConfig {
  /** Absent: no mail is sent. */
  smtpUrl?: string;
  /** The sender, as it stands in the mail. */
  from: string;
  /** Where people's browsers find this server, without a slash at the end: links in mails begin with it. */
  publicUrl?: string;
}

type Read = (name: string) => string | undefined;
type Refuse = (name: string, rule: string) => void;

export const MAIL_VARIABLES = [
  {
    name: 'SMTP_URL',
    description:
      'smtp:// or smtps:// with user and password; without it no mail is sent (forgotten passwords)',
  },
  { name: 'MAIL_FROM', default: 'Parley <parley@localhost>', description: 'the sender of mails' },
  {
    name: 'PUBLIC_URL',
    description:
      'where browsers find this server: mails then hold a link to PUBLIC_URL/reset-password?token=…, else the token alone',
  },
];

/** @param read gives a variable or its default; `refuse` collects what is wrong, without the value */
export function readMailConfig(read: Read, refuse: Refuse): MailConfig {
  const smtpUrl = read('SMTP_URL');
  if (smtpUrl !== undefined && !isUrl(smtpUrl, ['smtp:', 'smtps:']))
    refuse('SMTP_URL', 'must be an address that starts with smtp:// or smtps://');
  const publicUrl = read('PUBLIC_URL')?.replace(/\/+$/, '');
  if (publicUrl !== undefined && !isUrl(publicUrl, ['https:', 'http:']))
    refuse('PUBLIC_URL', 'must be an address that starts with https:// or http://');
  const from = read('MAIL_FROM') ?? '';
  if (!/^[^\r\n]*[^\s@<]+@[^\s@>]+>?$/.test(from)) refuse('MAIL_FROM', 'must be a mail address');
  return { ...(smtpUrl && { smtpUrl }), from, ...(publicUrl && { publicUrl }) };
}

function isUrl(text: string, protocols: readonly string[]): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, password } = new URL(text);
  try {
    decodeURIComponent(username + password);
  } catch {
    return false;
  }
  return protocols.includes(protocol) && hostname !== '';
}
