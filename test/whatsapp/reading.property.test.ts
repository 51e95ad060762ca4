import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readWebhook } from '../../src/whatsapp/webhook/webhook-items.js';

/** What is read of a webhook is where it says it is, and reading never throws, whatever stands in it. */
const LISTS = [
  'messages',
  'message_echoes',
  'statuses',
  'errors',
  'contacts',
  'calls',
  'history',
  'threads',
] as const;
const FIELDS = [
  'messages',
  'smb_message_echoes',
  'history',
  'calls',
  'user_preferences',
  'account_update',
  'new',
];
const NAMES = [
  ...LISTS,
  'id',
  'from',
  'to',
  'type',
  'text',
  'image',
  'context',
  'reaction',
  'edit',
  'revoke',
  'system',
  'message',
  'timestamp',
  'status',
  'metadata',
  'phone_number_id',
  'display_phone_number',
  'wa_id',
  'user_id',
  'profile',
];

const anything: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  node: fc.oneof(
    { depthSize: 'medium' },
    fc.jsonValue({ maxDepth: 1 }),
    fc.constantFrom('16505551234', 'wamid.1', '1760000000', ...FIELDS, 'text', 'reaction', 'edit'),
    fc.array(tie('node'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...NAMES), tie('node'), { maxKeys: 6 }),
  ),
})).node;

const value = fc.record(
  Object.fromEntries(LISTS.map((name) => [name, fc.oneof(fc.array(anything, { maxLength: 3 }), anything)])),
  { requiredKeys: [] },
);
const change = fc.oneof(anything, fc.record({ field: fc.constantFrom(...FIELDS), value }));
const body = fc.oneof(
  anything,
  fc.record({
    entry: fc.array(
      fc.oneof(anything, fc.record({ id: anything, changes: fc.array(change, { maxLength: 3 }) })),
      {
        maxLength: 3,
      },
    ),
  }),
);

function at(root: unknown, path: string): unknown {
  return path
    .split(/[.[\]]+/)
    .filter((step) => step !== '')
    .reduce<unknown>((found, step) => (found as Record<string, unknown> | undefined)?.[step], root);
}

it('reads anything without throwing, and says where each part stood', () => {
  fc.assert(
    fc.property(body, fc.boolean(), (told, isWrapped) => {
      const root = isWrapped ? { metaData: told } : told;
      const { items, bad } = readWebhook(root);
      expect(items.length + bad.length > 0 || isEmpty(told)).toBe(true);
      for (const { path, raw } of items) {
        const found = at(root, path);
        // Of a change as a whole, the path leads to its value.
        expect([found, at(root, path.replace(/\.value$/, ''))]).toContainEqual(raw);
      }
      expect(new Set([...items, ...bad].map(({ path }) => path)).size).toBe(items.length + bad.length);
    }),
    { numRuns: 2_000 },
  );
});

/** An envelope with nothing in it tells nothing, and that is no mistake. */
function isEmpty(told: unknown): boolean {
  const { entry } = (told ?? {}) as { entry?: unknown };
  return (
    Array.isArray(entry) &&
    entry.every((one) => {
      const { changes } = (one ?? {}) as { changes?: unknown };
      return Array.isArray(changes) && changes.length === 0;
    })
  );
}
