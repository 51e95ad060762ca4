import { ApiProperty } from '@nestjs/swagger';

/** A part of a webhook that could not be applied. */
export class DeadLetterBody {
  @ApiProperty()
  id: string;

  @ApiProperty({ type: String, nullable: true, description: 'null for a number nobody has registered' })
  tenantId: string | null;

  @ApiProperty({ type: String, nullable: true })
  phoneNumberId: string | null;

  @ApiProperty({ type: String, nullable: true, description: 'Meta’s name of the field', example: 'messages' })
  field: string | null;

  @ApiProperty({
    description: 'where it stands in the body; empty for all of it',
    example: 'entry[0].changes[0].value.messages[0]',
  })
  path: string;

  @ApiProperty({
    enum: ['UNKNOWN_NUMBER', 'UNKNOWN_FIELD', 'BAD_ITEM', 'FAILED'],
    description:
      'UNKNOWN_NUMBER: nobody has registered it; it is taken in again as soon as somebody does. UNKNOWN_FIELD: not known ' +
      'to this version. BAD_ITEM: it has no sense. FAILED: the server’s log says why.',
  })
  reason: string;

  @ApiProperty({ type: String, nullable: true })
  detail: string | null;

  @ApiProperty({
    type: 'object',
    additionalProperties: true,
    description: 'as it came; what is no object stands under `value`',
  })
  item: object;

  @ApiProperty()
  createdAt: string;

  @ApiProperty({ type: String, nullable: true, description: 'when it was applied after all' })
  resolvedAt: string | null;
}
