/** When gateways were there, and when the machine had too much to do for times to say anything, as the runner noted it. */
import type { History } from './history.ts';

/** Whether no gateway was killed, stopped, started or paused from one moment to another: both of the monotonic clock, in milliseconds. */
export function isUndisturbed({ fates }: Pick<History, 'fates'>, from: number, to: number): boolean {
  let isUp = false;
  for (const { mono, what, of } of fates) {
    if (!of.startsWith('gateway')) continue;
    if (mono >= from && mono <= to) return false;
    if (mono < from) isUp = what === 'ready' || what === 'resumed';
  }
  return isUp;
}

/** The runner feels the pulse of the machine about twice a second. */
const FELT_EVERY_MS = 1_000;

/** How many times as long as usual things may have taken between two moments, of the same clock as `clock` says; 1 on a machine with nothing else to do. */
export function slowdown({ stalls }: Pick<History, 'stalls'>, from: number, to: number, clock: 'mono' | 'wall' = 'mono'): number {
  const within = stalls.filter(({ ms, [clock]: at }) => at >= from - FELT_EVERY_MS && at - ms <= to + FELT_EVERY_MS);
  return Math.max(1, ...within.map(({ slowdown, ms }) => Math.max(slowdown, ms / FELT_EVERY_MS)));
}

/** How often the runner feels the pulse; it notes nothing where all is well. */
const PULSE_MS = 500;

/** The same on the average: one short pause makes nothing seconds late. Of the monotonic clock. */
export function meanSlowdown({ stalls }: Pick<History, 'stalls'>, from: number, to: number): number {
  const within = stalls.filter(({ ms, mono }) => mono >= from && mono - ms <= to);
  const pulses = Math.max(1, (to - from) / PULSE_MS);
  return 1 + within.reduce((sum, { slowdown, ms }) => sum + Math.max(slowdown, ms / PULSE_MS) - 1, 0) / pulses;
}
