import type { CorsOrigins } from '../config/config.js';

const LOCALHOST = /^https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/;

/** Whether a page of `origin` (the `Origin` header, as the browser sent it) may call this server with credentials. */
export function isAllowedOrigin(origins: CorsOrigins, origin: string): boolean {
  return origins.kind === 'localhost' ? LOCALHOST.test(origin) : origins.origins.includes(origin);
}
