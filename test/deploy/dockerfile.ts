import { execFile } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, readFile, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import { DockerfileParser, type From, type Instruction, type JSONInstruction } from 'dockerfile-ast';
import { ROOT } from '../support/project.js';
import { linkDependencies } from '../support/working-copy.js';

const run = promisify(execFile);

/** What one stage of a build has come to. */
export interface Stage {
  /** The folder that stands for the image's `/`. */
  root: string;
  workdir: string;
  env: Record<string, string>;
  user: string;
  ports: string[];
  command: string[];
  /** The command of the health check. */
  healthCheck: string[];
}

export async function readInstructions(): Promise<Instruction[]> {
  return DockerfileParser.parse(await readFile(join(ROOT, 'Dockerfile'), 'utf8')).getInstructions();
}

/**
 * Does what the Dockerfile says in folders of this machine, which stands in for the base image, and returns the last
 * stage. Only `npm ci` is not done again: the dependencies are those that it has installed here from the same lock.
 * Commands that name absolute paths are not understood. The caller removes `folder`, which everybody may enter.
 */
export async function buildImage(): Promise<{ folder: string; image: Stage }> {
  const folder = await mkdtemp(join(tmpdir(), 'parley-image-'));
  await chmod(folder, 0o755);
  const stages = new Map<string, Stage>();
  let stage: Stage | undefined;
  for (const instruction of await readInstructions()) {
    if (instruction.getKeyword() === 'FROM') {
      const from = instruction as From;
      const name = from.getBuildStage() ?? String(stages.size);
      stage = await begin(join(folder, name), stages.get(from.getImage() ?? ''));
      stages.set(name, stage);
    } else if (stage) {
      await follow(instruction, stage, stages);
    }
  }
  if (!stage) throw new Error('The Dockerfile has no stage.');
  return { folder, image: stage };
}

/** The path on this machine of a path in the image. */
export function inImage(image: Stage, path: string): string {
  return join(image.root, resolve(image.workdir, path));
}

async function begin(root: string, base: Stage | undefined): Promise<Stage> {
  if (base) {
    await run('cp', ['--archive', '--link', base.root, root]);
    return { ...base, root, env: { ...base.env } };
  }
  await mkdir(root);
  return { root, workdir: '/', env: {}, user: '0', ports: [], command: [], healthCheck: [] };
}

async function follow(
  instruction: Instruction,
  stage: Stage,
  stages: ReadonlyMap<string, Stage>,
): Promise<void> {
  const words = instruction.getArguments().map((argument) => argument.getValue());
  const text = instruction.getArgumentsContent() ?? '';
  switch (instruction.getKeyword()) {
    case 'WORKDIR':
      stage.workdir = resolve(stage.workdir, text);
      await mkdir(inImage(stage, '.'), { recursive: true });
      return;
    case 'ENV':
      for (const word of words) {
        const [name = '', ...value] = word.split('=');
        stage.env[name] = value.join('=');
      }
      return;
    case 'USER':
      stage.user = text;
      return;
    case 'EXPOSE':
      stage.ports.push(...words);
      return;
    case 'CMD':
      stage.command = stringsOf(instruction);
      return;
    case 'HEALTHCHECK':
      stage.healthCheck = JSON.parse(text.replace(/^CMD /, '')) as string[];
      return;
    case 'RUN':
      await runCommand(text, stage);
      return;
    case 'COPY':
      await copy(instruction as JSONInstruction, words, stage, stages);
      return;
    default:
      throw new Error(`This test does not know ${instruction.getKeyword()}.`);
  }
}

function stringsOf(instruction: Instruction): string[] {
  return (instruction as JSONInstruction).getJSONStrings().map((word) => word.getJSONValue());
}

async function runCommand(command: string, stage: Stage): Promise<void> {
  const cwd = inImage(stage, '.');
  if (command === 'npm ci') {
    await linkDependencies(cwd);
    return;
  }
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, ...stage.env };
  await run('/bin/sh', ['-c', command], { cwd, env });
}

async function copy(
  instruction: JSONInstruction,
  words: readonly string[],
  stage: Stage,
  stages: ReadonlyMap<string, Stage>,
): Promise<void> {
  const sources = words.slice(0, -1);
  const target = words.at(-1) ?? '';
  const from = instruction.getFlags().find((flag) => flag.getName() === 'from');
  const isIgnored = from ? () => false : await readIgnoreFile();
  for (const source of sources) {
    const origin = from ? stages.get(from.getValue() ?? '') : undefined;
    const path = origin ? inImage(origin, source) : join(ROOT, source);
    const intoFolder = target.endsWith('/') && !(await stat(path)).isDirectory();
    const destination = inImage(stage, intoFolder ? join(target, basename(source)) : target);
    if (origin) {
      // As a layer does: links stay links, and files are shared, not copied.
      await mkdir(join(destination, '..'), { recursive: true });
      await run('cp', ['--archive', '--link', '--no-target-directory', path, destination]);
    } else {
      if (isIgnored(relative(ROOT, path)))
        throw new Error(`.dockerignore keeps ${source} from being copied.`);
      await cp(path, destination, { recursive: true, filter: (file) => !isIgnored(relative(ROOT, file)) });
    }
  }
}

/** Docker's rule: the last line that matches the path, or a folder it is in, decides. */
export async function readIgnoreFile(): Promise<(path: string) => boolean> {
  const rules = (await readFile(join(ROOT, '.dockerignore'), 'utf8'))
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => ({ keeps: line.startsWith('!'), pattern: toPattern(line.replace(/^!/, '')) }));
  return (path) => {
    const parts = path.split('/');
    const prefixes = parts.map((_part, index) => parts.slice(0, index + 1).join('/'));
    const rule = rules.findLast(({ pattern }) => prefixes.some((prefix) => pattern.test(prefix)));
    return rule !== undefined && !rule.keeps;
  };
}

function toPattern(glob: string): RegExp {
  return new RegExp(`^${glob.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '[^/]*')}$`);
}
