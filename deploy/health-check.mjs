/**
 * Exits with 0 when the server in this container answers the path in the first argument with success, else with 1.
 * `/health/live`, the default, says whether to restart it; `/health/ready` whether to send it requests.
 */
const [path = '/health/live'] = process.argv.slice(2);
const answer = await fetch(`http://127.0.0.1:${process.env.PORT ?? 3000}${path}`).catch(() => undefined);
process.exitCode = answer?.ok ? 0 : 1;
