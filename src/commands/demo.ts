import 'reflect-metadata';
import { StartupError } from '../common/startup-error.js';
import { loadConfig, type Config } from '../infra/config/config.js';
import { serveUntilSignal } from '../serve.js';
import { DEMO_PASSWORD, DEMO_PEOPLE, type DemoPerson } from './demo/demo-data.js';
import { seedDemo } from './demo/seed-demo.js';

/** `npm run demo`: the server, in a data folder of its own, with people and conversations in it. */
await serveUntilSignal(loadDemoConfig, async ({ app }) => {
  await seedDemo(app.nest);
  return [
    '',
    `Sign in with the password ${DEMO_PASSWORD} as`,
    ...Object.values(DEMO_PEOPLE).map(introduce),
    '  Everybody is an agent of a WhatsApp number, which two customers have written to.',
  ];
});

function loadDemoConfig(): Config {
  const { env } = process;
  const config = loadConfig({ ...env, DATA_DIR: env.DATA_DIR?.trim() ? env.DATA_DIR : '.data-demo' });
  if (!config.production) return config;
  throw new StartupError(
    'The demo makes accounts whose password everybody knows: it does not run in production.',
  );
}

function introduce({ name, email, story }: DemoPerson): string {
  return `  ${email.padEnd(28)}${name}: ${story}`;
}
