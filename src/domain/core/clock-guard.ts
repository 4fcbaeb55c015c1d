/**
 * Notices that this process stood still, or that the wall clock jumped.
 *
 * A gateway that stood still (it was stopped, or its machine slept) could not be asked to renew a
 * lease. When the wall clock jumps, every lease and deadline seems long over, or far away. Either
 * way devices would lose what they hold, and jobs would end, through no fault of theirs. So the
 * guard compares two clocks twice a second. When too much time has passed, or the clocks disagree,
 * nothing is due until leases and deadlines are corrected (`recoverTimes` in timekeeping.ts).
 */
import type { Clock } from './clock.ts';

const DETECT_EVERY_MS = 500;
/**
 * Even an overloaded machine is late by less. Leases shorter than this are rare, and may be lost.
 */
const LONGEST_STANDSTILL_MS = 5_000;
/** NTP slews by far less. */
const LONGEST_DRIFT_MS = 2_000;

/** Before anything was ever due. */
const NEVER = new Date(0);

export class ClockGuard {
  readonly #clock: Clock;
  #last: { readonly wall: number; readonly elapsed: number } | null = null;
  #isRecovering = false;
  #recovery: Promise<void> | null = null;
  #jumpMs = 0;
  #awaySince = 0;
  #absences = 0;
  /**
   * How far the wall clock ran ahead of elapsed time, and when (in elapsed time) it last jumped
   * forward.
   */
  #aheadMs = 0;
  #jumpedAt = Number.NEGATIVE_INFINITY;
  #stopTimer = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Starts watching. A guard that does not watch never has anything to recover from. */
  begin(): void {
    this.#detect();
    this.#stopTimer = this.#clock.after(DETECT_EVERY_MS, () => this.begin());
  }

  end(): void {
    this.#stopTimer();
    this.#last = null;
  }

  /** The time to compare deadlines with: now, or the epoch while a recovery is outstanding. */
  dueBy(): Date {
    return this.isRecovering ? NEVER : this.#clock.now();
  }

  /**
   * The moment that lies this many milliseconds back. If the wall clock jumped forward within that
   * time, rows written before the jump look older than they are, so the moment moves back by as
   * much. Jumps from before the guard started are not known.
   */
  longAgo(milliseconds: number): Date {
    if (this.#last) this.#detect();
    const aheadMs = this.#clock.elapsed() - this.#jumpedAt < milliseconds ? this.#aheadMs : 0;
    return new Date(this.#clock.now().getTime() - milliseconds - aheadMs);
  }

  get isRecovering(): boolean {
    if (this.#last) this.#detect();
    return this.#isRecovering;
  }

  /**
   * Runs `recoverTimes` with how far the wall clock jumped (0 when the process stood still), and
   * with the wall-clock time at which the process was last known to run. If it fails, or if the
   * process stands still again meanwhile, the recovery stays outstanding. While a recovery is in
   * progress, waits for that one: nothing may be due before it has ended.
   */
  recover(recoverTimes: (jumpMs: number, awaySince: Date) => Promise<void>): Promise<void> {
    this.#recovery ??= this.#recover(recoverTimes).finally(() => {
      this.#recovery = null;
    });
    return this.#recovery;
  }

  async #recover(recoverTimes: (jumpMs: number, awaySince: Date) => Promise<void>): Promise<void> {
    const [jumpMs, absences] = [this.#jumpMs, this.#absences];
    this.#jumpMs = 0;
    try {
      await recoverTimes(jumpMs, new Date(this.#awaySince));
      if (this.#absences === absences) this.#isRecovering = false;
    } catch (error) {
      this.#jumpMs += jumpMs;
      throw error;
    }
  }

  #detect(): void {
    const now = { wall: this.#clock.now().getTime(), elapsed: this.#clock.elapsed() };
    const elapsed = now.elapsed - (this.#last?.elapsed ?? now.elapsed);
    const drift = now.wall - (this.#last?.wall ?? now.wall) - elapsed;
    const wasThere = elapsed <= LONGEST_STANDSTILL_MS && Math.abs(drift) <= LONGEST_DRIFT_MS;
    if (!wasThere && !this.#isRecovering) this.#awaySince = this.#last?.wall ?? now.wall;
    if (!wasThere) {
      this.#isRecovering = true;
      this.#absences += 1;
    }
    if (Math.abs(drift) > LONGEST_DRIFT_MS) {
      this.#jumpMs += drift;
      this.#aheadMs = Math.max(0, this.#aheadMs + drift);
    }
    if (drift > LONGEST_DRIFT_MS) this.#jumpedAt = now.elapsed;
    this.#last = now;
  }
}
