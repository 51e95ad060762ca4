import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsIn,
  IsObject,
  IsOptional,
  Matches,
  ValidateBy,
} from 'class-validator';
import { PageQuery } from '../../infra/http/page.dto.js';
import { MayBeAbsent } from '../../users/users.validators.js';
import { normaliseLanguage } from './languages.js';

export const PARAMETER_FORMATS = ['positional', 'named'] as const;
export type ParameterFormat = (typeof PARAMETER_FORMATS)[number];

const KEY = /^[A-Za-z0-9_.-]{1,100}$/;
const META_NAME = /^[a-z0-9_]{1,512}$/;
const MAX_COMPONENTS = 4;
const MAX_VARIABLES = 100;
const MAX_VALUE = 4096;
const MAX_METADATA_BYTES = 16_384;

const COMPONENTS = {
  type: 'array',
  items: { type: 'object', additionalProperties: true },
  minItems: 1,
  maxItems: MAX_COMPONENTS,
  description:
    '`{ type: "header", text }` or `{ type: "header", format: "image"|"video"|"document", link|id }`, ' +
    '`{ type: "body", text }`, `{ type: "footer", text }`, `{ type: "buttons", buttons: [{ type: "quick_reply", text, ' +
    'id? }, { type: "url", text, url }, …] }`; `{{name}}` stands for a variable. Without `id`, what a reply comes ' +
    'back with is its text. Buttons of the types `phone_number` and `copy_code` need `metaTemplateName`.',
  example: [{ type: 'body', text: 'Hello {{name}}, your order {{order}} is ready.' }],
} as const;

const VARIABLE = { oneOf: [{ type: 'string' }, { type: 'number' }, { type: 'boolean' }] };
const VARIABLES = {
  oneOf: [
    { type: 'object', additionalProperties: VARIABLE },
    { type: 'array', items: VARIABLE },
  ],
  description: 'texts, numbers or booleans by name; a list fills {{1}}, {{2}} …',
  example: { name: 'Pablo' },
};

/** A language as in `en` or `pt_BR`. */
function IsLanguage(): PropertyDecorator {
  return ValidateBy({
    name: 'language',
    validator: {
      validate: (value: unknown) => typeof value === 'string' && normaliseLanguage(value) !== null,
      defaultMessage: () => '$property must be a language such as en or pt_BR',
    },
  });
}

/** What to fill in, by name or in a list. */
export function IsVariables(): PropertyDecorator {
  return ValidateBy({
    name: 'variables',
    validator: {
      validate: isVariables,
      defaultMessage: () =>
        `$property must hold at most ${MAX_VARIABLES} texts of at most ${MAX_VALUE} characters, numbers or booleans`,
    },
  });
}

function isVariables(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const values = Object.values(value);
  return values.length <= MAX_VARIABLES && values.every(isVariable);
}

function isVariable(value: unknown): boolean {
  if (typeof value === 'string') return value.length <= MAX_VALUE;
  return (
    value === null || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))
  );
}

function IsMetadata(): PropertyDecorator {
  return ValidateBy({
    name: 'metadata',
    validator: {
      validate: (value: unknown) => Buffer.byteLength(JSON.stringify(value ?? null)) <= MAX_METADATA_BYTES,
      defaultMessage: () => `$property must be at most ${MAX_METADATA_BYTES} bytes of JSON`,
    },
  });
}

class TemplateFields {
  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: true,
    nullable: true,
    description:
      'the tenant’s own; `metaTemplateName`, `metaLanguage` and `parameterFormat` are read here too',
  })
  @IsOptional()
  @IsObject()
  @IsMetadata()
  metadata?: Record<string, unknown> | null;

  @ApiPropertyOptional({
    type: String,
    nullable: true,
    description: 'Meta’s name of the approved template by which it is sent, with the window open or closed',
  })
  @IsOptional()
  @Matches(META_NAME, { message: '$property must be 1 to 512 of a-z, 0-9 and _' })
  metaTemplateName?: string | null;

  @ApiPropertyOptional({
    type: String,
    nullable: true,
    description: 'Meta’s code of it; default: `language`',
  })
  @IsOptional()
  @IsLanguage()
  metaLanguage?: string | null;

  @ApiPropertyOptional({
    enum: PARAMETER_FORMATS,
    nullable: true,
    description: 'of Meta’s template; default: what the last synchronisation found, else positional',
  })
  @IsOptional()
  @IsIn(PARAMETER_FORMATS)
  parameterFormat?: ParameterFormat | null;
}

