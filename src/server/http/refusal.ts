import type { TooFast } from '../connections/rates.ts';
import type { Mask, Refused } from '../errors.ts';
import type { Call } from '../watch/call.ts';

/** A request that is refused with this status. The body has one error, with these extensions. */
export class HttpRefusal extends Error {
  readonly status: number;
  readonly extensions: Refused['extensions'];
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, { message, extensions }: Refused, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.extensions = extensions;
    this.headers = headers;
  }
}

/** Throws an HttpRefusal of 429 with Retry-After. */
export function requirePace(tooFast: TooFast | null): void {
  if (tooFast) throw new HttpRefusal(429, tooFast.error, { 'retry-after': String(Math.ceil(tooFast.retryMs / 1_000)) });
}

/** Turns anything thrown into a refusal: other errors are bugs, or faults of the database. */
export function refusalOf(thrown: unknown, mask: Mask, call: Call): HttpRefusal {
  if (thrown instanceof HttpRefusal) return thrown;
  const { message, extensions = {} } = mask(thrown, call);
  const isUnavailable = extensions.code === 'UNAVAILABLE';
  return new HttpRefusal(isUnavailable ? 503 : 500, { message, extensions }, isUnavailable ? { 'retry-after': '1' } : {});
}
