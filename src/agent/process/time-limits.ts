import { setTimeout as delay } from 'node:timers/promises';
import { wait } from '../../timing/backoff.ts';
import type { LeaseKeeper } from '../attempt/lease.ts';

/**
 * Reading and measuring end together with a step. What hangs (a pipe in place of a file, a file
 * system that is gone) is awaited no longer than this.
 */
export const lingerMilliseconds = 5_000;

/**
 * The upload of files gets at least this share of the grace, even if the step's processes used all
 * of it.
 */
const handInShare = 0.5;

/**
 * From the order to stop until uploading ends: the whole grace, plus the share that is always left
 * for uploads.
 */
export const handInSeconds = (graceSeconds: number): number => graceSeconds * (1 + handInShare);

/** For the report after that, and for the rest of the log. */
const reportSeconds = 10;

/**
 * Waits for `work`, at most this long. Resolves with whether it is done. Rejects if `work` does.
 */
export async function within(milliseconds: number, work: Promise<unknown>): Promise<boolean> {
  const timer = new AbortController();
  const over = delay(milliseconds, false, { signal: timer.signal }).catch(() => false);
  try {
    return await Promise.race([work.then(() => true), over]);
  } finally {
    timer.abort();
  }
}

/**
 * Settles as `work` does, or rejects with the signal's reason as soon as that is aborted, even if
 * `work` does not listen to it.
 */
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
 * Limits how long an attempt may take after the order to stop, so that its slot becomes free
 * whatever hangs (P17). Before the order, only its lease limits it.
 */
export class TimeLimits {
  /**
   * Aborted when nothing more may be sent: the lease is lost, or the order to stop is too long ago.
   */
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
   * Limits the upload of files, which begins now that the command has ended. After an order to stop
   * it has what the command left of the grace, and at least half of it.
   */
  handIn(): AbortSignal {
    const late = new AbortController();
    this.#whenOrdered(() => {
      const spent = (performance.now() - (this.#orderedAt ?? performance.now())) / 1000;
      const seconds = Math.max(this.#graceSeconds * handInShare, this.#graceSeconds - spent);
      setTimeout(() => late.abort(new Error('The time to upload is over.')), seconds * 1000).unref();
    });
    return AbortSignal.any([this.over, late.signal]);
  }

  #whenOrdered(begin: () => void): void {
    const { stop } = this.#lease;
    if (stop.aborted) begin();
    else stop.addEventListener('abort', begin, { once: true });
  }
}

/** Repeats `work` until the signal, one run at a time. */
export async function repeat(periodMilliseconds: number, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await wait(periodMilliseconds, signal).catch(() => {});
    if (!signal.aborted) await work();
  }
}

/** Resolves with null when `signal` is aborted. Never resolves once `over` is. */
export function whenAborted(signal: AbortSignal, over: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(null);
    const stop = () => resolve(null);
    signal.addEventListener('abort', stop, { once: true });
    over.addEventListener('abort', () => signal.removeEventListener('abort', stop), { once: true });
  });
}
