import { setTimeout as delay } from 'node:timers/promises';
import type { LeaseKeeper } from '../attempt/lease.ts';

/** What reads and measures beside a step ends with it at once. What hangs (a pipe where a file was, a file system that is gone) is waited for no longer than this. */
export const lingerMilliseconds = 5_000;

/** Of the grace, at least this part is for handing in what a step left, also where its processes have used all of it. */
const handInShare = 0.5;

/** From the order to stop until nothing more of what a step left is handed in: the whole grace, and the least that there is for it after that. */
export const handInSeconds = (graceSeconds: number): number => graceSeconds * (1 + handInShare);

/** For the report after that, and for what the log still has to say. */
const reportSeconds = 10;

/** Waits until it is done, at most so long; answers whether it is. Rejects as it does. */
export async function within(milliseconds: number, work: Promise<unknown>): Promise<boolean> {
  const timer = new AbortController();
  const over = delay(milliseconds, false, { signal: timer.signal }).catch(() => false);
  try {
    return await Promise.race([work.then(() => true), over]);
  } finally {
    timer.abort();
  }
}

/** The work, or the signal's reason as soon as that is aborted, also where the work does not listen to it. */
export async function unlessAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/**
 * How long an attempt may still take once it was told to stop, so that its slot is free then, whatever hangs (P17). Until it is told, it has all the time that its lease has.
 */
export class TimeLimits {
  /** Aborted when nothing more is sent or asked for: the lease is lost, or the order to stop is too long ago. */
  readonly over: AbortSignal;
  readonly #lease: LeaseKeeper;
  readonly #graceSeconds: number;
  #orderedAt: number | null = null;

  constructor(lease: LeaseKeeper, graceSeconds: number) {
    this.#lease = lease;
    this.#graceSeconds = graceSeconds;
    const late = new AbortController();
    this.over = AbortSignal.any([lease.lost, late.signal]);
    this.#whenOrdered(() => {
      this.#orderedAt = performance.now();
      const seconds = handInSeconds(graceSeconds) + reportSeconds;
      setTimeout(() => late.abort(new Error('The time to report is over.')), seconds * 1000).unref();
    });
  }

  /**
   * For what is handed in from now on, when the command has ended: aborted when what is not across by then is left out. Told to stop, there is what the command
   * has left of the grace, and at least half of it.
   */
  handIn(): AbortSignal {
    const late = new AbortController();
    this.#whenOrdered(() => {
      const spent = (performance.now() - (this.#orderedAt ?? performance.now())) / 1000;
      const seconds = Math.max(this.#graceSeconds * handInShare, this.#graceSeconds - spent);
      setTimeout(() => late.abort(new Error('The time to hand in is over.')), seconds * 1000).unref();
    });
    return AbortSignal.any([this.over, late.signal]);
  }

  #whenOrdered(begin: () => void): void {
    const { stop } = this.#lease;
    if (stop.aborted) begin();
    else stop.addEventListener('abort', begin, { once: true });
  }
}
