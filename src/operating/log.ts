/**
 * The log: a line of JSON for each entry, to stderr.
 *
 * Writing it holds nobody up. Lines are written without waiting; whoever reads stderr too slowly, or no more, costs lines and nothing else.
 */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { pino } from 'pino';
import { Counter } from '../meters/meter.ts';
import type { Level, Log } from '../server/log.ts';

export const LEVELS = ['debug', 'info', 'warn', 'error'] as const satisfies readonly Level[];

/** What may wait for a reader that does not read; more than that is lost, line by line. */
const MOST_WAITING_BYTES = 1_048_576;
/** What the last lines are given to leave, when the gateway ends. */
const LAST_LINES_MS = 500;

export interface OpenLog extends Log {
  readonly lostLines: Counter;
  /** Resolves when the lines that wait have left, or shortly after if nobody takes them. */
  close(): Promise<void>;
}

export function openLog(level: Level): OpenLog {
  const lostLines = new Counter({ name: 'trainyard_log_lines_lost_total', help: 'Lines of the log that nobody read in time' });
  const stderr = openStderr();
  const destination = pino.destination({ fd: stderr.fd, sync: false, maxLength: MOST_WAITING_BYTES });
  let isBroken = false;
  destination.on('drop', () => lostLines.add());
  // Nobody reads any more: there is nobody to tell either.
  destination.on('error', () => {
    isBroken = true;
  });
  const logger = pino(
    {
      level,
      base: null,
      messageKey: 'message',
      timestamp: () => `,"at":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  const write = (of: Level) => (message: string, fields?: object) => {
    if (isBroken) lostLines.add();
    else logger[of](fields ?? {}, message);
  };
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    has: (of) => logger.isLevelEnabled(of),
    lostLines,
    async close() {
      if (!isBroken) await Promise.race([new Promise((resolve) => destination.flush(resolve)), pause(LAST_LINES_MS)]);
      isBroken = true;
      destination.destroy();
      stderr.close();
    },
  };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms).unref());

/**
 * A pipe is opened anew, so that a write to a full one fails at once instead of waiting in a thread of its own, which would keep the process from
 * ending: the flag for that belongs to the opening, and the one we were given is shared with others.
 */
function openStderr(): { readonly fd: number; close(): void } {
  try {
    if (!fstatSync(2).isFIFO()) return { fd: 2, close() {} };
    const fd = openSync('/proc/self/fd/2', constants.O_WRONLY | constants.O_NONBLOCK);
    return { fd, close: () => closeSync(fd) };
  } catch {
    return { fd: 2, close() {} };
  }
}
