import { plainToInstance } from 'class-transformer';
import { getMetadataStorage, validateSync, type ValidationError } from 'class-validator';
import { AppError, validationError, type ErrorDetail } from '../../common/errors.js';

export type DtoClass<T extends object = object> = new () => T;

interface DtoShape {
  declared: ReadonlySet<string>;
  /** Whether a field is itself a DTO, which class-transformer must then build. */
  nested: boolean;
}

const MAX_DEPTH = 16;
/** More values than any request has; to look at each costs time. */
const MAX_VALUES = 10_000;
const MAX_NAME_SHOWN = 100;
/** A request with more wrong with it than this is not a mistake, and its answer must not outgrow it. */
const MAX_PROBLEMS = 30;
const shapes = new WeakMap<DtoClass, DtoShape>();

/**
 * Checks what a client sent and returns it as an instance of its DTO. REST bodies, queries and socket events all
 * pass here, so that they refuse the same things: unknown fields, a list where an object is declared, keys that
 * shadow Object's own, nesting no DTO has, U+0000 and lone surrogates (PostgreSQL stores neither).
 *
 * @param fromStrings true for queries and multipart fields, whose numbers and booleans arrive as text
 * @throws AppError VALIDATION_FAILED naming every bad field
 */
export function validateInput<T extends object>(dto: DtoClass<T>, input: unknown, fromStrings = false): T {
  if (input === null || typeof input !== 'object' || Array.isArray(input) || ArrayBuffer.isView(input)) {
    throw new AppError('VALIDATION_FAILED', {
      message: 'An object is expected here.',
      details: [{ field: '', message: 'must be an object' }],
    });
  }
  const shape = shapeOf(dto);
  const problems: ErrorDetail[] = [];
  const budget = { values: MAX_VALUES };
  for (const key of Object.keys(input)) {
    if (problems.length >= MAX_PROBLEMS) throw validationError(problems);
    if (!shape.declared.has(key))
      problems.push({ field: key.slice(0, MAX_NAME_SHOWN), message: 'is not a field of this request' });
    else checkValue((input as Record<string, unknown>)[key], key, 1, problems, budget);
  }
  const accepted = problems.length === 0 ? input : withoutFields(input, problems);
  const instance =
    shape.nested || fromStrings ? plainToInstance(dto, accepted) : Object.assign(new dto(), accepted);
  const errors = validateSync(instance, {
    whitelist: shape.nested,
    forbidNonWhitelisted: shape.nested,
    // A DTO without a field is known all the same; what is not declared has been refused above.
    forbidUnknownValues: false,
  });
  const named = new Set(problems.map(({ field }) => topFieldOf(field)));
  for (const error of errors) {
    // What has been refused already was taken out, and is not also missing.
    if (!named.has(error.property)) problems.push(...detailsOf(error, ''));
  }
  if (problems.length > 0) throw validationError(problems.slice(0, MAX_PROBLEMS));
  return instance;
}

function withoutFields(input: object, problems: readonly ErrorDetail[]): object {
  const refused = new Set(problems.map(({ field }) => topFieldOf(field)));
  return Object.fromEntries(Object.entries(input).filter(([key]) => !refused.has(key)));
}

function topFieldOf(field: string): string {
  const dot = field.indexOf('.');
  return dot === -1 ? field : field.slice(0, dot);
}

function shapeOf(dto: DtoClass): DtoShape {
  let shape = shapes.get(dto);
  if (!shape) {
    const metadata = getMetadataStorage().getTargetValidationMetadatas(dto, '', false, false);
    shape = {
      declared: new Set(metadata.map((field) => field.propertyName)),
      nested: metadata.some((field) => field.type === 'nestedValidation'),
    };
    shapes.set(dto, shape);
  }
  return shape;
}

function checkValue(
  value: unknown,
  path: string,
  depth: number,
  problems: ErrorDetail[],
  budget: { values: number },
): void {
  budget.values--;
  if (typeof value === 'string') {
    if (value.includes('\u0000')) problems.push({ field: path, message: 'must not contain U+0000' });
    else if (!value.isWellFormed()) problems.push({ field: path, message: 'must be well-formed Unicode' });
  } else if (typeof value === 'object' && value !== null) {
    if (ArrayBuffer.isView(value)) {
      problems.push({ field: path, message: 'must not be binary' });
      return;
    }
    if (depth >= MAX_DEPTH) {
      problems.push({ field: path, message: `must not be nested deeper than ${MAX_DEPTH} levels` });
      return;
    }
    for (const key of Object.keys(value)) {
      if (problems.length >= MAX_PROBLEMS) return;
      if (budget.values <= 0) {
        problems.push({ field: path, message: `must not hold more than ${MAX_VALUES} values` });
        return;
      }
      const childPath = `${path}.${key}`;
      if (!Array.isArray(value) && key in Object.prototype) {
        problems.push({ field: childPath, message: 'is not a field of this request' });
      } else if (key.includes('\u0000') || !key.isWellFormed()) {
        problems.push({ field: path, message: 'must not have names with U+0000 or lone surrogates' });
      } else {
        checkValue((value as Record<string, unknown>)[key], childPath, depth + 1, problems, budget);
      }
    }
  }
}

function detailsOf(error: ValidationError, parent: string): ErrorDetail[] {
  const field = parent === '' ? error.property : `${parent}.${error.property}`;
  const own = Object.values(error.constraints ?? {}).map((message) => ({
    field,
    message: message.startsWith(`${error.property} `) ? message.slice(error.property.length + 1) : message,
  }));
  return [...own, ...(error.children ?? []).flatMap((child) => detailsOf(child, field))];
}
