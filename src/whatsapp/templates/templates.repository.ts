import { Injectable } from '@nestjs/common';
import { Database } from '../../infra/database/database.js';
import type { Prisma } from '../../infra/database/generated/client.js';
import { PrismaService, type PrismaTransaction } from '../../infra/database/prisma.service.js';
import type { ParameterFormat } from './templates.dto.js';

/** What a version of a template is made of. */
export interface TemplateContent {
  components: unknown[];
  metadata: Record<string, unknown> | null;
  metaTemplateName: string | null;
  metaLanguage: string | null;
  parameterFormat: ParameterFormat | null;
}

export interface TemplateRow {
  id: string;
  tenant_id: string;
  key: string;
  language: string;
  version: number;
  content: TemplateContent;
  created_at: Date;
  updated_at: Date;
}

export interface NewTemplate {
  id: string;
  tenantId: string;
  key: string;
  language: string;
  content: TemplateContent;
}

const TEMPLATE = 'id, tenant_id, key, language, version, content, created_at, updated_at';

@Injectable()
export class TemplatesRepository {
  constructor(
    private readonly database: Database,
    private readonly prisma: PrismaService,
  ) {}

  /** All languages of a template, the oldest first. */
  async listLanguages(tenantId: string, key: string): Promise<TemplateRow[]> {
    return this.database.query<TemplateRow>(
      {
        name: 'templates.list-languages',
        text: `SELECT ${TEMPLATE} FROM template WHERE tenant_id = $1 AND key = $2 ORDER BY created_at, language`,
      },
      [tenantId, key],
    );
  }

  /** By key and language. @param after the last of the page before */
  async listPage(
    tenantId: string,
    after: { key: string; language: string } | null,
    limit: number,
  ): Promise<TemplateRow[]> {
    return this.database.query<TemplateRow>(
      {
        name: 'templates.list-page',
        text: `SELECT ${TEMPLATE} FROM template
          WHERE tenant_id = $1 AND ($2::text IS NULL OR (key, language) > ($2, $3))
          ORDER BY key, language LIMIT $4`,
      },
      [tenantId, after?.key ?? null, after?.language ?? null, limit],
    );
  }

  /** @throws a unique violation when there is one with this key and language */
  async insert(tx: PrismaTransaction, template: NewTemplate, at: Date): Promise<void> {
    const { id, tenantId, key, language, content } = template;
    const json = toJson(content);
    const times = { createdAt: at, updatedAt: at };
    await tx.template.create({ data: { id, tenantId, key, language, version: 1, content: json, ...times } });
    await tx.templateVersion.create({ data: { templateId: id, version: 1, content: json, createdAt: at } });
  }

  /** Null when it is gone. */
  async lock(
    tx: PrismaTransaction,
    id: string,
  ): Promise<{ version: number; content: TemplateContent } | null> {
    const rows = await tx.$queryRaw<
      { version: number; content: TemplateContent }[]
    >`SELECT version, content FROM template WHERE id = ${id}::uuid FOR UPDATE`;
    return rows[0] ?? null;
  }

  async addVersion(
    tx: PrismaTransaction,
    id: string,
    version: number,
    content: TemplateContent,
    at: Date,
  ): Promise<void> {
    const json = toJson(content);
    await tx.template.update({ where: { id }, data: { version, content: json, updatedAt: at } });
    await tx.templateVersion.create({ data: { templateId: id, version, content: json, createdAt: at } });
  }

  /** The newest first. @param before the last version of the page before */
  async listVersions(
    id: string,
    before: number | null,
    limit: number,
  ): Promise<{ version: number; content: TemplateContent; createdAt: Date }[]> {
    const rows = await this.prisma.templateVersion.findMany({
      where: { templateId: id, ...(before !== null && { version: { lt: before } }) },
      orderBy: { version: 'desc' },
      take: limit,
    });
    return rows.map(({ version, content, createdAt }) => ({
      version,
      content: content as unknown as TemplateContent,
      createdAt,
    }));
  }

  async delete(tx: PrismaTransaction, ids: string[]): Promise<number> {
    await tx.templateVersion.deleteMany({ where: { templateId: { in: ids } } });
    return (await tx.template.deleteMany({ where: { id: { in: ids } } })).count;
  }
}

function toJson(content: TemplateContent): Prisma.InputJsonObject {
  return content as unknown as Prisma.InputJsonObject;
}
