/** Something that has begun and not ended yet. They are a list in the order of their beginnings. */
interface Running {
  readonly began: number;
  /** Null: it has ended. */
  exceeded: (() => void) | null;
  before: Running | null;
  after: Running | null;
}

/**
 * A limit on the time of things that nearly always end in time, with one timer for all of them. A
 * timer of Node's for each takes 3 % of the processor time of a request that reads one job.
 */
export class TimeLimit {
  readonly ms: number;
  #oldest: Running | null = null;
  #newest: Running | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(ms: number) {
    this.ms = ms;
  }

  /** Calls `exceeded` once after the limit, unless the result is passed to `end` before. */
  begin(exceeded: () => void): Running {
    const running: Running = { began: performance.now(), exceeded, before: this.#newest, after: null };
    if (this.#newest) this.#newest.after = running;
    else this.#oldest = running;
    this.#newest = running;
    this.#timer ??= this.#checkIn(this.ms);
    return running;
  }

  end(running: Running): void {
    if (!running.exceeded) return;
    const { before, after } = running;
    // V8 keeps young objects that an old one points to, also if nothing needs the old one any more.
    // Through its neighbours that would be every request after it: of each list of fifty jobs,
    // 41 kB were kept until the next full collection, and 4 are now.
    running.exceeded = null;
    running.before = null;
    running.after = null;
    if (before) before.after = after;
    else this.#oldest = after;
    if (after) after.before = before;
    else this.#newest = before;
  }

  #checkIn(ms: number): NodeJS.Timeout {
    return setTimeout(() => this.#check(), ms).unref();
  }

  #check(): void {
    this.#timer = null;
    const until = performance.now() - this.ms;
    for (let oldest = this.#oldest; oldest; oldest = this.#oldest) {
      if (oldest.began > until) {
        // Node's timers may be a millisecond early.
        this.#timer ??= this.#checkIn(Math.ceil(oldest.began - until));
        return;
      }
      const { exceeded } = oldest;
      this.end(oldest);
      exceeded?.();
    }
  }
}
