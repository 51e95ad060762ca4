/**
 * Makes a server kill itself when one of its sends comes to the point named by KILL_AT, for the KILL_AT_PASS-th time.
 * Loaded by `node --import`; nothing in the product can switch it on.
 */
import { register } from 'node:module';

const POINTS = `
let passes = 0;
export function pass(point) {
  if (point !== process.env.KILL_AT) return;
  passes += 1;
  if (passes === Number(process.env.KILL_AT_PASS ?? 1)) process.kill(process.pid, 'SIGKILL');
}`;

const HOOKS = `
export async function load(url, context, next) {
  if (!url.endsWith('/dist/whatsapp/outbound/send-points.js')) return next(url, context);
  return { format: 'module', shortCircuit: true, source: ${JSON.stringify(POINTS)} };
}`;

register(`data:text/javascript,${encodeURIComponent(HOOKS)}`);
