import type { LookupFunction } from 'node:net';
import { isPrivateAddress } from './private-hosts.js';

/** A look-up like `lookup`, without the addresses of private networks: EPRIVATE if there are no others. */
export function publicOnly(lookup: LookupFunction): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      const addresses = error || typeof found === 'string' ? [] : found;
      const [first, ...rest] = addresses.filter(({ address }) => !isPrivateAddress(address));
      if (!first) callback(error ?? new PrivateAddressError(hostname), '', 4);
      else if (options.all === true) callback(null, [first, ...rest]);
      else callback(null, first.address, first.family);
    });
  };
}

class PrivateAddressError extends Error implements NodeJS.ErrnoException {
  readonly code = 'EPRIVATE';

  constructor(hostname: string) {
    super(`${hostname} leads into a private network`);
  }
}
