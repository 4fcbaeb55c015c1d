/**
 * Whether the gateway was there all the while.
 *
 * A gateway that stood still (it was stopped, its machine slept) could not be asked to renew a lease; and when the wall clock jumps, every lease
 * and every deadline seems long over, or far away. In both cases devices would lose what they hold, and jobs end, for no doing of theirs. So time is
 * looked at again and again, and when more of it has passed than can have, or on one clock and not on the other, nothing is due until
 * leases and deadlines were set right (`setRight` in timekeeping.ts).
 */
import type { Clock } from './clock.ts';

const LOOK_EVERY_MS = 500;
/** A machine that is busy beyond reason is late by less; leases that are shorter are few, and may be lost to it. */
const LONGEST_STANDSTILL_MS = 5_000;
/** What NTP slews is far less. */
const LONGEST_DRIFT_MS = 2_000;

/** Before all that was ever due. */
const NEVER = new Date(0);

export class Attendance {
  readonly #clock: Clock;
  #lastLook: { readonly wall: number; readonly elapsed: number } | null = null;
  #isReturning = false;
  #jumpMs = 0;
  #awaySince = 0;
  #absences = 0;
  /** By how much the wall clock is ahead of time that has passed, and when (by the other clock) it last jumped forward. */
  #aheadMs = 0;
  #jumpedAt = Number.NEGATIVE_INFINITY;
  #stopTimer = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Begins to watch. Without it there is nothing to come back from. */
  begin(): void {
    this.#look();
    this.#stopTimer = this.#clock.after(LOOK_EVERY_MS, () => this.begin());
  }

  end(): void {
    this.#stopTimer();
    this.#lastLook = null;
  }

  /** What time it is for whatever is due at a time: now, or long ago as long as that has to be set right first. */
  dueBy(): Date {
    return this.isReturning ? NEVER : this.#clock.now();
  }

  /**
   * The moment before which all is older than so many milliseconds. When the wall clock has jumped forward within that time, what was made before seems
   * older than it is by as much: in doubt it counts as younger. Of jumps from before it began to watch it knows nothing.
   */
  longAgo(milliseconds: number): Date {
    if (this.#lastLook) this.#look();
    const aheadMs = this.#clock.elapsed() - this.#jumpedAt < milliseconds ? this.#aheadMs : 0;
    return new Date(this.#clock.now().getTime() - milliseconds - aheadMs);
  }

  get isReturning(): boolean {
    if (this.#lastLook) this.#look();
    return this.#isReturning;
  }

  /**
   * Has `setRight` put right what the absence has put wrong: it is told by how much the wall clock has jumped (0 when the gateway stood still), and
   * when the gateway was last known to be there, by the wall clock of then. What fails is to be done again; a second absence meanwhile as well.
   */
  async comeBack(setRight: (jumpMs: number, awaySince: Date) => Promise<void>): Promise<void> {
    const [jumpMs, absences] = [this.#jumpMs, this.#absences];
    this.#jumpMs = 0;
    try {
      await setRight(jumpMs, new Date(this.#awaySince));
      if (this.#absences === absences) this.#isReturning = false;
    } catch (error) {
      this.#jumpMs += jumpMs;
      throw error;
    }
  }

  #look(): void {
    const now = { wall: this.#clock.now().getTime(), elapsed: this.#clock.elapsed() };
    const elapsed = now.elapsed - (this.#lastLook?.elapsed ?? now.elapsed);
    const drift = now.wall - (this.#lastLook?.wall ?? now.wall) - elapsed;
    const wasThere = elapsed <= LONGEST_STANDSTILL_MS && Math.abs(drift) <= LONGEST_DRIFT_MS;
    if (!wasThere && !this.#isReturning) this.#awaySince = this.#lastLook?.wall ?? now.wall;
    if (!wasThere) {
      this.#isReturning = true;
      this.#absences += 1;
    }
    if (Math.abs(drift) > LONGEST_DRIFT_MS) {
      this.#jumpMs += drift;
      this.#aheadMs = Math.max(0, this.#aheadMs + drift);
    }
    if (drift > LONGEST_DRIFT_MS) this.#jumpedAt = now.elapsed;
    this.#lastLook = now;
  }
}
