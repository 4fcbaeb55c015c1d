/**
 * The store as one SQLite file.
 *
 * One connection writes, with group commit: works that are waiting when the loop comes round share one transaction and one fsync, each in a
 * SAVEPOINT of its own so that a refusal undoes that caller's work alone. A second, read-only connection reads what is committed.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import { sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/better-sqlite3';
import { migrate } from 'drizzle-orm/better-sqlite3/migrator';
import { Connection } from './connection.ts';
import { readIdentity } from './identity.ts';
import { migrationsOf } from './migrations.ts';
import { type Database, type Dialect, type Store, StoreUnusable, type Topic, type Tx } from './store.ts';
import { tables } from './tables.sqlite.ts';
import { feedOfAllJobs } from './tables.ts';

/** Bounds how long one group holds the event loop: 200 works are about 20 ms. */
const MOST_WORKS_IN_A_GROUP = 200;
/** Nobody else writes to the file; the wait is for a backup's or a shell's short lock, and it blocks the loop. */
const BUSY_TIMEOUT_MS = 200;
const PAGE_CACHE_KIB = 65_536;

interface Waiting {
  /** Resolves to the topics that it touched. */
  run(): Promise<Iterable<Topic>>;
  reject(error: unknown): void;
  resolve(): void;
}

export interface SqliteOptions {
  /** FULL is the promise (P1). Only the proof that it matters opens a store with NORMAL. */
  readonly synchronous?: 'FULL' | 'NORMAL';
}

export async function openSqlite(file: string, { synchronous = 'FULL' }: SqliteOptions = {}): Promise<Store> {
  mkdirSync(dirname(file), { recursive: true });
  const lock = takeLock(`${file}.lock`);
  let writer: SqliteDatabase.Database | undefined;
  try {
    writer = connect(file, synchronous);
    migrateFile(writer);
    return await SqliteStore.open(file, writer, lock);
  } catch (error) {
    writer?.close();
    lock.close();
    if (error instanceof SqliteDatabase.SqliteError && error.code === 'SQLITE_NOTADB') {
      throw new StoreUnusable(`${file} is not a SQLite database.`);
    }
    throw error;
  }
}

/** Held while the process lives, let go by the system however it ends: a second gateway on the same file would not hear of this one's news. */
function takeLock(file: string): SqliteDatabase.Database {
  const lock = new SqliteDatabase(file, { timeout: 0 });
  try {
    lock.exec('BEGIN EXCLUSIVE');
  } catch {
    lock.close();
    throw new StoreUnusable(`Another gateway is using ${file.replace(/\.lock$/, '')}.`);
  }
  return lock;
}

function connect(file: string, synchronous: 'FULL' | 'NORMAL'): SqliteDatabase.Database {
  const connection = new SqliteDatabase(file, { timeout: BUSY_TIMEOUT_MS });
  connection.pragma('journal_mode = WAL');
  // On every open: better-sqlite3 is compiled to fall back to NORMAL when it opens a file that is in WAL mode already.
  connection.pragma(`synchronous = ${synchronous}`);
  connection.pragma('foreign_keys = ON');
  connection.pragma(`cache_size = -${PAGE_CACHE_KIB}`);
  return connection;
}

function migrateFile(writer: SqliteDatabase.Database): void {
  const { migrationsFolder, refuseNewer } = migrationsOf('sqlite');
  const isMigrated = writer.prepare(`select 1 from sqlite_master where name = '__drizzle_migrations'`).get() !== undefined;
  if (isMigrated) refuseNewer(Number(writer.prepare('select max(created_at) from __drizzle_migrations').pluck().get()));
  // A generated rebuild of a table drops the old one: with foreign keys on, that would delete its children.
  writer.pragma('foreign_keys = OFF');
  migrate(drizzle(writer), { migrationsFolder });
  const broken = writer.pragma('foreign_key_check');
  if (Array.isArray(broken) && broken.length > 0)
    throw new StoreUnusable(`The migration left ${broken.length} rows without their parents.`);
  writer.pragma('foreign_keys = ON');
}

class SqliteStore implements Store {
  readonly description: string;
  readonly identity: string;
  readonly secret: Buffer;
  readonly tables = tables;
  readonly read: Connection;
  readonly #writer: SqliteDatabase.Database;
  readonly #write: Connection;
  readonly #reader: SqliteDatabase.Database;
  readonly #lock: SqliteDatabase.Database;
  readonly #listeners = new Set<(topics: ReadonlySet<Topic>) => void>();
  readonly #control: Record<'begin' | 'commit' | 'rollback' | 'savepoint' | 'release' | 'undo' | 'keepPosition', SqliteDatabase.Statement>;
  #waiting: Waiting[] = [];
  #isScheduled = false;
  #idle: (() => void) | null = null;
  #isClosed = false;
  /** The newest position given in the feed across jobs, and the newest that is written down. */
  #position: number;
  #keptPosition = 0;
  #touched = new Set<Topic>();

  static async open(file: string, writer: SqliteDatabase.Database, lock: SqliteDatabase.Database): Promise<SqliteStore> {
    const identity = await readIdentity(new Connection(asDatabase(writer), tables, dialect));
    return new SqliteStore(file, writer, lock, identity);
  }

