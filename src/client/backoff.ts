/**
 * How long to wait before a retry: exponential, with jitter, so that the clients of a restarted
 * gateway do not all return at once.
 */
export interface Backoff {
  /** The longest first wait. */
  readonly baseMs: number;
  /** The longest wait of all. */
  readonly capMs: number;
  /** Returns 0 to 1. Tests fix it. */
  readonly random: () => number;
}

/**
 * A restarting gateway is back within a second or two. One that is down for an hour is tried four
 * times a minute.
 */
export const defaultBackoff: Backoff = { baseMs: 250, capMs: 15_000, random: Math.random };

/**
 * The wait before retry number `failures` (from 1): from half of `base · 2^(failures - 1)` to all
 * of it. Half is fixed: with full jitter, a client could by chance return at once, again and again.
 */
export function delayMs(backoff: Backoff, failures: number): number {
  const longest = Math.min(backoff.capMs, backoff.baseMs * 2 ** Math.max(0, failures - 1));
  return longest / 2 + (longest / 2) * backoff.random();
}

/** Waits. Rejects with the signal's reason as soon as that is aborted. */
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
