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

/** What passes through more than one process may be held up in each as the runner was. */
const PROCESSES_ON_THE_WAY = 3;

/** What a busy machine may have added to whatever went on between two moments, of the same clock as `clock` says. */
export function allowance({ stalls }: Pick<History, 'stalls'>, from: number, to: number, clock: 'mono' | 'wall' = 'mono'): number {
  const within = stalls.filter(({ ms, [clock]: at }) => at >= from && at - ms <= to);
  return PROCESSES_ON_THE_WAY * within.reduce((sum, { ms }) => sum + ms, 0);
}
