import type { Readiness } from '../server/http/health.ts';
import { writeAgain } from '../store/changes/probe.ts';
import type { Store } from '../store/store.ts';
import { inTime } from './in-time.ts';

/**
 * A load balancer asks every few seconds and is answered in time, even if a database neither
 * answers nor refuses.
 */
const ANSWER_MS = 2_000;
/** Between two tries to write, while writing fails. */
const TRY_EVERY_MS = 1_000;

/**
 * Whether the store can be read: a gateway is useful then. One that can read but not write (the
 * disk is full) is ready: reads and streams go on, and sending its clients elsewhere would not help
 * them. It reports the problem, and writes are tried until they succeed.
 */
export function readinessOf(store: Store): () => Promise<Readiness> {
  let triedAt = Number.NEGATIVE_INFINITY;
  const tryToWrite = async (): Promise<void> => {
    if (store.trouble === null || performance.now() - triedAt < TRY_EVERY_MS) return;
    triedAt = performance.now();
    await store.write((tx) => tx.run(writeAgain, {}));
  };
  return async () => {
    // A restart would find a different database than this one.
    if (!store.isInPlace()) return { isReadable: false, isWritable: false };
    try {
      await inTime(ANSWER_MS, store.read.db.select().from(store.tables.meta).limit(1).execute());
    } catch {
      return { isReadable: false, isWritable: false };
    }
    await inTime(ANSWER_MS, tryToWrite()).catch(() => {});
    return { isReadable: true, isWritable: store.trouble === null };
  };
}
