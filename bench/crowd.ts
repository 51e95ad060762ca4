import { createHmac, type KeyObject } from 'node:crypto';
import pg from 'pg';
import { Secrets } from '../src/infra/config/secrets.js';
import { insertCrowd, insertGroup, type CrowdMember } from '../test/support/crowd.js';

/** What a load that goes past the API to set up has to know of the server. */
export interface ServerInsides {
  databaseUrl: string;
  jwtSecret: string;
}

export interface CrowdGroup {
  chatId: string;
  /** An access token of each member. */
  tokens: string[];
}

const TOKEN_SECONDS = 900;

/** Makes a group of `count` people, all signed in: registering them would take bcrypt a minute. */
export async function makeCrowdGroup(
  { databaseUrl, jwtSecret }: ServerInsides,
  count: number,
): Promise<CrowdGroup> {
  const client = new pg.Client(databaseUrl);
  await client.connect();
  try {
    const query = async (text: string, values: unknown[]): Promise<void> => {
      await client.query(text, values);
    };
    const at = new Date();
    const crowd = await insertCrowd(query, count, at);
    const memberIds = crowd.map(({ id }) => id);
    const chatId = await insertGroup(query, memberIds, at);
    const key = new Secrets(jwtSecret, '').key('access-token');
    return { chatId, tokens: crowd.map((member) => signToken(key, member, at)) };
  } finally {
    await client.end();
  }
}

/** What the server's own `TokensService` makes (RFC 7519, HS256). */
function signToken(key: KeyObject, { id, sessionId }: CrowdMember, at: Date): string {
  const iat = Math.floor(at.getTime() / 1000);
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
  const body = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ sub: id, sid: sessionId, iat, exp: iat + TOKEN_SECONDS })}`;
  return `${body}.${createHmac('sha256', key).update(body).digest('base64url')}`;
}
