import type { GraphQLError } from 'graphql';
import type { TooFast } from '../connections/rates.ts';
import { type Mask, refuse } from '../errors.ts';
import type { Call } from '../watch/call.ts';

/** A request that is refused before it is GraphQL: `status` is the HTTP one, `error` the body's only error. */
export class HttpRefusal extends Error {
  readonly status: number;
  readonly error: GraphQLError;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, error: GraphQLError, headers: Readonly<Record<string, string>> = {}) {
    super(error.message);
    this.status = status;
    this.error = error;
    this.headers = headers;
  }
}

/** Throws an HttpRefusal of 429 with Retry-After. */
export function requirePace(tooFast: TooFast | null): void {
  if (tooFast) throw new HttpRefusal(429, tooFast.error, { 'retry-after': String(Math.ceil(tooFast.retryMs / 1_000)) });
}

/** What was thrown, as it is answered. What is no refusal is a fault of ours, or of the database. */
export function refusalOf(thrown: unknown, mask: Mask, call: Call): HttpRefusal {
  if (thrown instanceof HttpRefusal) return thrown;
  const { message, extensions } = mask(thrown, call);
  if (extensions?.code === 'UNAVAILABLE') return new HttpRefusal(503, refuse('UNAVAILABLE', message), { 'retry-after': '1' });
  return new HttpRefusal(500, refuse('INTERNAL_ERROR', message, extensions));
}
