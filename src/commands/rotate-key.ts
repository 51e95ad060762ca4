import { StartupError } from '../common/startup-error.js';
import { loadConfig } from '../infra/config/config.js';
import { resolveSecrets } from '../infra/config/secrets.js';
import { Database } from '../infra/database/database.js';
import { openDatabase } from '../infra/database/embedded/open-database.js';
import { migrate } from '../infra/database/migrate.js';
import { Metrics } from '../infra/observability/metrics.js';
import { KeyRotation } from '../whatsapp/hooks/key-rotation.js';
import { SecretBox } from '../whatsapp/tenants/secret-box.js';
import { runCommand } from './run-command.js';

/**
 * `MASTER_KEY_OLD=… MASTER_KEY=… npm run rotate-key`: encrypts what is encrypted under the old key under the new one,
 * beside running servers too. The keys come from the environment and are printed nowhere.
 */
await runCommand(async (print) => {
  const config = loadConfig(process.env);
  const opened = await openDatabase(config, print);
  try {
    await migrate(opened.directUrl, print);
    const database = new Database(opened.url, 2, new Metrics(), () => undefined);
    try {
      const box = new SecretBox(await resolveSecrets(config));
      const { rotated, current, lost } = await new KeyRotation(box, database).run();
      print(`${rotated} secrets are encrypted under the new MASTER_KEY now; ${current} were so before.`);
      if (lost.length > 0) {
        throw new StartupError(
          `${lost.length} secrets open neither with MASTER_KEY nor with MASTER_KEY_OLD; give these tenants new ones: ${[...new Set(lost)].join(', ')}`,
        );
      }
      if (config.oldMasterKey !== undefined) print('Now remove MASTER_KEY_OLD and restart the servers.');
    } finally {
      await database.pool.end();
    }
  } finally {
    await opened.stop();
  }
});
