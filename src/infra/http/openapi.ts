import { applyDecorators, type Type } from '@nestjs/common';
import {
  ApiExtraModels,
  ApiProperty,
  ApiPropertyOptional,
  ApiResponse,
  getSchemaPath,
} from '@nestjs/swagger';
import { ERROR_CATALOGUE, type ErrorCode } from '../../common/errors.js';
import { groupBy } from '../../common/group-by.js';

export class ErrorDetailBody {
  @ApiProperty({ description: 'the path of the field' })
  field: string;

  @ApiProperty()
  message: string;
}

export class ErrorBody {
  @ApiProperty({ enum: ['error'] })
  status: 'error';

  @ApiProperty({ type: 'integer' })
  statusCode: number;

  @ApiProperty({ description: 'the reason phrase of the status' })
  error: string;

  @ApiProperty({ description: 'stable, for programs', enum: Object.keys(ERROR_CATALOGUE) })
  code: string;

  @ApiProperty({ description: 'a sentence for a person' })
  message: string;

  @ApiPropertyOptional({ type: [ErrorDetailBody] })
  details?: ErrorDetailBody[];

  @ApiProperty()
  requestId: string;
}

export class PageBody {
  @ApiProperty({ type: String, nullable: true })
  nextCursor: string | null;

  @ApiPropertyOptional({ type: String, nullable: true })
  prevCursor?: string | null;
}

type Schema = Record<string, unknown>;

interface SuccessOptions {
  status?: number;
  description: string;
  /** The resource; absent: `data` is null. */
  type?: Type;
  isArray?: boolean;
  paged?: boolean;
}

/** Describes one successful answer of a route in the envelope. */
export function ApiSuccess(options: SuccessOptions): MethodDecorator & ClassDecorator {
  const { type, isArray = false, paged = false } = options;
  const item: Schema = type ? { $ref: getSchemaPath(type) } : { type: 'null' };
  const schema: Schema = {
    type: 'object',
    required: ['status', 'message', 'data', ...(paged ? ['page'] : [])],
    properties: {
      status: { type: 'string', enum: ['success'] },
      message: { type: 'string' },
      data: isArray ? { type: 'array', items: item } : item,
      ...(paged && { page: { $ref: getSchemaPath(PageBody) } }),
    },
    additionalProperties: false,
  };
  return applyDecorators(
    ApiExtraModels(PageBody, ...(type ? [type] : [])),
    ApiResponse({ status: options.status ?? 200, description: options.description, schema }),
  );
}

/** Describes the refusals that are a route's own; the ones any route can give are added to all (`buildOpenApi`). */
export function ApiFailures(...codes: ErrorCode[]): MethodDecorator & ClassDecorator {
  const byStatus = groupBy(codes, (code) => ERROR_CATALOGUE[code].status);
  return applyDecorators(
    ApiExtraModels(ErrorBody),
    ...[...byStatus].map(([status, group]) =>
      ApiResponse({ status, description: describeCodes(group), schema: { $ref: getSchemaPath(ErrorBody) } }),
    ),
  );
}

/** One line a code, for the description of an answer. */
export function describeCodes(codes: ErrorCode[]): string {
  return codes.map((code) => `\`${code}\`: ${ERROR_CATALOGUE[code].message}`).join('  \n');
}
