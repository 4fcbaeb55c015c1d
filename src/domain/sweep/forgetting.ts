/** Idempotency keys are forgotten when their time is over, and what broken uploads left: a little at a time, so that nothing which is due waits for it. */
import { forgetIdempotencyKeys } from '../../store/changes/idempotency.ts';
import type { Domain } from '../core/domain.ts';

/** No upload pauses nearly as long and goes on: one from which nothing comes is ended within the stall time, an hour at most. */
const BROKEN_AFTER_MS = 6 * 3_600_000;
const EVERY_MS = 3_600_000;
/** Every other write waits for each of these. */
const AT_ONCE = 250;
/** What else is due comes after it: leases are to be told within a second (P5). The next sweep goes on. */
const WITHIN_MS = 200;

/** What is called at each sweep: it looks once an hour, and again at the next sweep for as long as there is more, or it failed. */
export function forgetNowAndThen(domain: Domain): () => Promise<void> {
  let doneAt = Number.NEGATIVE_INFINITY;
  return async () => {
    const now = domain.clock.elapsed();
    if (now - doneAt < EVERY_MS || !(await forgetKeys(domain))) return;
    doneAt = now;
    await domain.files.sweep(domain.clockGuard.longAgo(BROKEN_AFTER_MS));
  };
}

/** Answers whether all that are old enough are gone. */
async function forgetKeys({ clockGuard, clock, limits, store }: Domain): Promise<boolean> {
  const began = clock.elapsed();
  const before = clockGuard.longAgo(limits.idempotencyHours * 3_600_000);
  while (clock.elapsed() - began < WITHIN_MS) {
    const gone = await store.write((tx) => tx.run(forgetIdempotencyKeys, { before, limit: AT_ONCE }));
    if (gone.length < AT_ONCE) return true;
  }
  return false;
}
