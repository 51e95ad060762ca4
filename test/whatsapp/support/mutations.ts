// eslint-disable-next-line @typescript-eslint/no-explicit-any -- any JSON
type Json = any;

export type JsonPath = (string | number)[];

export interface Mutation {
  path: JsonPath;
  how: string;
  body: Json;
}

/** What takes the place of a value; of these, a value gets all that are of another type than its own. */
const WRONG: readonly (readonly [string, unknown])[] = [
  ['null', null],
  ['a text', 'x'],
  ['an empty text', ''],
  ['a number', -1.5],
  ['true', true],
  ['a list', [1]],
  ['an empty object', {}],
];

/** And these whatever it was: of the right type, perhaps, and of no sense. */
const HOSTILE: readonly (readonly [string, unknown])[] = [
  ['U+0000 and a lone surrogate', 'a\u0000b\ud800'],
  ['a huge number', 1e308],
  ['digits without end', '9'.repeat(400)],
  ['what shadows Object', JSON.parse('{"__proto__":{"id":"x"},"constructor":1,"toString":2,"length":-1}')],
  ['a list of everything', [null, 'x', -1, {}, [[]], true]],
];

/** Every path in a JSON value, the root's own (empty) first. */
export function pathsOf(value: Json, at: JsonPath = []): JsonPath[] {
  if (typeof value !== 'object' || value === null) return [at];
  const keys: (string | number)[] = Array.isArray(value) ? [...value.keys()] : Object.keys(value as object);
  return [at, ...keys.flatMap((key) => pathsOf(value[key], [...at, key]))];
}

/** Each path of a body once removed, and once with each value that has no place there. */
export function* mutationsOf(body: Json): Generator<Mutation> {
  for (const path of pathsOf(body)) {
    if (path.length === 0) continue;
    yield { path, how: 'removed', body: changed(body, path) };
    const before = valueAt(body, path) as unknown;
    for (const [how, value] of WRONG) {
      if (kindOf(value) !== kindOf(before) || value === '')
        yield { path, how, body: changed(body, path, value) };
    }
    for (const [how, value] of HOSTILE) yield { path, how, body: changed(body, path, value) };
  }
}

export function valueAt(body: Json, path: JsonPath): Json {
  return path.reduce<Json>((value, key) => value?.[key], body);
}

/** A copy with another value at `path`, or, without a value, with nothing there. */
export function changed(body: Json, path: JsonPath, ...value: [unknown?]): Json {
  const copy = structuredClone(body);
  const last = path.at(-1);
  const parent = valueAt(copy, path.slice(0, -1));
  if (last === undefined) return value[0];
  if (value.length > 0) parent[last] = structuredClone(value[0]);
  else if (Array.isArray(parent)) parent.splice(Number(last), 1);
  else Reflect.deleteProperty(parent as object, last);
  return copy;
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'list' : typeof value;
}
