import { ApiProperty } from '@nestjs/swagger';
import { ValidateBy } from 'class-validator';
import { canonicalEmoji } from './reaction-emoji.js';

/** Exactly one emoji, or nothing. */
function OneEmojiOrNone(): PropertyDecorator {
  return ValidateBy({
    name: 'oneEmojiOrNone',
    validator: {
      validate: (value: unknown) =>
        typeof value === 'string' && (value === '' || canonicalEmoji(value) !== null),
      defaultMessage: () => '$property must be exactly one emoji, or empty to take the reaction back',
    },
  });
}

export class ReactDto {
  @ApiProperty({
    description:
      'exactly one emoji that Unicode recommends for interchange, with or without its U+FE0F; "" takes the reaction back',
  })
  @OneEmojiOrNone()
  emoji: string;
}
