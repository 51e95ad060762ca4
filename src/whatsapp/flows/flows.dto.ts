import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { ArrayMaxSize, IsArray, IsOptional } from 'class-validator';
import { CodePoints } from '../../infra/http/validators.js';
import { MAX_RULES, type FlowRule } from './flow-rules.js';

const FLOWS = {
  type: 'array',
  items: { type: 'object', additionalProperties: true },
  maxItems: MAX_RULES,
  description:
    '`{ id, match, action }`, tried in order: the first whose `match` holds fires. `match`: `contains` and `equals` (lists ' +
    'of texts), `regex` (syntax of RE2), `state` (null: none), `buttonId`, and `all`, `any` (lists of matches), `not`; all ' +
    'that is given must hold, `{}` always does, case is ignored. `action`: `{ type: "send_template", templateKey, ' +
    'variables?, language?, setState? }`, `{ type: "send_text", text, setState? }` or `{ type: "handoff" }`.',
  example: [
    {
      id: 'hours',
      match: { contains: ['open', 'hours'] },
      action: { type: 'send_text', text: 'We are open from 9 to 5.', setState: null },
    },
  ],
} as const;

export class SetFlowsDto {
  @ApiProperty(FLOWS)
  @IsArray()
  @ArrayMaxSize(MAX_RULES)
  flows: unknown[];

  @ApiPropertyOptional({ type: String, nullable: true, description: 'sent when no rule fires' })
  @IsOptional()
  @CodePoints(1, 100)
  fallbackTemplateKey?: string | null;
}

export class FlowsBody {
  @ApiProperty(FLOWS)
  flows: FlowRule[];

  @ApiProperty({ type: String, nullable: true })
  fallbackTemplateKey: string | null;

  @ApiProperty({ type: 'integer', description: 'one more with each setting; 0: none was ever set' })
  version: number;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  updatedAt: string | null;
}
