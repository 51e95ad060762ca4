import { execFile } from 'node:child_process';
import { copyFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { makeFolder } from './folder.js';
import { ROOT } from './project.js';

const run = promisify(execFile);

/**
 * Clones the project, what is not committed yet included, into a new folder of mode 0700, with its dependencies as
 * `npm ci` has installed them here. Neither a build nor anything else that git does not know is in it.
 */
export async function cloneProject(): Promise<string> {
  const folder = await makeFolder('clone');
  const repository = join(folder, 'repository');
  const clone = join(folder, 'parley');
  await run('git', ['init', '--quiet', '--bare', repository]);
  const git = (...args: string[]): Promise<unknown> =>
    run('git', ['--git-dir', repository, '--work-tree', ROOT, '-c', 'core.bare=false', ...args], {
      cwd: ROOT,
    });
  await git('add', '--all');
  await git('-c', 'user.name=tests', '-c', 'user.email=tests@example.com', 'commit', '--quiet', '-m', 'all');
  await run('git', ['clone', '--quiet', repository, clone]);
  await rm(repository, { recursive: true });
  await linkDependencies(clone);
  return clone;
}

/**
 * Puts this checkout's `node_modules` into another folder, as hard links where the file system allows it. npm may
 * then add and remove packages there; the one file that it writes in place is a copy.
 */
export async function linkDependencies(folder: string): Promise<void> {
  const [from, to] = [join(ROOT, 'node_modules'), join(folder, 'node_modules')];
  await run('cp', ['--archive', '--link', from, to]).catch(async () => {
    await rm(to, { recursive: true, force: true });
    await run('cp', ['--archive', from, to]);
  });
  await rm(join(to, '.package-lock.json'));
  await copyFile(join(from, '.package-lock.json'), join(to, '.package-lock.json'));
}
