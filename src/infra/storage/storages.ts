import path from 'node:path';
import type { Config } from '../config/config.js';
import { CloudinaryStorage } from './cloudinary.storage.js';
import { LocalStorage } from './local.storage.js';
import type { Storage, StorageName } from './storage.js';

/**
 * Every storage that files may lie in. New files go to `current`; what was stored elsewhere before is still read from
 * there, as each file's row says where it lies.
 */
export class Storages {
  readonly current: StorageName;
  private readonly local: Storage;
  private readonly cloudinary: Storage | undefined;

  constructor(config: Config) {
    this.local = new LocalStorage(path.join(config.dataDir, 'uploads'));
    this.cloudinary = config.cloudinary && new CloudinaryStorage(config.cloudinary);
    this.current = this.cloudinary ? 'cloudinary' : 'local';
  }

  /** @throws Error when files were stored there by a configuration that is gone */
  of(name: StorageName): Storage {
    const storage = name === 'local' ? this.local : this.cloudinary;
    if (!storage) throw new Error(`files lie in ${name}, which is not configured any more`);
    return storage;
  }
}
