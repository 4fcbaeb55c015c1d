/** How connections to PostgreSQL are opened, and how a lost one is recognized. */
import type pg from 'pg';
import { UNANSWERED } from '../unavailable.ts';

/** Per gateway. A PostgreSQL with default settings allows 100 in total. */
export const DEFAULT_CONNECTIONS = 12;
const CONNECT_WITHIN_MS = 10_000;
/** No statement of a gateway takes nearly this long, including waits for locks. */
export const ANSWER_WITHIN_MS = 30_000;
const KEEP_ALIVE_AFTER_MS = 30_000;
/**
 * A gateway that stops in the middle of a transaction (its process is stopped, its machine sleeps
 * or is gone) holds locks that others wait for. After this time the server ends the transaction,
 * and the gateway runs it again when it is back. Statements of a write follow each other within
 * microseconds.
 */
const IDLE_IN_TRANSACTION_MS = 5_000;

const settings = {
  TimeZone: 'UTC',
  synchronous_commit: 'on',
  idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
  // The server notices within half a minute that a machine is gone, instead of the two hours that
  // are the default of systems.
  tcp_keepalives_idle: 10,
  tcp_keepalives_interval: 5,
  tcp_keepalives_count: 3,
  tcp_user_timeout: 20_000,
} as const;

export type ServerSettings = Readonly<Record<string, string | number>>;

interface Session {
  /** The application name in pg_stat_activity. */
  readonly name: string;
  /**
   * Milliseconds after which an unanswered statement fails, and its connection with it. Null: no
   * limit.
   */
  readonly answerWithinMs: number | null;
  /** Server settings besides the default ones here, or instead of them. */
  readonly settings?: ServerSettings;
}

/** For backups and restores, which read and write files between two statements. */
export const whileFilesAreRead = { idle_in_transaction_session_timeout: 300_000 } as const;

/** For hints, which need not survive a crash: they do not wait for the disk. */
export const whileHintsAreSent = { synchronous_commit: 'off' } as const;

/** Options in the URL itself take precedence. */
export function connectionTo(url: string, { name, answerWithinMs, settings: own = {} }: Session): pg.ClientConfig {
  // The server's limit is lower, so that a statement that waits for a lock does not stay there
  // after its caller has given up.
  const all = { ...settings, ...own, ...(answerWithinMs === null ? {} : { statement_timeout: Math.ceil(answerWithinMs * 0.8) }) };
  const [given] = /(?<=[?&]options=)[^&#]*/.exec(url) ?? [];
  const options = Object.entries(all).map(([setting, value]) => `-c ${setting}=${value}`);
  return {
    connectionString: url.replace(/(?<=[?&])options=[^&#]*&?/, ''),
    application_name: name,
    // Otherwise a server that drops packets would hold every request for the minutes that the
    // system allows for connecting.
    connectionTimeoutMillis: CONNECT_WITHIN_MS,
    ...(answerWithinMs === null ? {} : { query_timeout: answerWithinMs }),
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
    options: [...(given === undefined ? [] : [decodeURIComponent(given)]), ...options].join(' '),
  };
}

/** The error of the driver, without Drizzle's wrapper. */
const causeOf = (error: unknown): unknown => (error instanceof Error && error.cause ? error.cause : error);
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : '');

/** The code of an error, from PostgreSQL or Node. */
export function codeOf(error: unknown): string {
  const cause = causeOf(error);
  return cause instanceof Object && 'code' in cause ? String(cause.code) : '';
}

/**
 * Whether the connection must not be used again. The driver detects most cases, but not a
 * connection that was told to end and has not ended yet. 25P02: an earlier statement failed
 * unnoticed. 25P03: the transaction was idle for too long.
 */
export function isConnectionLost(error: unknown): boolean {
  return (
    /^(08|57P|25P0[23]|ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)/.test(codeOf(error)) ||
    isUnanswered(error) ||
    isUnsent(error) ||
    messageOf(causeOf(error)).startsWith('Connection terminated')
  );
}

/** The statement has used up its time: nothing is retried for this request. */
export const isUnanswered = (error: unknown): boolean => messageOf(causeOf(error)) === UNANSWERED;

/** The connection was known to be lost before the statement was sent. */
export const isUnsent = (error: unknown): boolean => messageOf(causeOf(error)).endsWith('not queryable');
