import { ValidateBy, buildMessage, type ValidationOptions } from 'class-validator';

/** Code points, as the contract counts text: `@Length` counts UTF-16 units. */
export function codePointLength(text: string): number {
  let length = 0;
  for (const _ of text) length++;
  return length;
}

/** A string of `min` to `max` code points. */
export function CodePoints(min: number, max: number, options?: ValidationOptions): PropertyDecorator {
  return ValidateBy(
    {
      name: 'codePoints',
      validator: {
        validate: (value: unknown) => {
          if (typeof value !== 'string' || value.length > max * 2) return false;
          const length =
            value.length <= max && value.length > min * 2 ? value.length : codePointLength(value);
          return length >= min && length <= max;
        },
        defaultMessage: buildMessage(() => `$property must be text of ${min} to ${max} characters`, options),
      },
    },
    options,
  );
}

/** Not white space, nor a control or format character, which print nothing either. */
const SOMETHING_VISIBLE = /[^\s\p{Cc}\p{Cf}]/u;

/** A string with something to see in it: not white space alone. */
export function NotBlank(options?: ValidationOptions): PropertyDecorator {
  return ValidateBy(
    {
      name: 'notBlank',
      validator: {
        validate: (value: unknown) => typeof value === 'string' && SOMETHING_VISIBLE.test(value),
        defaultMessage: buildMessage(() => '$property must not be white space alone', options),
      },
    },
    options,
  );
}

const MAX_ID_LENGTH = 200;

/**
 * A list of `min` to `max` different ids. One check instead of class-validator's one for each rule, of which
 * `ArrayUnique` compares everything with everything, however long the list.
 */
export function IdList(min: number, max: number, options?: ValidationOptions): PropertyDecorator {
  return ValidateBy(
    {
      name: 'idList',
      validator: {
        validate: (value: unknown) =>
          Array.isArray(value) &&
          value.length >= min &&
          value.length <= max &&
          value.every((id) => typeof id === 'string' && id.length <= MAX_ID_LENGTH) &&
          new Set(value).size === value.length,
        defaultMessage: buildMessage(
          () => `$property must be a list of ${min} to ${max} different ids`,
          options,
        ),
      },
    },
    options,
  );
}
