import { describeFault, type Log } from './log.ts';

const SAID_EVERY_MS = 60_000;
/** After this long without a failure, the next one counts as new. */
const OVER_AFTER_MS = 10_000;

/**
 * Logs a recurring failure: the first time at once, then once a minute with the number of times.
 */
export function logRecurring(log: Pick<Log, 'error'>, message: string, now = () => performance.now()): (error: unknown) => void {
  let saidAt = Number.NEGATIVE_INFINITY;
  let newestAt = Number.NEGATIVE_INFINITY;
  let unsaid = 0;
  return (error) => {
    const at = now();
    const isNews = at - newestAt > OVER_AFTER_MS;
    newestAt = at;
    if (!isNews && at - saidAt < SAID_EVERY_MS) {
      unsaid += 1;
      return;
    }
    log.error(message, { ...describeFault(error), ...(unsaid > 0 ? { unsaid } : {}) });
    saidAt = at;
    unsaid = 0;
  };
}
