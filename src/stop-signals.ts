/** Ctrl-C and SIGTERM, for every command that has something to bring to an end. */
import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/**
 * Calls `stop` at the first SIGINT or SIGTERM. The second one, whichever it is, ends the process at
 * once.
 */
export function stopOnSignal(stop: () => void): void {
  let isStopping = false;
  const onSignal = (signal: (typeof SIGNALS)[number]) => {
    if (isStopping) endBy(signal, onSignal);
    isStopping = true;
    stop();
  };
  // It also listens for the second one. If the first one removed it, a second one that comes before
  // that, while the first is handled, would be lost.
  for (const signal of SIGNALS) process.on(signal, onSignal);
}

/** Ends this process as a signal does that nothing listens for. */
function endBy(signal: (typeof SIGNALS)[number], listener: (signal: (typeof SIGNALS)[number]) => void): never {
  process.off(signal, listener);
  process.kill(process.pid, signal);
  // The kernel spares process 1.
  process.exit(128 + constants.signals[signal]);
}
