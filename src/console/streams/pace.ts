/** Redraws at most four times a second, however fast the stream is. */
const PAUSE_MS = 250;

export interface Pace {
  /** Acts now, or once the pause since the last time is over. */
  ask(): void;
  stop(): void;
}

export function createPace(act: () => void): Pace {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let lastAt = Number.NEGATIVE_INFINITY;
  const run = () => {
    timer = undefined;
    lastAt = performance.now();
    act();
  };
  return {
    ask() {
      timer ??= setTimeout(run, Math.max(0, lastAt + PAUSE_MS - performance.now()));
    },
    stop() {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}
