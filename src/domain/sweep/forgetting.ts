/**
 * Deletes old idempotency keys and the remains of broken uploads: a little at a time, so that
 * nothing that is due waits for it.
 */
import { forgetIdempotencyKeys } from '../../store/changes/idempotency.ts';
import type { Domain } from '../core/domain.ts';

/**
 * No upload that is still alive pauses this long: one that sends nothing is ended within the stall
 * time, an hour at most.
 */
const BROKEN_AFTER_MS = 6 * 3_600_000;
const EVERY_MS = 3_600_000;
/** Keys deleted in one transaction. Every other write waits for it. */
const AT_ONCE = 250;
/**
 * Other work that is due comes after it: an expired lease is handled within a second (P5). The next
 * sweep continues.
 */
const WITHIN_MS = 200;

/**
 * Returns the function that each sweep calls. It works once an hour, and again at the next sweep
 * while there is more to do or after a failure.
 */
export function forgetNowAndThen(domain: Domain): () => Promise<void> {
  let doneAt = Number.NEGATIVE_INFINITY;
  return async () => {
    const now = domain.clock.elapsed();
    if (now - doneAt < EVERY_MS || !(await forgetKeys(domain))) return;
    doneAt = now;
    await domain.files.sweep(domain.clockGuard.longAgo(BROKEN_AFTER_MS));
  };
}

/** Returns whether all keys that are old enough are gone. */
async function forgetKeys({ clockGuard, clock, limits, store }: Domain): Promise<boolean> {
  const began = clock.elapsed();
  const before = clockGuard.longAgo(limits.idempotencyHours * 3_600_000);
  while (clock.elapsed() - began < WITHIN_MS) {
    const gone = await store.write((tx) => tx.run(forgetIdempotencyKeys, { before, limit: AT_ONCE }));
    if (gone.length < AT_ONCE) return true;
  }
  return false;
}
