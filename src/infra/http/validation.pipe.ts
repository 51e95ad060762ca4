import { Injectable, type ArgumentMetadata, type PipeTransform } from '@nestjs/common';
import { AppError } from '../../common/errors.js';
import { validateInput, type DtoClass } from './validate.js';

const PRIMITIVES: readonly unknown[] = [String, Number, Boolean, Object, Array, undefined];
/** UTF-16 units: ids are at most 200 code points. */
const MAX_ID_LENGTH = 400;

/** Validates every body and query against its DTO; a path parameter only has to be storable text. */
@Injectable()
export class ValidationPipe implements PipeTransform<unknown> {
  transform(value: unknown, { type, metatype }: ArgumentMetadata): unknown {
    if (type === 'param') return checkPathParameter(value);
    if (type === 'custom' || PRIMITIVES.includes(metatype)) return value;
    return validateInput(metatype as DtoClass, value ?? {}, type === 'query');
  }
}

/** An id that no row can have names nothing, so it is answered like any other unknown one. */
function checkPathParameter(value: unknown): unknown {
  if (
    typeof value === 'string' &&
    (value.length > MAX_ID_LENGTH || value.includes('\u0000') || !value.isWellFormed())
  ) {
    throw new AppError('NOT_FOUND');
  }
  return value;
}
