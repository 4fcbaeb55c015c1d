/** The only source of time, so that a test can control it. */
export interface Clock {
  now(): Date;
  /**
   * Monotonic milliseconds, which changes of the wall clock do not affect. Durations are measured
   * with it.
   */
  elapsed(): number;
  /** Calls back once, after this many milliseconds. Returns a function that cancels it. */
  after(milliseconds: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => new Date(),
  elapsed: () => performance.now(),
  after(milliseconds, callback) {
    const timer = setTimeout(callback, milliseconds);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
