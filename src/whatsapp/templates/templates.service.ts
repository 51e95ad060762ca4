import { isDeepStrictEqual } from 'node:util';
import { Injectable } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { AppError, validationError } from '../../common/errors.js';
import { newId } from '../../common/ids.js';
import { isUniqueViolation, PrismaService } from '../../infra/database/prisma.service.js';
import type { Page } from '../../infra/http/envelope.js';
import { Cursors } from '../../infra/http/cursors.js';
import type { PageQuery } from '../../infra/http/page.dto.js';
import { approvalKey, ApprovalsService, isUsable, type MetaName } from './approvals.service.js';
import type { ApprovalRow } from './approvals.repository.js';
import { bestLanguage, normaliseLanguage } from './languages.js';
import { parseComponents, variablesOf } from './template-parts.js';
import { renderTemplate, type RenderedTemplate, type Variables } from './template-rendering.js';
import {
  PARAMETER_FORMATS,
  type CreateTemplateDto,
  type ParameterFormat,
  type TemplateBody,
  type TemplateVersionBody,
  type UpdateTemplateDto,
} from './templates.dto.js';
import { TemplatesRepository, type TemplateContent, type TemplateRow } from './templates.repository.js';

export type { RenderedTemplate } from './template-rendering.js';

/** A template filled in, and which of its languages and versions it is. */
export interface FilledTemplate {
  template: { key: string; language: string; version: number };
  rendered: RenderedTemplate;
}

/** The templates of tenants: kept in versions, one row a language, and filled in for sending. */
@Injectable()
export class TemplatesService {
  constructor(
    private readonly repository: TemplatesRepository,
    private readonly approvals: ApprovalsService,
    private readonly prisma: PrismaService,
    private readonly cursors: Cursors,
    private readonly clock: Clock,
  ) {}

  /** @throws AppError VALIDATION_FAILED naming the bad component, TEMPLATE_EXISTS */
  async create(tenantId: string, dto: CreateTemplateDto): Promise<TemplateBody> {
    const language = normaliseLanguage(dto.language) ?? dto.language;
    const content = toContent(dto, dto.components);
    const template = { id: newId(), tenantId, key: dto.key, language, content };
    try {
      await this.prisma.inTransaction((tx) => this.repository.insert(tx, template, this.clock.now()));
    } catch (error) {
      throw isUniqueViolation(error) ? new AppError('TEMPLATE_EXISTS', { cause: error }) : error;
    }
    return this.get(tenantId, dto.key, language);
  }

  /**
   * Replaces what is given; a new version if that changes anything.
   *
   * @throws AppError VALIDATION_FAILED, TEMPLATE_NOT_FOUND
   */
  async update(
    tenantId: string,
    key: string,
    language: string | undefined,
    dto: UpdateTemplateDto,
  ): Promise<TemplateBody> {
    if (dto.key !== undefined && dto.key !== key)
      throw validationError([{ field: 'key', message: 'must be that of the path' }]);
    const rows = await this.repository.listLanguages(tenantId, key);
    const wanted = dto.language ?? language;
    if (wanted === undefined && rows.length > 1)
      throw validationError([{ field: 'language', message: 'is needed: the template has several' }]);
    const row = pickExactly(rows, wanted);
    await this.prisma.inTransaction(async (tx) => {
      const current = await this.repository.lock(tx, row.id);
      if (!current) throw new AppError('TEMPLATE_NOT_FOUND');
      const content = toContent(
        { ...current.content, ...given(dto) },
        dto.components ?? current.content.components,
      );
      if (isDeepStrictEqual(content, current.content)) return;
      await this.repository.addVersion(tx, row.id, current.version + 1, content, this.clock.now());
    });
    return this.get(tenantId, key, row.language);
  }

  /** @param language this one exactly; without it, the one that sending would choose. @throws AppError TEMPLATE_NOT_FOUND */
  async get(tenantId: string, key: string, language?: string): Promise<TemplateBody> {
    const row = pickExactly(await this.repository.listLanguages(tenantId, key), language);
    const [body] = await this.toBodies(tenantId, [row]);
    if (!body) throw new AppError('TEMPLATE_NOT_FOUND');
    return body;
  }

