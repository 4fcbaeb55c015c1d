/** Waits between retries: they double with each failure, up to a maximum. */
interface Pauses {
  /** The first wait. */
  readonly baseMs: number;
  /** The maximum. */
  readonly capMs: number;
}

/** Waits with jitter, so that the clients of a restarted gateway do not all return at once. */
export interface Backoff extends Pauses {
  /** Returns 0 to 1. Tests fix it. */
  readonly random: () => number;
}

/**
 * A restarting gateway is back within a second or two. One that is down for an hour is tried four
 * times a minute.
 */
export const defaultBackoff: Backoff = { baseMs: 250, capMs: 15_000, random: Math.random };

/** The wait before retry number `failures` (from 1), without jitter. */
export function fullDelayMs({ baseMs, capMs }: Pauses, failures: number): number {
  return Math.min(capMs, baseMs * 2 ** Math.max(0, failures - 1));
}

/**
 * The wait before retry number `failures` (from 1), with jitter: from half of the full wait to all
 * of it. Half is fixed: with full jitter, a client could by chance return at once, again and again.
 */
export function delayMs(backoff: Backoff, failures: number): number {
  const full = fullDelayMs(backoff, failures);
  return full / 2 + (full / 2) * backoff.random();
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
