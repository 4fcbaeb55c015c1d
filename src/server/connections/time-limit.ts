/** Something that has begun and not ended yet. They are a list in the order of their beginnings. */
interface Running {
  readonly began: number;
  readonly exceeded: () => void;
  before: Running | null;
  after: Running | null;
  isEnded: boolean;
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
    const running: Running = { began: performance.now(), exceeded, before: this.#newest, after: null, isEnded: false };
    if (this.#newest) this.#newest.after = running;
    else this.#oldest = running;
    this.#newest = running;
    this.#timer ??= this.#checkIn(this.ms);
    return running;
  }

  end(running: Running): void {
    if (running.isEnded) return;
    running.isEnded = true;
    const { before, after } = running;
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
      this.end(oldest);
      oldest.exceeded();
    }
  }
}
