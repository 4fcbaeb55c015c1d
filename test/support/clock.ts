/** A clock that stands still until a test moves it. */
import type { Clock } from '../../src/domain/core/clock.ts';

export interface HeldClock extends Clock {
  /** Advances the time. Due callbacks run in order, each at its own time. */
  advance(milliseconds: number): void;
  /** Sets the wall clock without any time passing: nothing is called back (P13). */
  jump(milliseconds: number): void;
  /**
   * Time passes without callbacks, as in a stopped process. Those that are due run when time next
   * passes.
   */
  stall(milliseconds: number): void;
  /** The number of pending callbacks. */
  readonly waiting: number;
}

interface Alarm {
  readonly due: number;
  readonly callback: () => void;
}

export function holdClock(start: Date | string = '2026-01-01T00:00:00.000Z'): HeldClock {
  let wall = new Date(start).getTime();
  let elapsed = 0;
  const alarms = new Set<Alarm>();
  const nextDue = (limit: number) =>
    [...alarms]
      .filter(({ due }) => due <= limit)
      .reduce<Alarm | null>((first, alarm) => (first && first.due <= alarm.due ? first : alarm), null);
  const moveTo = (moment: number) => {
    wall += moment - elapsed;
    elapsed = moment;
  };
  return {
    now: () => new Date(wall),
    elapsed: () => elapsed,
    after(milliseconds, callback) {
      const alarm = { due: elapsed + milliseconds, callback };
      alarms.add(alarm);
      return () => alarms.delete(alarm);
    },
    advance(milliseconds) {
      const target = elapsed + milliseconds;
      for (let alarm = nextDue(target); alarm; alarm = nextDue(target)) {
        alarms.delete(alarm);
        moveTo(Math.max(alarm.due, elapsed));
        alarm.callback();
      }
      moveTo(target);
    },
    stall(milliseconds) {
      moveTo(elapsed + milliseconds);
    },
    jump(milliseconds) {
      wall += milliseconds;
    },
    get waiting() {
      return alarms.size;
    },
  };
}
