/** The one place where time comes in, so that a test can hold it. */
export interface Clock {
  now(): Date;
  /** Milliseconds since some moment. No change of the time of day moves it: what lasts is measured with it. */
  elapsed(): number;
  /** Calls back once, after so many milliseconds. Returns the end of it. */
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
