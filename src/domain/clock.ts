/** The one door through which time comes in, so that a test can hold it. */
export interface Clock {
  now(): Date;
  /** Calls back once, after so many milliseconds. Returns the end of it. */
  after(milliseconds: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => new Date(),
  after(milliseconds, callback) {
    const timer = setTimeout(callback, milliseconds);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
