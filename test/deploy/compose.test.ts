import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { loadConfig, VARIABLES } from '../../src/infra/config/config.js';
import { ROOT } from '../support/project.js';
import { readCompose, serverEnvironment, TEST_SECRETS } from './compose.js';
import { itWith } from './tools.js';

const run = promisify(execFile);
const compose = readCompose();
const servers = ['api1', 'api2', 'worker'];

function dockerCompose(env: Record<string, string>, ...args: string[]) {
  return run('docker-compose', args, {
    cwd: ROOT,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
  });
}

const itWithCompose = itWith('docker-compose');

describe('docker-compose.yml', () => {
  itWithCompose('is one that docker-compose takes', async () => {
    const { stdout } = await dockerCompose(TEST_SECRETS, '--profile', 'studio', 'config', '--services');
    expect(stdout.trim().split('\n').sort()).toEqual(Object.keys(compose.services).sort());
    const alwaysThere = Object.entries(compose.services).filter(
      ([, { profiles }]) => !profiles?.includes('studio'),
    );
    expect(alwaysThere.map(([name]) => name).sort()).toEqual(
      [...servers, 'nginx', 'postgres', 'redis'].sort(),
    );
  });

  itWithCompose('asks for each secret that is missing', async () => {
    for (const name of Object.keys(TEST_SECRETS)) {
      const { [name]: _missing, ...rest } = TEST_SECRETS;
      await expect(dockerCompose(rest, 'config')).rejects.toThrow(/set it/);
    }
  });

  it('gives every server variables that it reads, and that production takes', () => {
    const known = VARIABLES.map(({ name }) => name);
    for (const service of [...servers, 'studio']) {
      const environment = serverEnvironment(service, TEST_SECRETS);
      expect(Object.keys(environment).filter((name) => !known.includes(name))).toEqual([]);
      const config = loadConfig({ NODE_ENV: 'production', ...environment });
      expect(config).toMatchObject({
        production: true,
        cookieSecure: true,
        trustProxy: 1,
        databaseUrl: 'postgresql://parley:databasePassword1@postgres:5432/parley',
        redis: { host: 'redis', port: 6379 },
      });
    }
    const roles = servers.map((name) => loadConfig(serverEnvironment(name, TEST_SECRETS)).role);
    expect(roles).toEqual(['api', 'api', 'worker']);
  });

  it('keeps no secret itself', () => {
    const text = readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8');
    for (const [, name, value] of text.matchAll(/^ *(\w*(?:SECRET|PASSWORD|KEY)\w*): *(.*)$/gm)) {
      expect([name, value]).toEqual([name, expect.stringMatching(/^\$\{\w+(:\?[^}]+)?\}$/)]);
    }
  });

  it('opens nothing but nginx, and Studio to this machine alone', () => {
    const ports = Object.entries(compose.services).flatMap(([name, { ports: open }]) =>
      open ? [[name, open]] : [],
    );
    expect(ports).toEqual([
      ['nginx', ['${HTTP_PORT:-8080}:80']],
      ['studio', ['127.0.0.1:5555:5556']],
    ]);
  });

  it('starts everything in its order, and gives requests time to finish', () => {
    const healthy = { condition: 'service_healthy' };
    for (const name of servers) {
      const { depends_on, stop_grace_period, volumes } = compose.services[name] ?? {};
      expect(depends_on).toEqual({ postgres: healthy, redis: healthy });
      expect(Number.parseInt(stop_grace_period ?? '')).toBeGreaterThan(20);
      expect(volumes).toEqual(['uploads:/app/data']);
    }
    expect(compose.services.nginx?.depends_on).toEqual({ api1: healthy, api2: healthy });
    for (const name of [...servers, 'nginx', 'postgres', 'redis']) {
      expect(compose.services[name]?.healthcheck?.test?.[0]).toBe('CMD');
    }
  });

  it('mounts and runs files that are there', () => {
    const sources = Object.values(compose.services)
      .flatMap(({ volumes }) => volumes ?? [])
      .filter((volume) => volume.startsWith('./'));
    expect(sources).toHaveLength(2);
    for (const volume of sources) expect(existsSync(join(ROOT, volume.split(':')[0] ?? ''))).toBe(true);
    for (const name of servers) {
      expect(compose.services[name]?.healthcheck?.test).toEqual([
        'CMD',
        'node',
        'deploy/health-check.mjs',
        '/health/ready',
      ]);
    }
    expect(existsSync(join(ROOT, 'deploy/health-check.mjs'))).toBe(true);
  });
});

describe('nginx', () => {
  it('leads to every api of the compose file, on the port of the image', () => {
    const text = readFileSync(join(ROOT, 'deploy/nginx.conf'), 'utf8');
    for (const [, upstream] of text.matchAll(/upstream \w+ \{([^}]*)\}/g)) {
      const hosts = [...(upstream ?? '').matchAll(/server (\S+);/g)].map(([, host]) => host);
      expect(hosts).toEqual(['api1:3000', 'api2:3000']);
    }
  });

  it('lets the host in to Studio by the port that is open', () => {
    const text = readFileSync(join(ROOT, 'deploy/nginx-studio.conf'), 'utf8');
    expect(text).toContain('listen 5556;');
    expect(text).toContain('proxy_pass http://127.0.0.1:5555;');
    expect(compose.services.studio?.command).toEqual(['node', 'dist/commands/studio.js', '--port', '5555']);
    expect(compose.services['studio-door']?.network_mode).toBe('service:studio');
  });
});
