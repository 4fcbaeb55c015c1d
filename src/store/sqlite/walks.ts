/** Asks the thread that runs queries which look at many rows. See walker.ts. */
import { Worker } from 'node:worker_threads';
import SqliteDatabase from 'better-sqlite3';
import { drizzle } from 'drizzle-orm/sqlite-proxy';
import { entryPoint } from '../../installation.ts';
import { tables } from '../schema/sqlite.ts';
import { PreparedStatements } from '../statements/prepared.ts';
import type { Database, Queries } from '../store.ts';
import { StoreUnavailable } from '../unavailable.ts';
import type { SqliteFile } from './file.ts';
import { dialect, hideParameters } from './statements.ts';
import type { Question, Told } from './walker.ts';

/** Its answers are ids and counts. */
const MOST_HEAP_MB = 128;

type Rows = readonly (readonly unknown[])[];

interface Waiting {
  resolve(rows: Rows): void;
  reject(error: Error): void;
}

/** Starts the thread with the first query, and again after it has failed. */
export class Walks {
  readonly #file: SqliteFile;
  /** In the order of their questions, which is that of the answers. */
  #waiting: Waiting[] = [];
  #worker: Promise<Worker> | null = null;
  #isClosed = false;

  /** Its queries run in the thread. */
  readonly queries: Queries;

  constructor(file: SqliteFile) {
    this.#file = file;
    this.queries = new PreparedStatements(this.#database(), tables, dialect);
  }

  #database(): Database {
    // Cast: it has no transactions, which `Database` does not offer either.
    const ask = async (text: string, values: unknown[]) => ({ rows: [...(await this.#ask({ text: hideParameters(text), values }))] });
    // The dialect reads the casing of the third parameter alone.
    return drizzle(ask, undefined, { casing: 'snake_case' }) as unknown as Database;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const worker = await this.#worker?.catch(() => null);
    if (!worker) return;
    worker.ref();
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    worker.postMessage(null);
    await ended;
  }

  async #ask(question: Question): Promise<Rows> {
    if (this.#isClosed) throw new Error('The store is closed.');
    const worker = await (this.#worker ?? this.#start());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      worker.postMessage(question);
    });
  }

  #start(): Promise<Worker> {
    const starting = this.#open();
    this.#worker = starting;
    // The next query starts a new one.
    starting.catch(() => (this.#worker = null));
    return starting;
  }

  async #open(): Promise<Worker> {
    // Its connection opens the path anew. The others stay with the file that they have open.
    if (!this.#file.isInPlace()) throw new StoreUnavailable('MOVED', { cause: undefined });
    const worker = new Worker(entryPoint('store/sqlite/walker'), {
      workerData: this.#file.reader.name,
      resourceLimits: { maxOldGenerationSizeMb: MOST_HEAP_MB },
    });
    // The gateway's exit does not wait for it.
    worker.unref();
    let cause: unknown;
    worker.on('error', (error) => {
      cause = error;
    });
    const ready = Promise.withResolvers<void>();
    worker.on('message', (told: Told) => {
      if (told.kind === 'ready') return ready.resolve();
      const waiting = this.#waiting.shift();
      if (told.kind === 'rows') waiting?.resolve(told.rows);
      else waiting?.reject(new SqliteDatabase.SqliteError(told.message, told.code));
    });
    worker.once('exit', () => {
      const error = new Error('The thread that reads the database has ended.', { cause });
      ready.reject(error);
      this.#worker = null;
      for (const waiting of this.#waiting.splice(0)) waiting.reject(error);
    });
    await ready.promise;
    return worker;
  }
}
