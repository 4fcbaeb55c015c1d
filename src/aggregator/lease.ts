/** Keeps a step's lease during the work, and learns when to stop. */

import type { Principal } from '../domain/access/principal.ts';
import { renewLease } from '../domain/claims/leases.ts';
import { topics } from '../domain/core/change.ts';
import type { Domain } from '../domain/core/domain.ts';
import { StaleLease } from '../domain/core/refusals.ts';
import type { Waker } from '../domain/core/waker.ts';

/**
 * Short, because no connection can get lost here: a gateway that died in the middle delays its
 * round by no more than this.
 */
export const LEASE_SECONDS = 10;
const RENEW_EVERY_MS = (LEASE_SECONDS * 1_000) / 3;

export interface KeptLease {
  /** Aborted when the step is no longer wanted or held, or when the gateway stops. */
  readonly signal: AbortSignal;
  end(): Promise<void>;
}

export function keepLease(
  { domain, wakeups }: { domain: Domain; wakeups: Waker },
  principal: Principal & { readonly deviceId: string },
  leaseToken: string,
  stopping: AbortSignal,
): KeptLease {
  const over = new AbortController();
  const unwanted = new AbortController();
  const running = (async () => {
    while (!over.signal.aborted && !unwanted.signal.aborted) {
      // Listen before asking, so no order in between is missed.
      const wait = waitFor({ domain, wakeups }, [topics.device(principal.deviceId)], RENEW_EVERY_MS, over.signal);
      try {
        const { isCancelRequested, isPreempted } = await renewLease(domain, principal, { leaseToken, leaseSeconds: LEASE_SECONDS });
        if (isCancelRequested || isPreempted) unwanted.abort();
        else await wait.woken;
      } catch (error) {
        if (error instanceof StaleLease) unwanted.abort();
        // The database may be back before the lease ends.
        else await wait.woken;
      } finally {
        wait.end();
      }
    }
  })();
  return {
    signal: AbortSignal.any([stopping, unwanted.signal]),
    async end() {
      over.abort();
      await running;
    },
  };
}

/**
 * Resolves when one of the topics is touched, after this many milliseconds, or when it is aborted.
 */
export function waitFor(
  { domain, wakeups }: { domain: Domain; wakeups: Waker },
  heard: readonly string[],
  milliseconds: number,
  signal: AbortSignal,
): { readonly woken: Promise<void>; wake(): void; end(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const wake = () => resolve();
  const stopListening = wakeups.on(heard, wake);
  const stopTimer = domain.clock.after(milliseconds, wake);
  signal.addEventListener('abort', wake, { once: true });
  if (signal.aborted) wake();
  return {
    woken: promise,
    wake,
    end() {
      stopListening();
      stopTimer();
      signal.removeEventListener('abort', wake);
    },
  };
}
