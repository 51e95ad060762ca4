import { storable } from '../../common/storable.js';
import { ItemRefused } from './item-refused.js';
import type { JsonObject } from './parse-values.js';

/**
 * What Meta sent, as it can be kept.
 *
 * @throws ItemRefused for what is nested deeper than can be written
 */
export function payloadOf(raw: JsonObject): Record<string, unknown> {
  try {
    return storable({ ...raw });
  } catch (error) {
    if (error instanceof RangeError) throw new ItemRefused('BAD_ITEM', 'it is nested too deeply');
    throw error;
  }
}