  /** By key and language. */
  async list(
    tenantId: string,
    { limit, cursor }: PageQuery,
  ): Promise<{ templates: TemplateBody[]; page: Page }> {
    const scope = `templates ${tenantId}`;
    const [key, language] = cursor === undefined ? [] : (this.cursors.decode(scope, cursor) as string[]);
    const after = key === undefined || language === undefined ? null : { key, language };
    const rows = await this.repository.listPage(tenantId, after, limit + 1);
    const shown = rows.slice(0, limit);
    const last = rows.length > limit ? shown.at(-1) : undefined;
    const nextCursor = last ? this.cursors.encode(scope, [last.key, last.language]) : null;
    return { templates: await this.toBodies(tenantId, shown), page: { nextCursor } };
  }

  /** The newest version first. @throws AppError TEMPLATE_NOT_FOUND */
  async listVersions(
    tenantId: string,
    key: string,
    language: string | undefined,
    { limit, cursor }: PageQuery,
  ): Promise<{ versions: TemplateVersionBody[]; page: Page }> {
    const row = pickExactly(await this.repository.listLanguages(tenantId, key), language);
    const scope = `template versions ${row.id}`;
    const [before] = cursor === undefined ? [null] : (this.cursors.decode(scope, cursor) as number[]);
    const rows = await this.repository.listVersions(row.id, before ?? null, limit + 1);
    const shown = rows.slice(0, limit);
    const last = rows.length > limit ? shown.at(-1) : undefined;
    return {
      versions: shown.map(({ version, content, createdAt }) => toVersionBody(version, content, createdAt)),
      page: { nextCursor: last ? this.cursors.encode(scope, [last.version]) : null },
    };
  }

  /** Deletes one language of a template, or all. @throws AppError TEMPLATE_NOT_FOUND */
  async delete(tenantId: string, key: string, language?: string): Promise<void> {
    const rows = await this.repository.listLanguages(tenantId, key);
    const doomed = language === undefined ? rows : [pickExactly(rows, language)];
    const count = await this.prisma.inTransaction((tx) =>
      this.repository.delete(
        tx,
        doomed.map(({ id }) => id),
      ),
    );
    if (count === 0) throw new AppError('TEMPLATE_NOT_FOUND');
  }

  /**
   * Fills in a template in the best language there is.
   *
   * @param variables by name, or in a list for {{1}}, {{2}} …
   * @throws AppError TEMPLATE_NOT_FOUND, VALIDATION_FAILED naming each missing variable, TEMPLATE_NOT_APPROVED
   */
  async fill(
    tenantId: string,
    key: string,
    language: string | undefined,
    variables: Record<string, unknown> | readonly unknown[],
  ): Promise<FilledTemplate> {
    const rows = await this.repository.listLanguages(tenantId, key);
    const wanted = language === undefined ? null : normaliseLanguage(language);
    const best = bestLanguage(
      rows.map((row) => row.language),
      wanted,
    );
    const row = rows.find((there) => there.language === best);
    if (!row) throw new AppError('TEMPLATE_NOT_FOUND');
    const { content } = row;
    const meta = metaNameOf(row);
    const parts = parseComponents(content.components, meta !== null);
    const values = toVariables(variables);
    if (!meta) return { template: row, rendered: renderTemplate(parts, values, null) };
    const approval = (await this.approvals.listOf(tenantId, [meta])).get(approvalKey(meta));
    const isNamed = (content.parameterFormat ?? approval?.parameter_format?.toLowerCase()) === 'named';
    const rendered = renderTemplate(parts, values, { ...meta, isNamed });
    if (!isUsable(approval)) {
      throw new AppError('TEMPLATE_NOT_APPROVED', {
        details: [{ field: 'templateKey', message: `is ${approval?.status ?? 'unknown'} at Meta` }],
      });
    }
    return { template: row, rendered };
  }

