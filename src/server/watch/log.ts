/**
 * The log, for its writers. Messages are fixed sentences. What varies is in the fields, and no
 * field is ever a secret.
 */
export type Level = 'debug' | 'info' | 'warn' | 'error';

export type Log = Readonly<Record<Level, (message: string, fields?: object) => void>> & {
  /** Whether this level is written, for fields that are expensive to collect. */
  has(level: Level): boolean;
};

export interface Fault {
  readonly error: string;
  readonly stack?: string;
}

/** An error as the log has it: its message without the values of a query, and its stack. */
export function describeFault(error: unknown): Fault {
  if (!(error instanceof Error)) return { error: withoutSecrets(String(error)) };
  // Drizzle's message lists the values of the query, which are users' data. The database's message
  // says what went wrong.
  const { query } = error as { query?: unknown };
  const text =
    typeof query === 'string' ? `${error.cause instanceof Error ? error.cause.message : 'unknown'}; the query: ${query}` : error.message;
  const frames = error.stack?.split('\n').filter((line) => /^\s+at /.test(line)) ?? [];
  return { error: withoutSecrets(text), ...(frames.length > 0 ? { stack: frames.map((line) => line.trim()).join('\n') } : {}) };
}

/** Keys, tokens and signatures are recognized by their form, and removed from every message. */
const withoutSecrets = (text: string): string =>
  text
    .replaceAll(/\b(tyk_|lease_)[\w-]+/g, '$1…')
    .replaceAll(/(signature=)[\w-]+/g, '$1…')
    .replaceAll(/\b(key_[0-9a-z]{26}\.\d+\.)[\w-]+/g, '$1…') // of a session
    .replaceAll(/(\w+:\/\/[^\s:/@]*:)[^\s@]+@/g, '$1…@');

const SAID_EVERY_MS = 60_000;
/** After this long without a failure, the next one counts as new. */
const OVER_AFTER_MS = 10_000;

/**
 * Logs a recurring failure: the first time at once, then once a minute with the number of times.
 */
export function logRecurring(log: Pick<Log, 'error'>, message: string, now = () => performance.now()): (error: unknown) => void {
  let saidAt = Number.NEGATIVE_INFINITY;
  let newestAt = Number.NEGATIVE_INFINITY;
  let unsaid = 0;
  return (error) => {
    const at = now();
    const isNews = at - newestAt > OVER_AFTER_MS;
    newestAt = at;
    if (!isNews && at - saidAt < SAID_EVERY_MS) {
      unsaid += 1;
      return;
    }
    log.error(message, { ...describeFault(error), ...(unsaid > 0 ? { unsaid } : {}) });
    saidAt = at;
    unsaid = 0;
  };
}
