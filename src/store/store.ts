/**
 * What the rest of Trainyard knows of a database.
 *
 * - Reads see committed state only. Writes are atomic and durable: the promise resolves once the change survives kill -9 and power loss.
 * - A query on a hot path is a `Statement`: built by Drizzle once for each connection and then prepared (11 µs against 143 µs built per call).
 * - News flows out after commit, as topics: hints that something changed, never the change itself. A lost hint costs a safety poll.
 */
import type { Placeholder as DrizzlePlaceholder, SQL, SQLWrapper } from 'drizzle-orm';
import type { BaseSQLiteDatabase } from 'drizzle-orm/sqlite-core';
import type { Meter } from '../instruments/instruments.ts';
import type { Tables } from './schema/tables.ts';

/** The query builder, in the type of SQLite's; see columns.ts on why that is right for PostgreSQL as well. */
export type Database = BaseSQLiteDatabase<'async', unknown, Record<string, never>>;

/**
 * A value that a statement is given each time it runs. Inserted values go through their column's codec; in a condition or a SET, name the
 * column so that dates, booleans and JSON do so there as well.
 */
export interface Placeholder<P> {
  (name: keyof P & string): DrizzlePlaceholder;
  (name: keyof P & string, column: { mapToDriverValue(value: unknown): unknown }): SQL;
}

/** A query that is built once: its shape is fixed, its values come with each run. */
export interface Statement<P, R> {
  /** Who is asking: unique, and at most 63 bytes; PostgreSQL keeps the prepared statement under it. */
  readonly name: string;
  build(db: Database, t: Tables, $: Placeholder<P>, dialect: Dialect): Preparable<R>;
}

/** What a query has to say differently to each database. */
export interface Dialect {
  /**
   * The position that an event is inserted with. SQLite has one writer, so it is final: the next number. Transactions of PostgreSQL overlap, and a
   * number taken early can be committed late; there it is the negative of a sequence, and turned into a final position after commit.
   */
  readonly arrival: SQL<number>;
  /** This moment, so many milliseconds later; of a part of one, nothing. */
  later(moment: SQLWrapper, milliseconds: number | SQLWrapper): SQL;
  /** Waits for rows that another transaction holds, or skips them. SQLite has one writer: nothing to say. */
  lock<Q>(query: Q, mode: 'wait' | 'skip'): Q;
  /**
   * Takes this lock until the end of the transaction, if nobody has it: whether it was taken. Where there is one gateway, it always is. `lock` is any
   * number that no one else is likely to take.
   */
  takesTurn(lock: number): SQL<boolean>;
  /**
   * Whether the column's text has this part in it, where A to Z are taken as a to z and every other letter as it is: what each database's own search
   * without regard to case does beyond ASCII differs. `part` comes with A to Z in lower case.
   */
  contains(column: SQLWrapper, part: SQLWrapper): SQL;
}

/** What all of Drizzle's builders have in common. */
export interface Preparable<R> extends PromiseLike<R> {
  prepare(): unknown;
}

const named = new Map<string, Statement<never, unknown>>();
/** Every statement that was named so far, by its name: for whoever looks at all of them. */
export const statements: ReadonlyMap<string, Statement<never, unknown>> = named;

/** Names a query for good. Call it at module level. */
export function statement<P extends object, R>(
  name: string,
  build: (db: Database, t: Tables, $: Placeholder<P>, dialect: Dialect) => Preparable<R>,
): Statement<P, R> {
  if (named.has(name) || name.length > 63) throw new Error(`A statement needs a short name of its own: ${name}`);
  const made: Statement<P, R> = { name, build };
  named.set(name, made);
  return made;
}

export interface Queries {
  /** For queries whose shape varies; costs about 130 µs more than a statement. */
  readonly db: Database;
  readonly t: Tables;
  readonly dialect: Dialect;
  run<P, R>(query: Statement<P, R>, values: P): Promise<R>;
}

/** What may have changed: `job:ID:log`, `job:ID:event`, `feed`, `queue:PROJECT`, `keys` …; `*` is anything. */
export type Topic = string;
/** New events have their place in the feed across jobs. */
export const feedTopic: Topic = 'feed';
export const anyTopic: Topic = '*';

export interface Tx extends Queries {
  /** Wakes who listens to this topic, once the change is committed. */
  touch(topic: Topic): void;
}

export interface Store {
  /** For people: `sqlite` or `postgres`, with the version. */
  readonly description: string;
  /** Names this store in its cursors, so that another store's are refused. */
  readonly identity: string;
  /** The identity that this store had before it was restored from a backup, or fell back to an older state: of its cursors, those up to then are good. */
  readonly parent: string | null;
  /** Signs the URLs of fragments. */
  readonly secret: Buffer;
  readonly tables: Tables;
  /** Whether no other gateway was using the store when it was opened. */
  readonly isFirst: boolean;
  /** Whether no other gateway is using it now. */
  isAlone(): Promise<boolean>;
  /** Whether what is open is what a start would open: false once a file was moved, removed or replaced, or a database was put back to another state. */
  isInPlace(): boolean;
  /** Resolves once another state of the database answers in its place: this store is of no use any more, and has to be opened anew. */
  readonly replaced: Promise<void>;
  /** What it counts about itself. */
  readonly meters: readonly Meter[];
  /** Why the newest write that came to an end could not be stored (the disk is full, the database is away); null: it could, or was refused. */
  readonly trouble: string | null;
  /** Committed state only. */
  readonly read: Queries;
  /**
   * Runs `work` atomically and resolves once its changes are durable. `work` may await nothing but `tx`, and may run twice: what it does besides
   * must bear that.
   */
  write<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /** Calls back with the topics of each commit, of this process's and of other gateways' alike. Returns the end of it. */
  onCommit(listener: (topics: ReadonlySet<Topic>) => void): () => void;
  isUniqueViolation(error: unknown): boolean;
  /** A value of the query is a text that this database has no place for: one that holds NUL. */
  isUnstorableText(error: unknown): boolean;
  close(): Promise<void>;
}

/** The store's state is not one that this program can work with: said in one line, nothing changed. */
export class StoreUnusable extends Error {}