  private async toBodies(tenantId: string, rows: readonly TemplateRow[]): Promise<TemplateBody[]> {
    const approvals = await this.approvals.listOf(
      tenantId,
      rows.flatMap((row) => metaNameOf(row) ?? []),
    );
    return rows.map((row) => {
      const meta = metaNameOf(row);
      const approval = meta ? approvals.get(approvalKey(meta)) : undefined;
      return {
        ...row.content,
        key: row.key,
        language: row.language,
        version: row.version,
        variables: variablesOf(parseComponents(row.content.components, meta !== null)),
        approval: approval ? toApprovalBody(approval) : null,
        createdAt: row.created_at.toISOString(),
        updatedAt: row.updated_at.toISOString(),
      };
    });
  }
}

/** @throws AppError TEMPLATE_NOT_FOUND */
function pickExactly(rows: readonly TemplateRow[], language: string | undefined): TemplateRow {
  const languages = rows.map((row) => row.language);
  const wanted = language === undefined ? bestLanguage(languages, null) : normaliseLanguage(language);
  const row = rows.find((there) => there.language === wanted);
  if (!row) throw new AppError('TEMPLATE_NOT_FOUND');
  return row;
}

function metaNameOf({ content, language }: TemplateRow): MetaName | null {
  if (content.metaTemplateName === null) return null;
  return { name: content.metaTemplateName, language: content.metaLanguage ?? language };
}

interface ContentFields {
  metadata?: Record<string, unknown> | null;
  metaTemplateName?: string | null;
  metaLanguage?: string | null;
  parameterFormat?: ParameterFormat | null;
}

/** What an update names, be it null. */
function given(dto: ContentFields): ContentFields {
  const { metadata, metaTemplateName, metaLanguage, parameterFormat } = dto;
  return {
    ...(metadata !== undefined && { metadata }),
    ...(metaTemplateName !== undefined && { metaTemplateName }),
    ...(metaLanguage !== undefined && { metaLanguage }),
    ...(parameterFormat !== undefined && { parameterFormat }),
  };
}

/** @throws AppError VALIDATION_FAILED naming the bad component */
function toContent(fields: ContentFields, components: unknown[]): TemplateContent {
  const metadata = fields.metadata ?? null;
  const metaTemplateName = fields.metaTemplateName ?? textIn(metadata, 'metaTemplateName');
  const metaLanguage = fields.metaLanguage ?? textIn(metadata, 'metaLanguage');
  parseComponents(components, metaTemplateName !== null);
  return {
    components,
    metadata,
    metaTemplateName,
    metaLanguage: metaLanguage === null ? null : (normaliseLanguage(metaLanguage) ?? metaLanguage),
    parameterFormat: fields.parameterFormat ?? formatIn(metadata),
  };
}

function textIn(metadata: Record<string, unknown> | null, name: string): string | null {
  const value = metadata?.[name];
  return typeof value === 'string' && value !== '' ? value : null;
}

function formatIn(metadata: Record<string, unknown> | null): ParameterFormat | null {
  const format = textIn(metadata, 'parameterFormat')?.toLowerCase();
  return PARAMETER_FORMATS.find((known) => known === format) ?? null;
}

/** What has no value is left out, and so missing. */
function toVariables(variables: Record<string, unknown> | readonly unknown[]): Variables {
  const entries = Array.isArray(variables)
    ? variables.map((value: unknown, index): [string, unknown] => [String(index + 1), value])
    : Object.entries(variables);
  return Object.fromEntries(
    entries
      .filter(([, value]) => value !== null && value !== undefined)
      .map(([name, value]) => [name, String(value)]),
  );
}

function toVersionBody(version: number, content: TemplateContent, createdAt: Date): TemplateVersionBody {
  return { version, ...content, createdAt: createdAt.toISOString() };
}

function toApprovalBody(row: ApprovalRow): TemplateBody['approval'] {
  const { status, reason, category, quality, meta_id: id, updated_at: updatedAt } = row;
  return { status, reason, category, quality, id, updatedAt: updatedAt.toISOString() };
}
