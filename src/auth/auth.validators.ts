import { ValidateBy, buildMessage, type ValidationOptions } from 'class-validator';
import { MAX_PASSWORD_BYTES, MIN_PASSWORD_BYTES } from './passwords.service.js';

/** A password that can be stored: bytes are counted, as bcrypt counts them. */
export function IsNewPassword(options?: ValidationOptions): PropertyDecorator {
  return ValidateBy(
    {
      name: 'isNewPassword',
      validator: {
        validate: (value: unknown) => {
          if (typeof value !== 'string') return false;
          const bytes = Buffer.byteLength(value);
          return bytes >= MIN_PASSWORD_BYTES && bytes <= MAX_PASSWORD_BYTES;
        },
        defaultMessage: buildMessage(
          () => `$property must be ${MIN_PASSWORD_BYTES} to ${MAX_PASSWORD_BYTES} bytes of text in UTF-8`,
          options,
        ),
      },
    },
    options,
  );
}
