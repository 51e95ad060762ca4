import { ValidateBy, ValidateIf, buildMessage, isEmail, type ValidationOptions } from 'class-validator';
import { normalisePhone } from './phone.js';

const MAX_EMAIL_LENGTH = 254;

/** May be left out, but is not null: only what a person may lack can be cleared. */
export function MayBeAbsent(): PropertyDecorator {
  return ValidateIf((_dto, value) => value !== undefined);
}

/** An e-mail address; white space around it does not count. */
export function IsEmailAddress(options?: ValidationOptions): PropertyDecorator {
  return ValidateBy(
    {
      name: 'isEmailAddress',
      validator: {
        validate: (value: unknown) =>
          typeof value === 'string' && value.length <= MAX_EMAIL_LENGTH && isEmail(value.trim()),
        defaultMessage: buildMessage(() => '$property must be an e-mail address', options),
      },
    },
    options,
  );
}

/** A phone number with its country code; spaces and punctuation do not count. */
export function IsPhone(options?: ValidationOptions): PropertyDecorator {
  return ValidateBy(
    {
      name: 'isPhone',
      validator: {
        validate: (value: unknown) =>
          typeof value === 'string' && value.length <= 40 && normalisePhone(value) !== null,
        defaultMessage: buildMessage(() => '$property must be a phone number such as +14155550123', options),
      },
    },
    options,
  );
}
