/** How connections to PostgreSQL are opened, and what one that is lost looks like. */
import type pg from 'pg';
import { UNANSWERED } from '../unavailable.ts';

/** Of each gateway: a PostgreSQL that nobody has set up takes 100. */
export const DEFAULT_CONNECTIONS = 12;
const CONNECT_WITHIN_MS = 10_000;
/** No statement of a gateway takes nearly as long, the wait for other writes' locks included. */
export const ANSWER_WITHIN_MS = 30_000;
const KEEP_ALIVE_AFTER_MS = 30_000;
/**
 * A gateway that stands still in the middle of a transaction (it is stopped, its machine sleeps or is gone) holds locks that all others wait for. The server
 * ends it then, and the gateway does it again when it is back. Between two statements of a write lie microseconds.
 */
const IDLE_IN_TRANSACTION_MS = 5_000;

const settings = {
  TimeZone: 'UTC',
  synchronous_commit: 'on',
  idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
  // The server finds out within half a minute that a machine is gone, and not in two hours as systems do by themselves.
  tcp_keepalives_idle: 10,
  tcp_keepalives_interval: 5,
  tcp_keepalives_count: 3,
  tcp_user_timeout: 20_000,
} as const;

interface Session {
  /** What an operator sees in pg_stat_activity. */
  readonly name: string;
  /** Milliseconds after which a statement without an answer has failed, and its connection with it; null: they take as long as they take. */
  readonly answerWithinMs: number | null;
  /** The server's settings that differ. */
  readonly settings?: Readonly<Partial<Record<keyof typeof settings, string | number>>>;
}

/** Of a backup and a restore, whose files are read and written between two statements. */
export const whileFilesAreRead = { idle_in_transaction_session_timeout: 300_000 } as const;

/** With the options that the URL itself gives, before these. */
export function connectionTo(url: string, { name, answerWithinMs, settings: own = {} }: Session): pg.ClientConfig {
  // The server gives up first, so that a statement which waits for a lock does not stay there when nobody waits for it here.
  const all = { ...settings, ...own, ...(answerWithinMs === null ? {} : { statement_timeout: Math.ceil(answerWithinMs * 0.8) }) };
  const [given] = /(?<=[?&]options=)[^&#]*/.exec(url) ?? [];
  const options = Object.entries(all).map(([setting, value]) => `-c ${setting}=${value}`);
  return {
    connectionString: url.replace(/(?<=[?&])options=[^&#]*&?/, ''),
    application_name: name,
    // A server that swallows packets would otherwise hold every request for the minutes that the system gives a connection.
    connectionTimeoutMillis: CONNECT_WITHIN_MS,
    ...(answerWithinMs === null ? {} : { query_timeout: answerWithinMs }),
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
    options: [...(given === undefined ? [] : [decodeURIComponent(given)]), ...options].join(' '),
  };
}

/** What the driver threw, without what Drizzle wraps around it. */
const causeOf = (error: unknown): unknown => (error instanceof Error && error.cause ? error.cause : error);
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : '');

/** PostgreSQL's code of an error, or Node's. */
export function codeOf(error: unknown): string {
  const cause = causeOf(error);
  return cause instanceof Object && 'code' in cause ? String(cause.code) : '';
}

/**
 * Not to be used again. The driver finds most by itself, but not one that has been told to end and has not ended yet. 25P02: a statement before this one
 * failed, and nobody was told; 25P03: the transaction stood still for too long.
 */
export function isConnectionLost(error: unknown): boolean {
  return (
    /^(08|57P|25P0[23]|ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)/.test(codeOf(error)) ||
    isUnanswered(error) ||
    isUnsent(error) ||
    messageOf(causeOf(error)).startsWith('Connection terminated')
  );
}

/** Its time is used up: nothing is tried again for the same request. */
export const isUnanswered = (error: unknown): boolean => messageOf(causeOf(error)) === UNANSWERED;

/** The connection was known to be lost before the statement was sent. */
export const isUnsent = (error: unknown): boolean => messageOf(causeOf(error)).endsWith('not queryable');
