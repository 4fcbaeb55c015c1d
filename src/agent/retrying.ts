import { GatewayUnreachable, RequestRefused, retryAfterOf } from '../client/errors.ts';
import type { TypedDocumentString } from '../client/generated.ts';
import type { Requester, RequestOptions } from '../client/request.ts';
import { type Backoff, delayMs, wait } from '../timing/backoff.ts';

/**
 * Reports should arrive soon after the gateway is back, so the agent retries more often than an
 * interactive client.
 */
const backoff: Backoff = { baseMs: 200, capMs: 3_000, random: Math.random };

/**
 * Whether the same request may succeed later: the gateway is unreachable, has a full disk or an
 * internal error, or limits the rate.
 */
export function isTransient(error: unknown): boolean {
  if (retryAfterOf(error) !== null) return true;
  return error instanceof GatewayUnreachable || (error instanceof RequestRefused && ['UNAVAILABLE', 'INTERNAL_ERROR'].includes(error.code));
}

/** The same. Too many requests at once are also worth a retry. */
export const mayRetry = (error: unknown): boolean =>
  isTransient(error) || (error instanceof RequestRefused && error.code === 'LIMIT_EXCEEDED');

/** Whether the gateway refuses the key. */
export function isKeyRefused(error: unknown): error is RequestRefused {
  return error instanceof RequestRefused && (error.code === 'UNAUTHENTICATED' || error.code === 'FORBIDDEN');
}

/** Like `untilAnswered`, for one request. */
export function requestUntilAnswered<Data, Variables>(
  client: Requester,
  document: TypedDocumentString<Data, Variables>,
  variables: Variables,
  options: RequestOptions & { readonly signal: AbortSignal },
): Promise<Data> {
  return untilAnswered(() => client.request(document, variables, options), options.signal);
}

/**
 * Asks again until the gateway answers. Rejects with the signal's reason when it is aborted, and
 * with any error that is not transient.
 */
export async function untilAnswered<Answer>(ask: () => Promise<Answer>, signal: AbortSignal): Promise<Answer> {
  for (let failures = 1; ; failures += 1) {
    try {
      return await ask();
    } catch (error) {
      signal.throwIfAborted();
      if (!isTransient(error)) throw error;
      await wait((retryAfterOf(error) ?? 0) + delayMs(backoff, failures), signal);
    }
  }
}

/**
 * Wraps a client to report when the gateway goes away and when it is back: once each, however many
 * requests wait.
 */
export function watchClient(client: Requester, onAway: (message: string) => void, onBack: () => void): Requester {
  let isAway = false;
  return {
    target: client.target,
    async request(document, variables, options) {
      try {
        const data = await client.request(document, variables, options);
        if (isAway) onBack();
        isAway = false;
        return data;
      } catch (error) {
        if (error instanceof GatewayUnreachable && !isAway) {
          isAway = true;
          onAway(error.message);
        }
        throw error;
      }
    },
  };
}
