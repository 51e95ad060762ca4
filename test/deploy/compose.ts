import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CORE_SCHEMA, load, mergeTag } from 'js-yaml';
import { ROOT } from '../support/project.js';

export interface Service {
  environment?: Record<string, string>;
  ports?: string[];
  volumes?: string[];
  depends_on?: Record<string, { condition: string }> | string[];
  healthcheck?: { test?: string[] };
  command?: string[];
  profiles?: string[];
  network_mode?: string;
  stop_grace_period?: string;
}

export interface Compose {
  services: Record<string, Service>;
}

/** What the compose file must be given, with values for tests. */
export const TEST_SECRETS: Readonly<Record<string, string>> = {
  POSTGRES_PASSWORD: 'databasePassword1',
  JWT_SECRET: 'a secret of the tests, 32 characters',
  MASTER_KEY: 'a master key of the tests, 32 chars',
};

/** The compose file as it stands, its merge keys resolved and its variables not. */
export function readCompose(): Compose {
  const text = readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8');
  return load(text, { schema: CORE_SCHEMA.withTags(mergeTag) }) as Compose;
}

/** The environment that a service's container gets when compose itself is given `given`. */
export function serverEnvironment(
  service: string,
  given: Readonly<Record<string, string>>,
): Record<string, string> {
  const environment = readCompose().services[service]?.environment ?? {};
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [
      name,
      value.replace(
        /\$\{(\w+)(?::([-?])([^}]*))?\}/g,
        (_all, variable: string, kind?: string, rest?: string) => {
          return given[variable] ?? (kind === '-' ? (rest ?? '') : '');
        },
      ),
    ]),
  );
}
