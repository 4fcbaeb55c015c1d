/** How long to wait before trying again: exponential, with jitter so that many clients of a restarted gateway do not come back at once. */
export interface Backoff {
  /** The longest first wait. */
  readonly baseMs: number;
  /** The longest wait of all. */
  readonly capMs: number;
  /** From 0 to 1; a test holds it still. */
  readonly random: () => number;
}

/** A gateway that restarts is back within a second or two; one that is down for an hour is asked four times a minute. */
export const defaultBackoff: Backoff = { baseMs: 250, capMs: 15_000, random: Math.random };

/**
 * The wait before retry number `failures` (from 1): between half of `base · 2^(failures - 1)` and the whole of it.
 * Half is kept fixed: with full jitter a client may come back at once, again and again, by chance.
 */
export function delayMs(backoff: Backoff, failures: number): number {
  const longest = Math.min(backoff.capMs, backoff.baseMs * 2 ** Math.max(0, failures - 1));
  return longest / 2 + (longest / 2) * backoff.random();
}

/** Waits, or rejects with the signal's reason as soon as that is aborted. */
export function wait(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}
