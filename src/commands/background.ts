/**
 * Runs background tasks. Nobody awaits them, so a failure is reported here and the task is tried
 * again.
 */
import { type Backoff, delayMs, wait } from '../timing/backoff.ts';

export interface BackgroundOptions {
  /** Aborted to end the task. It is not started again. */
  readonly stop: AbortSignal;
  readonly onError: (error: unknown) => void;
  readonly backoff?: Backoff;
}

const usually: Backoff = { baseMs: 1_000, capMs: 30_000, random: Math.random };
/** After a run this long, the backoff starts again. */
const WELL_MS = 60_000;

/** Repeats the task until `stop`. Then resolves. Never rejects. */
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
