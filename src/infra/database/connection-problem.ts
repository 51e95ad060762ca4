import { StartupError } from '../../common/startup-error.js';

const SHAPE =
  'postgresql://user:password@host:5432/database, special characters in the password percent-encoded';

/** Why a database URL of the environment cannot be used, in one line that says the cure and never the password. */
export function explainConnectionProblem(url: string, error: unknown): StartupError {
  const place = parseUrl(url);
  if (place === undefined)
    return new StartupError(`DATABASE_URL is not the URL of a PostgreSQL database: write ${SHAPE}.`);
  const { server, database, user } = place;
  // Only what is known to be free of secrets is repeated: an error may carry the whole URL.
  const { code, message } = error as { code?: string; message: string };
  switch (code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return problem(`there is no host of the name in ${server}`, 'correct it, or check the name server');
    case 'ECONNREFUSED':
    case 'ENOENT':
      return problem(`nothing listens at ${server}`, 'start PostgreSQL there, or correct the host and port');
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ECONNRESET':
      return problem(`${server} does not answer`, 'check the host, the port and the firewalls between');
    case '28P01':
      return problem(`${server} refuses the user "${user}" with this password`, 'correct them');
    case '28000':
      return problem(
        `${server} does not let the user "${user}" in (${message})`,
        'correct the user, or pg_hba.conf',
      );
    case '3D000':
      return problem(`${server} has no database "${database}"`, 'create it, or correct the name');
    case '42501':
      return problem(`the user "${user}" may not do that in "${database}" (${message})`, 'make it the owner');
    case '53300':
      return problem(`${server} has no connection left`, 'raise max_connections, or lower DATABASE_POOL_MAX');
    case '57P03':
      return problem(`${server} is not ready yet (${message})`, 'start again in a moment');
    default:
      if (message.includes('client password must be a string')) {
        return problem(`${server} wants a password for the user "${user}"`, 'add it');
      }
      if (/timeout/i.test(message)) {
        return problem(
          `${server} does not answer as PostgreSQL does`,
          'check the host, the port and the firewalls',
        );
      }
      return problem(`${server} cannot be used (${firstLine(message)})`, 'correct it');
  }
}

function problem(what: string, cure: string): StartupError {
  return new StartupError(`DATABASE_URL: ${what}: ${cure}.`);
}

/** The host, port, database and user of a PostgreSQL URL, for messages; undefined when it is none. */
export function parseUrl(url: string): { server: string; database: string; user: string } | undefined {
  if (!URL.canParse(url)) return undefined;
  const { protocol, hostname, port, pathname, username, searchParams } = new URL(url);
  if (protocol !== 'postgresql:' && protocol !== 'postgres:') return undefined;
  const host = hostname || (searchParams.get('host') ?? 'localhost');
  return {
    server: `${host}:${port || '5432'}`,
    database: decode(pathname.slice(1)),
    user: decode(username),
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? text;
}