export class CreateTemplateDto extends TemplateFields {
  @ApiProperty({ pattern: KEY.source })
  @Matches(KEY, { message: '$property must be 1 to 100 of letters, digits, _ . and -' })
  key: string;

  @ApiPropertyOptional({ default: 'en', example: 'pt_BR' })
  @MayBeAbsent()
  @IsLanguage()
  language: string = 'en';

  @ApiProperty(COMPONENTS)
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MAX_COMPONENTS)
  components: unknown[];
}

export class UpdateTemplateDto extends TemplateFields {
  @ApiPropertyOptional({ description: 'as in the path: keys do not change' })
  @MayBeAbsent()
  @Matches(KEY, { message: '$property must be 1 to 100 of letters, digits, _ . and -' })
  key?: string;

  @ApiPropertyOptional({ description: 'which one; needed when the template has several languages' })
  @MayBeAbsent()
  @IsLanguage()
  language?: string;

  @ApiPropertyOptional(COMPONENTS)
  @MayBeAbsent()
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MAX_COMPONENTS)
  components?: unknown[];
}

export class LanguageQuery {
  @ApiPropertyOptional({ description: 'this one exactly' })
  @MayBeAbsent()
  @IsLanguage()
  language?: string;
}

export class ListVersionsQuery extends PageQuery {
  @ApiPropertyOptional({ description: 'this one exactly' })
  @MayBeAbsent()
  @IsLanguage()
  language?: string;
}

export class PreviewTemplateDto {
  @ApiPropertyOptional({ description: 'if it is not there, another is chosen as in sending' })
  @MayBeAbsent()
  @IsLanguage()
  language?: string;

  @ApiPropertyOptional(VARIABLES)
  @MayBeAbsent()
  @IsVariables()
  variables: Record<string, unknown> | unknown[] = {};
}

/** What Meta has told of its own template. */
export class ApprovalBody {
  @ApiProperty({ type: String, nullable: true, description: '`APPROVED`, `REJECTED`, `PAUSED` …' })
  status: string | null;

  @ApiProperty({ type: String, nullable: true })
  reason: string | null;

  @ApiProperty({ type: String, nullable: true })
  category: string | null;

  @ApiProperty({ type: String, nullable: true })
  quality: string | null;

  @ApiProperty({ type: String, nullable: true, description: 'Meta’s id of it' })
  id: string | null;

  @ApiProperty({ format: 'date-time' })
  updatedAt: string;
}

export class TemplateVersionBody {
  @ApiProperty({ type: 'integer' })
  version: number;

  @ApiProperty({ type: 'array', items: { type: 'object', additionalProperties: true } })
  components: unknown[];

  @ApiProperty({ type: 'object', additionalProperties: true, nullable: true })
  metadata: Record<string, unknown> | null;

  @ApiProperty({ type: String, nullable: true })
  metaTemplateName: string | null;

  @ApiProperty({ type: String, nullable: true })
  metaLanguage: string | null;

  @ApiProperty({ type: String, enum: [...PARAMETER_FORMATS, null], nullable: true })
  parameterFormat: ParameterFormat | null;

  @ApiProperty({ format: 'date-time' })
  createdAt: string;
}

export class TemplateBody extends TemplateVersionBody {
  @ApiProperty()
  key: string;

  @ApiProperty()
  language: string;

  @ApiProperty({ type: [String], description: 'the names of its variables, in order' })
  variables: string[];

  @ApiProperty({ type: ApprovalBody, nullable: true, description: 'null: Meta has told nothing of it' })
  approval: ApprovalBody | null;

  @ApiProperty({ format: 'date-time' })
  updatedAt: string;
}

/** A template as a customer would get it. */
export class PreviewBody {
  @ApiProperty()
  key: string;

  @ApiProperty({ description: 'the one that was chosen' })
  language: string;

  @ApiProperty({ type: 'integer' })
  version: number;

  @ApiProperty({ enum: ['TEXT', 'INTERACTIVE'] })
  type: 'TEXT' | 'INTERACTIVE';

  @ApiProperty({ description: 'header, body and footer' })
  text: string;

  @ApiProperty({ type: 'object', additionalProperties: true, description: 'what Meta is told' })
  request: Record<string, unknown>;
}

export class SyncedBody {
  @ApiProperty({ type: 'integer', description: 'templates that Meta has' })
  seen: number;

  @ApiProperty({ type: 'integer', description: 'of which it told something new' })
  changed: number;

  @ApiProperty({ type: 'integer', description: 'that are gone there, and were known' })
  gone: number;
}
