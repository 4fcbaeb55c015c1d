/** Ctrl-C and SIGTERM, for every command that has something to bring to an end. */
import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
type Signal = (typeof SIGNALS)[number];

/**
 * npm passes on the SIGINT that the terminal has sent to this process as well, so one Ctrl-C on
 * `npm start` can arrive twice. Nobody presses it twice in this time.
 */
const ECHO_MS = 100;

/**
 * Calls `stop` at the first SIGINT or SIGTERM. The second one, whichever it is, ends the process at
 * once.
 */
export function stopOnSignal(stop: () => void): void {
  let first: { readonly signal: Signal; readonly at: number } | undefined;
  const onSignal = (signal: Signal) => {
    const at = performance.now();
    if (first === undefined) {
      first = { signal, at };
      stop();
    } else if (signal !== first.signal || at - first.at > ECHO_MS) endBy(signal, onSignal);
  };
  // It also listens for the second one. If the first one removed it, a second one that comes before
  // that, while the first is handled, would be lost.
  for (const signal of SIGNALS) process.on(signal, onSignal);
}

/** Ends this process as a signal does that nothing listens for. */
function endBy(signal: Signal, listener: (signal: Signal) => void): never {
  process.off(signal, listener);
  process.kill(process.pid, signal);
  // The kernel spares process 1.
  process.exit(128 + constants.signals[signal]);
}
