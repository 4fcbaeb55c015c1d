/**
 * The store as one SQLite file.
 *
 * One connection writes, with group commit: the writes that wait when the event loop turns share
 * one transaction and one fsync. A refusal undoes only that caller's write (`#runAll`). A second,
 * read-only connection reads committed data.
 */
import SqliteDatabase from 'better-sqlite3';
import type { Instrument } from '../../instruments/instruments.ts';
import { type Identity, readIdentity } from '../identity.ts';
import { fileGauges, queueDepth, StoreInstruments } from '../instruments.ts';
import { tables } from '../schema/sqlite.ts';
import { feedOfAllJobs } from '../schema/streams.ts';
import type { Store, Topic, Tx } from '../store.ts';
import { StoreUnavailable, unavailabilityOf } from '../unavailable.ts';
import { openFile, type SqliteFile, type SqliteOptions } from './file.ts';
import { SqliteStatements } from './statements.ts';
import { SqliteTx } from './transaction.ts';
import { TurnSnapshot } from './turn-snapshot.ts';
import { Walks } from './walks.ts';

/** Limits how long one group holds the event loop: 200 writes take about 20 ms. */
const MOST_WORKS_IN_A_GROUP = 200;

interface Waiting {
  /** By the monotonic clock. */
  readonly since: number;
  run(): Promise<void>;
  /** The topics that it touched when it last ran. */
  touched: ReadonlySet<Topic>;
  reject(error: unknown): void;
  resolve(): void;
}

export async function openSqlite(file: string, options?: SqliteOptions): Promise<Store> {
  const opened = openFile(file, options);
  try {
    return await SqliteStore.open(opened);
  } catch (error) {
    opened.close();
    throw error;
  }
}

class SqliteStore implements Store {
  readonly description: string;
  readonly identity: string;
  readonly parent: string | null;
  readonly secret: Buffer;
  readonly tables = tables;
  /** The lock of the file guarantees it. */
  readonly isFirst = true;
  readonly isElected = true;
  isAlone = () => Promise.resolve(true);
  isInPlace = () => this.#file.isInPlace();
  /** Never resolves: a file put in its place is noticed, and reported until it is put back. */
  readonly replaced = new Promise<never>(() => {});
  readonly read: SqliteStatements;
  readonly #file: SqliteFile;
  readonly #walks: Walks;
  readonly #writer: SqliteDatabase.Database;
  readonly #write: SqliteStatements;
  readonly #listeners = new Set<(topics: ReadonlySet<Topic>) => void>();
  readonly #control: Record<'begin' | 'commit' | 'rollback' | 'savepoint' | 'release' | 'undo' | 'keepPosition', SqliteDatabase.Statement>;
  #waiting: Waiting[] = [];
  #isScheduled = false;
  #idle: (() => void) | null = null;
  #isClosed = false;
  /** The newest position assigned in the feed across jobs, and the newest one stored. */
  #position: number;
  #keptPosition = 0;
  /** Rejects the write that runs, if the event loop turns before it has ended. */
  #trip: (error: Error) => void = () => {};
  readonly #instruments: StoreInstruments;
  readonly instruments: readonly Instrument[];
  trouble: string | null = null;

  static async open(file: SqliteFile): Promise<SqliteStore> {
    return new SqliteStore(file, await readIdentity(new SqliteStatements(file.writer)));
  }

