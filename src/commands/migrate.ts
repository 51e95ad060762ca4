import { loadConfig } from '../infra/config/config.js';
import { openDatabase } from '../infra/database/embedded/open-database.js';
import { migrate } from '../infra/database/migrate.js';
import { runCommand } from './run-command.js';

/** `npm run db:migrate`: brings the configured database up to date, as every start of the server does. */
await runCommand(async (print) => {
  const database = await openDatabase(loadConfig(process.env), print);
  try {
    const applied = await migrate(database.directUrl, print);
    for (const name of applied) print(`Applied ${name}.`);
    if (applied.length === 0) print('The database is up to date.');
  } finally {
    await database.stop();
  }
});
