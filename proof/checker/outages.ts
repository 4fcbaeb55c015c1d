/** When gateways were there, as the runner noted it. */
import type { Fate, Moment } from '../notes.ts';

/** Whether no gateway was killed, stopped, started or paused from one moment to another: both of the monotonic clock, in milliseconds. */
export function isUndisturbed(fates: readonly (Fate & Moment)[], from: number, to: number): boolean {
  let isUp = false;
  for (const { mono, what, of } of fates) {
    if (!of.startsWith('gateway')) continue;
    if (mono >= from && mono <= to) return false;
    if (mono < from) isUp = what === 'ready' || what === 'resumed';
  }
  return isUp;
}
