/** The log: one line of JSON for each entry, to stderr. */
import { pino } from 'pino';
import { Counter } from '../instruments/instruments.ts';
import type { Level, Log } from '../server/watch/log.ts';
import { Stderr } from './stderr.ts';

/** Time for the last lines to be written when the gateway ends. */
const LAST_LINES_MS = 500;

export interface OpenLog extends Log {
  readonly lostLines: Counter;
  /** Resolves when the waiting lines are written, or soon after if nobody reads them. */
  close(): Promise<void>;
}

export function openLog(level: Level): OpenLog {
  const lostLines = new Counter({ name: 'trainyard_log_lines_lost_total', help: 'Lines of the log that nobody read in time' });
  const stderr = new Stderr(() => lostLines.add());
  const logger = pino(
    {
      level,
      base: null,
      messageKey: 'message',
      timestamp: () => `,"at":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    stderr,
  );
  const write = (of: Level) => (message: string, fields?: object) => logger[of](fields ?? {}, message);
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    has: (of) => logger.isLevelEnabled(of),
    lostLines,
    close: () => stderr.close(LAST_LINES_MS),
  };
}
