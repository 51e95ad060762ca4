import { ApiProperty } from '@nestjs/swagger';
import { IdList } from '../infra/http/validators.js';

const MAX_CHATS = 20;

export class ForwardMessageDto {
  @ApiProperty({
    type: [String],
    minItems: 1,
    maxItems: MAX_CHATS,
    description: 'different chats of the caller’s',
  })
  @IdList(1, MAX_CHATS)
  chatIds: string[];
}
