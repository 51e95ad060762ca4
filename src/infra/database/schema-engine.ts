import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import {
  bindMigrationAwareSqlAdapterFactory,
  type SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils';
import type { SchemaEngine } from '@prisma/schema-engine-wasm/schema_engine_bg';

const PACKAGE = '@prisma/schema-engine-wasm/schema_engine_bg';

interface EngineExports {
  __wbindgen_start(): void;
}

/** Node's types leave WebAssembly to the browser's. */
declare const WebAssembly: {
  instantiate(
    binary: Uint8Array,
    imports: Record<string, object>,
  ): Promise<{ instance: { exports: EngineExports } }>;
};

let loading: Promise<typeof SchemaEngine> | undefined;

/**
 * Starts Prisma's schema engine on a database. The native engine is a download of its own, which a machine that has
 * the npm registry and nothing else cannot make; this one comes as WebAssembly in a package. The caller frees it.
 */
export async function createSchemaEngine(
  adapterFactory: SqlMigrationAwareDriverAdapterFactory,
): Promise<SchemaEngine> {
  const Engine = await (loading ??= load());
  // What it logs are the scripts it runs; errors come back as exceptions.
  const ignoreLog = (): void => undefined;
  return Engine.new(
    { datamodels: undefined },
    ignoreLog,
    bindMigrationAwareSqlAdapterFactory(adapterFactory),
  );
}

/** The package's own entry imports its `.wasm` file as a module, which Node 20 does not know how to do. */
async function load(): Promise<typeof SchemaEngine> {
  const glue = await import('@prisma/schema-engine-wasm/schema_engine_bg');
  const gluePath = createRequire(import.meta.url).resolve(PACKAGE);
  const binary = await readFile(gluePath.replace(/\.js$/, '.wasm'));
  const { instance } = await WebAssembly.instantiate(binary, {
    './schema_engine_bg.js': withIdleTimers(glue),
  });
  glue.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start();
  return glue.SchemaEngine;
}

/** The engine leaves a timer of ten seconds behind, which must not keep a finished program from ending. */
function withIdleTimers(glue: object): Record<string, unknown> {
  const setIdleTimer = (task: () => void, delayMs: number): NodeJS.Timeout =>
    setTimeout(task, delayMs).unref();
  return Object.fromEntries(
    Object.entries(glue).map(([name, value]: [string, unknown]) => [
      name,
      name.startsWith('__wbg_setTimeout_') ? setIdleTimer : value,
    ]),
  );
}