  private constructor(file: SqliteFile, { identity, secret, parent }: Identity) {
    const { writer, reader } = file;
    this.#file = file;
    this.#writer = writer;
    this.#write = new SqliteStatements(writer);
    this.#walks = new Walks(file);
    this.read = new SqliteStatements(reader, { walks: this.#walks.queries, snapshot: new TurnSnapshot(reader) });
    this.identity = identity;
    this.parent = parent;
    this.secret = secret;
    this.description = `sqlite ${String(writer.prepare('select sqlite_version()').pluck().get())}`;
    this.#instruments = new StoreInstruments([queueDepth(() => this.#waiting.length), ...fileGauges(writer.name)]);
    this.instruments = this.#instruments.all();
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
    // A position that is rolled back leaves a gap in the feed's numbers. That is harmless: only the
    // order counts.
    writer.function('next_position', () => ++this.#position);
  }

  write<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    if (this.#isClosed) return Promise.reject(new Error('The store is closed.'));
    return new Promise<T>((resolve, reject) => {
      let outcome: T;
      const waiting: Waiting = {
        since: performance.now(),
        touched: new Set(),
        run: async () => {
          const tx = new SqliteTx(this.#write);
          waiting.touched = tx.touched;
          outcome = await this.#attempt(tx, work);
        },
        resolve: () => resolve(outcome),
        reject,
      };
      this.#waiting.push(waiting);
      this.#schedule();
    });
  }

  onCommit(listener: (topics: ReadonlySet<Topic>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  isUnstorableText(): boolean {
    return false;
  }

  isUniqueViolation(error: unknown): boolean {
    const cause = error instanceof Error && error.cause ? error.cause : error;
    return cause instanceof SqliteDatabase.SqliteError && /^SQLITE_CONSTRAINT_(UNIQUE|PRIMARYKEY)$/.test(cause.code);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#isScheduled) await new Promise<void>((resolve) => (this.#idle = resolve));
    await this.#walks.close();
    this.#file.close();
  }

  /**
   * After this turn of the event loop, so that the writes of all requests that came in with it
   * share a group.
   */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => void this.#commitGroup());
  }

  async #commitGroup(): Promise<void> {
    const group = this.#waiting.splice(0, MOST_WORKS_IN_A_GROUP);
    const began = performance.now();
    for (const { since } of group) this.#instruments.queueSeconds.note((began - since) / 1_000);
    try {
      if (!this.#file.isInPlace()) throw new StoreUnavailable('MOVED', { cause: undefined });
      this.#rollBack();
      this.#control.begin.run();
      const done = await this.#runWatched(group);
      this.#keepPosition();
      this.#commit(done);
      this.trouble = null;
      for (const work of done) work.resolve();
      this.#tell(done);
    } catch (error) {
      this.#noteTrouble(error);
      // Writes that wait to run again are not finished. If they were rejected now, they could
      // commit after their callers were told that they failed.
      const waiting = new Set(this.#waiting);
      for (const work of group) if (!waiting.has(work)) work.reject(error);
      this.#rollBackIfItCan();
    } finally {
      this.#isScheduled = false;
      if (this.#waiting.length > 0) this.#schedule();
      else this.#idle?.();
    }
  }

  #rollBack(): void {
    if (this.#writer.inTransaction) this.#control.rollback.run();
  }

  #rollBackIfItCan(): void {
    try {
      this.#rollBack();
    } catch (error) {
      // Nothing of the group is committed. The next group begins with a rollback.
      this.#noteTrouble(error);
    }
  }

  /**
   * After a failed sync it is unknown whether the group is on the disk. It is right to continue all
   * the same: the group is rolled back, the next one overwrites its frames, and the sync of that
   * one makes all of them durable. The database file itself is written from synced frames, again
   * and again until it is synced as well. Frames that a start finds in the WAL are written again
   * before they are read.
   */
  #commit(done: readonly Waiting[]): void {
    const before = performance.now();
    try {
      this.read.snapshot?.end();
      this.#control.commit.run();
    } catch (error) {
      throw unavailabilityOf(error, { isOpen: true }) ?? error;
    }
    const now = performance.now();
    this.#instruments.commitSeconds.note((now - before) / 1_000);
    if (done.length === 0) return;
    this.#instruments.commitWrites.note(done.length);
    this.#instruments.committed.add(done.length);
    for (const { since } of done) this.#instruments.writeSeconds.note((now - since) / 1_000);
  }

  #noteTrouble(error: unknown): void {
    this.trouble = error instanceof Error ? error.message : String(error);
    this.#instruments.troubles.add();
    // Makes the next commit write something, to prove that there is free space again.
    this.#keptPosition = 0;
  }

  /**
   * Runs the writes of a group. Rejects those that fail, and returns those that are in the
   * transaction.
   *
   * Savepoints cost much of what a write does: for each, SQLite copies the pages that it changes
   * first. createJob took 650 µs of CPU before this and the cheaper ids, 250 after.
   * Most groups have no write that fails after it has changed something, so they run without. When
   * one fails, all that was done is rolled back, and the writes before it run again. From then on,
   * each has its own savepoint.
   */
  async #runAll(group: readonly Waiting[]): Promise<Waiting[]> {
    let left = [...group];
    let done: Waiting[] = [];
    let hasSavepoints = false;
    for (let work = left.shift(); work; work = left.shift()) {
      if (hasSavepoints) this.#control.savepoint.run();
      this.#write.hasWritten = false;
      try {
        await work.run();
        if (hasSavepoints) this.#control.release.run();
        done.push(work);
      } catch (error) {
        work.reject(error);
        this.#instruments.undone.add();
        if (!this.#writer.inTransaction) {
          this.#noteTrouble(error);
          // A full disk or an I/O error rolled back the whole transaction: the earlier writes of
          // this group run again, in the next one.
          this.#waiting.unshift(...done);
          done = [];
          this.#control.begin.run();
        } else if (hasSavepoints) {
          this.#control.undo.run();
          this.#control.release.run();
        } else if (this.#write.hasWritten) {
          this.#control.rollback.run();
          this.#control.begin.run();
          left = [...done, ...left];
          done = [];
          hasSavepoints = true;
        }
      }
    }
    return done;
  }

  /**
   * The same under the tripwire. The driver is synchronous, so a write that awaits only `tx` ends
   * before the event loop turns. A write that awaits anything else would hold the only writer for
   * an unknown time: it is rejected when the loop turns.
   */
  async #runWatched(group: readonly Waiting[]): Promise<Waiting[]> {
    const watch = () =>
      setImmediate(() => {
        this.#trip(new Error('A write awaited something other than its transaction; it was rolled back.'));
        turn = watch();
      });
    let turn = watch();
    try {
      return await this.#runAll(group);
    } finally {
      clearImmediate(turn);
    }
  }

  async #attempt<T>(tx: SqliteTx, work: (tx: Tx) => Promise<T>): Promise<T> {
    try {
      return await new Promise<T>((resolve, reject) => {
        this.#trip = reject;
        work(tx).then(resolve, reject);
      });
    } finally {
      tx.close();
    }
  }

  #keepPosition(): void {
    if (this.#position === this.#keptPosition) return;
    this.#control.keepPosition.run(this.#position);
    this.#keptPosition = this.#position;
  }

  #tell(done: readonly Waiting[]): void {
    const topics = new Set<Topic>();
    for (const { touched } of done) for (const topic of touched) topics.add(topic);
    if (topics.size > 0) for (const listener of this.#listeners) listener(topics);
  }
}
