/**
 * The interface of a database to the rest of Trainyard.
 *
 * - Reads see committed state only. Writes are atomic and durable: the promise resolves once the
 *   change survives kill -9 and power loss.
 * - A query on a hot path is a `Statement`: built by Drizzle once for each connection and then
 *   prepared (11 µs against 143 µs built per call).
 * - After a commit, listeners get topics: hints that something changed, never the change itself. A
 *   lost hint costs a safety poll.
 */
import type { Placeholder as DrizzlePlaceholder, SQL, SQLWrapper } from 'drizzle-orm';
import type { BaseSQLiteDatabase } from 'drizzle-orm/sqlite-core';
import type { Instrument } from '../instruments/instruments.ts';
import type { Tables } from './schema/tables.ts';

/**
 * The query builder, in the type of SQLite's. See columns.ts for why this is right for PostgreSQL
 * as well.
 */
export type Database = BaseSQLiteDatabase<'async', unknown, Record<string, never>>;

/**
 * A value that a statement gets each time it runs. Inserted values go through the codec of their
 * column. In a condition or a SET, name the column, so that dates, booleans and JSON go through it
 * there as well.
 */
export interface Placeholder<P> {
  (name: keyof P & string): DrizzlePlaceholder;
  (name: keyof P & string, column: { mapToDriverValue(value: unknown): unknown }): SQL;
}

/** A query that is built once: its shape is fixed, its values come with each run. */
export interface Statement<P, R> {
  /** Its unique name, at most 63 bytes: PostgreSQL keeps the prepared statement under it. */
  readonly name: string;
  /** Whether it reads the lists of many, which together may be of any length. */
  readonly isList: boolean;
  /**
   * Whether it reads nothing that a change may have written with `runLater`, so that those writes
   * need not be done before.
   */
  readonly isApart?: boolean;
  build(db: Database, t: Tables, $: Placeholder<P>, dialect: Dialect): Preparable<R>;
}

/** SQL that differs between the databases. */
export interface Dialect {
  /**
   * The position that an event is inserted with. SQLite has one writer, so it is final: the next
   * number. Transactions of PostgreSQL overlap, and a number taken early may be committed late.
   * There it is the negative of a sequence, which becomes a final position after the commit.
   */
  readonly arrival: SQL<number>;
  /** This time plus milliseconds; fractions of a millisecond are dropped. */
  later(moment: SQLWrapper, milliseconds: number | SQLWrapper): SQL;
  /** Milliseconds as the difference of two times. */
  span(milliseconds: SQLWrapper): SQL;
  /**
   * Waits for rows that another transaction has locked, or skips them. SQLite has one writer and
   * needs neither.
   */
  lock<Q>(query: Q, mode: 'wait' | 'skip'): Q;
  /**
   * Takes this lock until the end of the transaction if nobody has it. Returns whether it was
   * taken; with a single gateway it always is. `lock` is an arbitrary number.
   */
  takesTurn(lock: number): SQL<boolean>;
  /**
   * Whether the column's text contains this part, without regard to the case of A to Z. All other
   * letters match exactly, because the databases differ in their case beyond ASCII. `part` has A to
   * Z in lower case.
   */
  contains(column: SQLWrapper, part: SQLWrapper): SQL;
  /**
   * The column in a condition that no index is to be used for. SQLite knows nothing of how many
   * rows have a value: it would read half a table by the index of a column that filters nothing.
   */
  unindexed(column: SQLWrapper): SQL;
  /**
   * Rows looked at in one step of a walk. Between steps, others get their turn, and a request that
   * is over ends. With more, PostgreSQL would read all labels for each step, to join them by hash.
   */
  readonly walkStep: number;
  /** How many bytes a column of JSON has. */
  bytes(column: SQLWrapper): SQL;
  /** The text of a column of JSON, not parsed. */
  text(column: SQLWrapper): SQL;
}

/** The common part of Drizzle's builders. */
export interface Preparable<R> extends PromiseLike<R> {
  prepare(): unknown;
}

const named = new Map<string, Statement<never, unknown>>();
/** Every named statement, by its name, for tests that check all of them. */
export const statements: ReadonlyMap<string, Statement<never, unknown>> = named;

/** Names a query for good. Call it at module level. */
export function statement<P extends object, R>(
  name: string,
  build: (db: Database, t: Tables, $: Placeholder<P>, dialect: Dialect) => Preparable<R>,
  { isList = false, isApart = false }: { isList?: boolean; isApart?: boolean } = {},
): Statement<P, R> {
  if (named.has(name) || name.length > 63) throw new Error(`A statement needs a short name of its own: ${name}`);
  const made: Statement<P, R> = { name, build, isList, isApart };
  named.set(name, made);
  return made;
}

