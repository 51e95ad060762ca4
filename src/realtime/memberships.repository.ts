import { Injectable } from '@nestjs/common';
import { Database } from '../infra/database/database.js';

/** A person who is in a chat, or an agent of a tenant, or left recently. */
export interface MemberChangeRow {
  user_id: string;
  present: boolean;
  /** The `members_seq` (`agents_seq`) with which they came or went; 0 for who is in the chat from its beginning. */
  since: number;
}

export interface MembersSnapshot {
  membersSeq: number;
  members: MemberChangeRow[];
}

/** An audience that a person is of: a chat that they are a member of, or a tenant that they are an agent of. */
export interface MembershipRow {
  audience_id: string;
  /** Like `MemberChangeRow.since`. */
  since: number;
  joined_at: Date;
}

/** The most chats whose other person is told that somebody's name or picture has changed: those last active. */
const MAX_PRIVATE_CHATS = 500;

/** What delivering asks of memberships. */
@Injectable()
export class MembershipsRepository {
  constructor(private readonly database: Database) {}

  /** Every chat the person is a present member of, and every tenant they are an agent of. */
  async listMemberships(userId: string): Promise<MembershipRow[]> {
    return this.database.query<MembershipRow>(
      {
        name: 'memberships.list',
        text: `SELECT chat_id AS audience_id, CASE WHEN joined_seq = 0 THEN 0 ELSE joined_seq + 1 END AS since, joined_at
          FROM member WHERE user_id = $1 AND left_at IS NULL
          UNION ALL
          SELECT tenant_id, joined_seq, joined_at FROM tenant_agent WHERE user_id = $1 AND left_at IS NULL`,
      },
      [userId],
    );
  }

  /**
   * Who is in a chat, who left after `afterSeq`, and the chat's `members_seq`, all of one moment; or the same of a
   * tenant, its agents and its `agents_seq`. Null if there is neither.
   */
  async readMembers(audienceId: string, afterSeq: number): Promise<MembersSnapshot | null> {
    const rows = await this.database.query<{ members_seq: number } & Partial<MemberChangeRow>>(
      {
        name: 'memberships.read-members',
        text: `SELECT c.members_seq, m.user_id, m.left_at IS NULL AS present,
            CASE WHEN m.left_at IS NOT NULL THEN m.left_seq + 1 WHEN m.joined_seq = 0 THEN 0 ELSE m.joined_seq + 1 END
              AS since
          FROM chat c
          LEFT JOIN member m ON m.chat_id = c.id AND (m.left_at IS NULL OR m.left_seq >= $2)
          WHERE c.id = $1
          UNION ALL
          SELECT t.agents_seq, a.user_id, a.left_at IS NULL, CASE WHEN a.left_at IS NULL THEN a.joined_seq ELSE a.left_seq END
          FROM tenant t
          LEFT JOIN tenant_agent a ON a.tenant_id = t.id AND (a.left_at IS NULL OR a.left_seq > $2)
          WHERE t.id = $1`,
      },
      [audienceId, afterSeq],
    );
    const [first] = rows;
    if (!first) return null;
    const members = rows.flatMap(({ user_id, present = false, since = 0 }) =>
      user_id ? [{ user_id, present, since }] : [],
    );
    return { membersSeq: first.members_seq, members };
  }

  /** The agents of a tenant. */
  async listAgentIds(tenantId: string): Promise<string[]> {
    const rows = await this.database.query<{ user_id: string }>(
      {
        name: 'memberships.list-agent-ids',
        text: 'SELECT user_id FROM tenant_agent WHERE tenant_id = $1 AND left_at IS NULL',
      },
      [tenantId],
    );
    return rows.map((row) => row.user_id);
  }

  /** The chat's `members_seq`, or the tenant's `agents_seq`; null if there is neither. */
  async findMembersSeq(audienceId: string): Promise<number | null> {
    const rows = await this.database.query<{ members_seq: number }>(
      {
        name: 'memberships.find-members-seq',
        text: 'SELECT members_seq FROM chat WHERE id = $1 UNION ALL SELECT agents_seq FROM tenant WHERE id = $1',
      },
      [audienceId],
    );
    return rows[0]?.members_seq ?? null;
  }

  /** Every chat the person is or was in, and every tenant that they are or were an agent of. */
  async listEveryAudienceId(userId: string): Promise<string[]> {
    const rows = await this.database.query<{ id: string }>(
      {
        name: 'memberships.list-every-audience-id',
        text: `SELECT chat_id AS id FROM member WHERE user_id = $1
          UNION ALL SELECT tenant_id FROM tenant_agent WHERE user_id = $1`,
      },
      [userId],
    );
    return rows.map((row) => row.id);
  }

  /** The other person of each of somebody's private chats, the 500 last active ones. */
  async listPrivatePartners(userId: string): Promise<{ chat_id: string; user_id: string }[]> {
    return this.database.query(
      {
        name: 'memberships.list-private-partners',
        text: `SELECT o.chat_id, o.user_id
          FROM member m
          JOIN chat c ON c.id = m.chat_id AND c.type = 'PRIVATE'
          JOIN member o ON o.chat_id = c.id AND o.user_id <> $1 AND o.left_at IS NULL
          WHERE m.user_id = $1
          ORDER BY c.updated_at DESC LIMIT $2`,
      },
      [userId, MAX_PRIVATE_CHATS],
    );
  }
}
