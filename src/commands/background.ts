/** Work that goes on beside everything else. Nobody waits for it, so a failure of it is said here, and it is tried again. */
import { type Backoff, delayMs, wait } from '../client/backoff.ts';

export interface BackgroundOptions {
  /** Aborted when it is to end: the work is, and none is begun again. */
  readonly stop: AbortSignal;
  readonly onError: (error: unknown) => void;
  readonly backoff?: Backoff;
}

const usually: Backoff = { baseMs: 1_000, capMs: 30_000, random: Math.random };
/** What went well for so long is not held against what fails next. */
const WELL_MS = 60_000;

/** Does the work again and again, until `stop`. Resolves then, and never rejects. */
export async function keepDoing(work: () => Promise<void>, { stop, onError, backoff = usually }: BackgroundOptions): Promise<void> {
  for (let failures = 1; !stop.aborted; failures += 1) {
    const began = performance.now();
    try {
      await work();
    } catch (error) {
      if (!stop.aborted) onError(error);
    }
    if (performance.now() - began >= WELL_MS) failures = 1;
    await wait(delayMs(backoff, failures), stop).catch(() => {}); // only `stop` ends it early
  }
}