  private constructor(
    file: string,
    writer: SqliteDatabase.Database,
    lock: SqliteDatabase.Database,
    { identity, secret }: { identity: string; secret: Buffer },
  ) {
    this.#writer = writer;
    this.#lock = lock;
    this.#reader = new SqliteDatabase(file, { readonly: true, timeout: BUSY_TIMEOUT_MS });
    this.#reader.pragma(`cache_size = -${PAGE_CACHE_KIB}`);
    this.#write = new Connection(asDatabase(writer), tables, dialect);
    this.read = new Connection(asDatabase(this.#reader), tables, dialect);
    this.identity = identity;
    this.secret = secret;
    this.description = `sqlite ${String(writer.prepare('select sqlite_version()').pluck().get())}`;
    const statement = (text: string) => writer.prepare(text);
    this.#control = {
      begin: statement('BEGIN IMMEDIATE'),
      commit: statement('COMMIT'),
      rollback: statement('ROLLBACK'),
      savepoint: statement('SAVEPOINT work'),
      release: statement('RELEASE work'),
      undo: statement('ROLLBACK TO work'),
      keepPosition: statement(
        `insert into streams (job_id, kind, last, first) values ('${feedOfAllJobs}', 'event', ?, 1)
         on conflict do update set last = excluded.last`,
      ),
    };
    const counter = writer.prepare(`select last from streams where job_id = '${feedOfAllJobs}' and kind = 'event'`).pluck().get();
    this.#position = typeof counter === 'number' ? counter : 0;
    // A position that is rolled back leaves a hole in the feed's numbers, which says nothing: only the order counts.
    writer.function('next_position', () => ++this.#position);
  }

  write<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    if (this.#isClosed) return Promise.reject(new Error('The store is closed.'));
    return new Promise<T>((resolve, reject) => {
      let outcome: T;
      this.#waiting.push({
        run: async () => {
          const tx = new SqliteTx(this.#write);
          outcome = await this.#attempt(tx, work);
          return tx.touched;
        },
        resolve: () => resolve(outcome),
        reject,
      });
      this.#schedule();
    });
  }

  onCommit(listener: (topics: ReadonlySet<Topic>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  isUniqueViolation(error: unknown): boolean {
    const cause = error instanceof Error && error.cause ? error.cause : error;
    return cause instanceof SqliteDatabase.SqliteError && /^SQLITE_CONSTRAINT_(UNIQUE|PRIMARYKEY)$/.test(cause.code);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#isScheduled) await new Promise<void>((resolve) => (this.#idle = resolve));
    this.#reader.close();
    this.#writer.close();
    this.#lock.close();
  }

  /** After this turn of the loop, so that the works of all requests that came in with it share a group. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => void this.#commitGroup());
  }

  async #commitGroup(): Promise<void> {
    const group = this.#waiting.splice(0, MOST_WORKS_IN_A_GROUP);
    try {
      this.#control.begin.run();
      const done = await this.#runAll(group);
      this.#keepPosition();
      this.#control.commit.run();
      for (const work of done) work.resolve();
      this.#tell();
    } catch (error) {
      if (this.#writer.inTransaction) this.#control.rollback.run();
      this.#touched = new Set();
      this.#keptPosition = 0;
      for (const work of group) work.reject(error);
    }
    this.#isScheduled = false;
    if (this.#waiting.length > 0) this.#schedule();
    else this.#idle?.();
  }

  /** Runs each work in its savepoint; returns those that are in the transaction. */
  async #runAll(group: readonly Waiting[]): Promise<Waiting[]> {
    let done: Waiting[] = [];
    for (const work of group) {
      this.#control.savepoint.run();
      try {
        const touched = await work.run();
        this.#control.release.run();
        for (const topic of touched) this.#touched.add(topic);
        done.push(work);
      } catch (error) {
        work.reject(error);
        if (this.#writer.inTransaction) {
          this.#control.undo.run();
          this.#control.release.run();
        } else {
          // A full disk or an I/O error took the whole transaction along: what was done before in this group is done again.
          this.#waiting.unshift(...done);
          done = [];
          this.#touched = new Set();
          this.#control.begin.run();
        }
      }
    }
    return done;
  }

  async #attempt<T>(tx: SqliteTx, work: (tx: Tx) => Promise<T>): Promise<T> {
    // Drizzle on better-sqlite3 settles in microtasks: work that awaits only `tx` ends before the loop turns. Work that does not would hold the
    // one writer while it waits for who knows what.
    const tripwire = Promise.withResolvers<never>();
    const timer = setImmediate(() =>
      tripwire.reject(new Error('A write awaited something other than its transaction; it was rolled back.')),
    );
    try {
      return await Promise.race([work(tx), tripwire.promise]);
    } finally {
      tx.close();
      clearImmediate(timer);
    }
  }

  #keepPosition(): void {
    if (this.#position === this.#keptPosition) return;
    this.#control.keepPosition.run(this.#position);
    this.#keptPosition = this.#position;
  }

  #tell(): void {
    const topics = this.#touched;
    this.#touched = new Set();
    if (topics.size > 0) for (const listener of this.#listeners) listener(topics);
  }
}

class SqliteTx implements Tx {
  readonly t = tables;
  readonly dialect: Dialect = dialect;
  readonly touched = new Set<Topic>();
  readonly #connection: Connection;
  #isOpen = true;

  constructor(connection: Connection) {
    this.#connection = connection;
  }
  get db(): Database {
    return this.#live().db;
  }
  run: Tx['run'] = (query, values) => this.#live().run(query, values);
  touch(topic: Topic): void {
    this.touched.add(topic);
  }
  close(): void {
    this.#isOpen = false;
  }
  #live(): Connection {
    if (!this.#isOpen) throw new Error('This write has ended.');
    return this.#connection;
  }
}

const dialect: Dialect = { arrival: sql<number>`next_position()`, lock: (query) => query };

/** Cast: the driver's mode is 'sync', and awaiting its builders works just the same. */
function asDatabase(connection: SqliteDatabase.Database): Database {
  return drizzle(connection, { casing: 'snake_case' }) as unknown as Database;
}
