import 'reflect-metadata';
import { loadConfig } from './infra/config/config.js';
import { serveUntilSignal } from './serve.js';

await serveUntilSignal(() => loadConfig(process.env));
