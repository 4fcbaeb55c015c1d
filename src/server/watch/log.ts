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

/** What the log says of an error: its message without the values of a query, and where it came from. */
export function describeFault(error: unknown): Fault {
  if (!(error instanceof Error)) return { error: withoutSecrets(String(error)) };
  // Drizzle's message lists the values of the query, which are somebody's data: the database's own says what went wrong.
  const { query } = error as { query?: unknown };
  const text =
    typeof query === 'string' ? `${error.cause instanceof Error ? error.cause.message : 'unknown'}; the query: ${query}` : error.message;
  const frames = error.stack?.split('\n').filter((line) => /^\s+at /.test(line)) ?? [];
  return { error: withoutSecrets(text), ...(frames.length > 0 ? { stack: frames.map((line) => line.trim()).join('\n') } : {}) };
}

/** Keys, tokens and signatures have forms of their own: none gets into the log, whatever message it came with. */
const withoutSecrets = (text: string): string =>
  text
    .replaceAll(/\b(tyk_|lease_)[\w-]+/g, '$1…')
    .replaceAll(/(signature=)[\w-]+/g, '$1…')
    .replaceAll(/(\w+:\/\/[^\s:/@]*:)[^\s@]+@/g, '$1…@');
