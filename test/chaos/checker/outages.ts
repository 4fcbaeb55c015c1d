/**
 * When gateways were up, and when the machine was too busy for times to count, from the runner's
 * notes.
 */
import type { History } from './history.ts';

/**
 * Whether no gateway was killed, stopped, started or paused between two moments of the monotonic
 * clock, in milliseconds.
 */
export function isUndisturbed({ fates }: Pick<History, 'fates'>, from: number, to: number): boolean {
  let isUp = false;
  for (const { mono, what, of } of fates) {
    if (!of.startsWith('gateway')) continue;
    if (mono >= from && mono <= to) return false;
    if (mono < from) isUp = what === 'ready' || what === 'resumed';
  }
  return isUp;
}

/** The runner measures the machine's load about twice a second. */
const FELT_EVERY_MS = 1_000;

/**
 * The highest factor by which the machine was slower than usual between two moments on `clock`; 1
 * if it was idle.
 */
export function slowdown({ stalls }: Pick<History, 'stalls'>, from: number, to: number, clock: 'mono' | 'wall' = 'mono'): number {
  const within = stalls.filter(({ ms, [clock]: at }) => at >= from - FELT_EVERY_MS && at - ms <= to + FELT_EVERY_MS);
  return Math.max(1, ...within.map(({ slowdown, ms }) => Math.max(slowdown, ms / FELT_EVERY_MS)));
}

/** How often the runner measures the load. It writes no note if all is well. */
const PULSE_MS = 500;

/** The mean factor, on the monotonic clock: a single short pause makes nothing seconds late. */
export function meanSlowdown({ stalls }: Pick<History, 'stalls'>, from: number, to: number): number {
  const within = stalls.filter(({ ms, mono }) => mono >= from && mono - ms <= to);
  const pulses = Math.max(1, (to - from) / PULSE_MS);
  return 1 + within.reduce((sum, { slowdown, ms }) => sum + Math.max(slowdown, ms / PULSE_MS) - 1, 0) / pulses;
}
