import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a recorded body is read field by field
type Loose = any;

/** A webhook body as it was received. */
export interface Recorded {
  /** Such as `samples/conversation_1_message_1.json`. */
  name: string;
  raw: string;
  body: Loose;
}

const FOLDER = resolve(import.meta.dirname, '../../fixtures/whatsapp');

/** All recorded bodies, in the order of their names, the samples last. */
export function readRecorded(): Recorded[] {
  return ['payloads', 'samples'].flatMap((folder) =>
    readdirSync(join(FOLDER, folder))
      .filter((file) => file.endsWith('.json'))
      .sort()
      .map((file) => {
        const raw = readFileSync(join(FOLDER, folder, file), 'utf8');
        return { name: `${folder}/${file}`, raw, body: JSON.parse(raw) as unknown };
      }),
  );
}

/** Meta's envelope in a body, whether it is wrapped or not. */
export function envelopeOf(body: Loose): Loose {
  return body.metaData ?? body;
}

/** The number that a body is about, as far as it says. */
export function phoneNumberIdOf(body: Loose): string | null {
  return /"phone_number_id":"([^"]+)"/.exec(JSON.stringify(body))?.[1] ?? null;
}

/** The business account that a body is about. */
export function wabaIdOf(body: Loose): string | null {
  const entry = envelopeOf(body).entry[0];
  return entry.changes[0].value.waba_info?.waba_id ?? entry.id ?? null;
}

/** The same body with every string in it put through `change`, keys left alone. */
export function mapStrings(value: Loose, change: (text: string) => string): Loose {
  if (typeof value === 'string') return change(value);
  if (Array.isArray(value)) return value.map((one: unknown) => mapStrings(one, change) as unknown);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value as Record<string, unknown>).map(([key, one]) => [
      key,
      mapStrings(one, change) as unknown,
    ]),
  );
}

/** The same body about other messages: every wamid is another one, the same for the same. */
export function withOtherIds(body: Loose, tag: string): Loose {
  return mapStrings(body, (text) =>
    text.replace(/^wamid\./, `wamid.${tag}.`).replace(/^<(\w+_MESSAGE_ID)>$/, `wamid.${tag}.$1`),
  );
}