export interface Queries {
  /** For queries whose shape varies. Costs about 130 µs more than a statement. */
  readonly db: Database;
  readonly t: Tables;
  readonly dialect: Dialect;
  run<P, R>(query: Statement<P, R>, values: P): Promise<R>;
  /**
   * The most rows that such lists may have: `run` throws when it gets so many. Default: any number.
   */
  readonly mostRows?: number;
  /**
   * For queries that look at many rows. On SQLite they run in a thread of their own, or everyone
   * would wait for them. Undefined: they may run here, as in a transaction or on PostgreSQL. Ask it
   * for ids and counts, not for documents.
   */
  readonly walks?: Queries | undefined;
  /** Runs a query that is built for this call. */
  runUnnamed<R>(build: () => Preparable<R>): Promise<R>;
}

/**
 * A thing that may have changed: `job:ID:log`, `job:ID:event`, `feed`, `queue:PROJECT`, `keys` …;
 * `*` is anything.
 */
export type Topic = string;
/** New events have their positions in the feed across jobs. */
export const feedTopic: Topic = 'feed';
export const anyTopic: Topic = '*';
/** The kind of a topic is its first word: `job`, `queue` … */
export const kindOf = (topic: Topic): string => topic.split(':', 1)[0] ?? topic;

export interface Tx extends Queries {
  /**
   * Runs a write whose result nothing waits for. It is done before the next query or the commit, on
   * PostgreSQL together with others. `use` gets its result, with rows as JSON has them. What `use`
   * throws undoes the change.
   */
  runLater<P, R>(query: Statement<P, R>, values: P, use?: (result: R) => void): Promise<void>;
  /** The same for two, of which the second inserts a number that the first returns. */
  runPairLater<P, Q>(first: Numbering<P>, second: Numbered<Q>): Promise<void>;
  /** Wakes the listeners of this topic once the change is committed. */
  touch(topic: Topic): void;
}

export interface Numbering<P> {
  readonly query: Statement<P, unknown>;
  readonly values: P;
  /** The column of the number. */
  readonly returned: string;
}
export interface Numbered<Q> {
  readonly query: Statement<Q, unknown>;
  /** Gets a function that gives the number plus another. */
  valuesWith(returned: (plus: number) => unknown): Q;
}

export interface Store {
  /** For people: `sqlite` or `postgres`, with the version. */
  readonly description: string;
  /** Names this store in its cursors, so that cursors of other stores are refused. */
  readonly identity: string;
  /**
   * The identity that this store had before it was restored from a backup, or fell back to an
   * earlier state. Its cursors up to that moment are valid.
   */
  readonly parent: string | null;
  /** Signs the URLs of fragments. */
  readonly secret: Buffer;
  readonly tables: Tables;
  /** Whether no other gateway used the store when it was opened. */
  readonly isFirst: boolean;
  /**
   * Whether this gateway is the one that does, for all gateways of the store, what happens because
   * time passes. Another is elected within seconds when it dies or stands still. Two may believe
   * for a moment that they are elected.
   */
  readonly isElected: boolean;
  /** Whether no other gateway uses it now. */
  isAlone(): Promise<boolean>;
  /**
   * Whether the open store is the one that a start would open. False after a file was moved,
   * removed or replaced, or a database was restored to an earlier state.
   */
  isInPlace(): boolean;
  /**
   * Resolves when another state of the database answers instead. Then this store can no longer be
   * used and must be opened anew.
   */
  readonly replaced: Promise<void>;
  /** Its metrics. */
  readonly instruments: readonly Instrument[];
  /**
   * Why the newest finished write could not be stored (the disk is full, the database is
   * unreachable). Null if it was stored or refused.
   */
  readonly trouble: string | null;
  /** Committed state only. */
  readonly read: Queries;
  /**
   * Runs `work` atomically and resolves once its changes are durable. `work` must await nothing but
   * `tx`. It may run twice, so its other effects must allow that.
   */
  write<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /**
   * Calls back with the topics of each commit, by this process or another gateway. Returns a
   * function that stops it. `kinds`: the listener needs no topics of other kinds. It may get them.
   */
  onCommit(listener: (topics: ReadonlySet<Topic>) => void, kinds?: readonly string[]): () => void;
  isUniqueViolation(error: unknown): boolean;
  /**
   * Whether the error says that a value is a text that this database cannot store: one that
   * contains NUL.
   */
  isUnstorableText(error: unknown): boolean;
  close(): Promise<void>;
}

/**
 * This program cannot work with the store in its state. The message says why in one line. Nothing
 * was changed.
 */
export class StoreUnusable extends Error {}
