import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsOptional } from 'class-validator';
import { CodePoints } from '../../infra/http/validators.js';
import { PreviewTemplateDto } from '../templates/templates.dto.js';

export class HandOffBody {
  @ApiProperty()
  chatId: string;

  @ApiProperty({ description: 'whether a person has taken over' })
  botPaused: boolean;
}

export class TestFlowsDto {
  @ApiPropertyOptional({ type: String, nullable: true, description: 'what the customer writes' })
  @IsOptional()
  @CodePoints(0, 4096)
  text?: string | null;

  @ApiPropertyOptional({ type: String, nullable: true, description: 'where the conversation stands' })
  @IsOptional()
  @CodePoints(1, 100)
  state?: string | null;

  @ApiPropertyOptional({ type: String, nullable: true, description: 'the button that was tapped' })
  @IsOptional()
  @CodePoints(1, 256)
  buttonId?: string | null;
}

export class AnswerBody {
  @ApiProperty({ enum: ['TEXT', 'INTERACTIVE'] })
  type: string;

  @ApiProperty({ type: String, nullable: true })
  text: string | null;

  @ApiProperty({ type: 'object', additionalProperties: true, description: 'what Meta would be told' })
  request: Record<string, unknown>;
}

/** What the bot would do. */
export class FlowTestBody {
  @ApiProperty({ type: String, nullable: true, description: 'the `id` of the rule that fires' })
  ruleId: string | null;

  @ApiProperty({ type: 'object', additionalProperties: true, nullable: true, description: 'its action' })
  action: Record<string, unknown> | null;

  @ApiProperty({
    enum: ['rule', 'fallback', 'auto_reply', 'none'],
    description: 'what the answer comes from; `none`: the customer gets no answer',
  })
  source: 'rule' | 'fallback' | 'auto_reply' | 'none';

  @ApiProperty({ type: AnswerBody, nullable: true })
  answer: AnswerBody | null;

  @ApiProperty({ type: String, nullable: true, description: 'the state from then on' })
  state: string | null;

  @ApiProperty({ description: 'whether the conversation goes to a person' })
  handsOff: boolean;

  @ApiProperty({ type: [String], description: 'why a rule or the fallback could not do what it says' })
  problems: string[];
}

export class SendTemplateDto extends PreviewTemplateDto {
  @ApiProperty({
    maxLength: 200,
    description:
      'a number in E.164 (`+14155550123`), the business-scoped id of a customer, or the id of a customer here',
  })
  @CodePoints(1, 200)
  to: string;

  @ApiProperty({ maxLength: 100 })
  @CodePoints(1, 100)
  templateKey: string;

  @ApiPropertyOptional({ type: String, nullable: true, maxLength: 255 })
  @IsOptional()
  @CodePoints(1, 255)
  idempotency_key?: string | null;
}
