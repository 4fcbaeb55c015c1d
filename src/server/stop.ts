/** By when the process is gone after SIGTERM. Container runtimes kill at 10 to 30 s. */
const STOP_MS = 15_000;

/**
 * Runs `stop` once when the process is asked to end (SIGTERM, or SIGINT of Ctrl-C) and exits: with 0 when it ended, with 1 when it failed,
 * took longer than 15 s, or was interrupted by a second signal. `stop` gets the milliseconds that it may take.
 */
export function stopOnSignal(stop: (graceMs: number) => Promise<void>, log: (entry: object) => void): void {
  let isStopping = false;
  const onSignal = (signal: NodeJS.Signals) => {
    if (isStopping) process.exit(1);
    isStopping = true;
    log({ level: 'info', message: `Stopping on ${signal}.` });
    setTimeout(() => {
      log({ level: 'error', message: `Not stopped after ${STOP_MS} ms.` });
      process.exit(1);
    }, STOP_MS).unref();
    // What stop() leaves for the store and the rest of the boot is a third of the time.
    stop((STOP_MS * 2) / 3).then(
      () => process.exit(0),
      (error: unknown) => {
        log({ level: 'error', message: error instanceof Error ? (error.stack ?? error.message) : String(error) });
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}
