/**
 * The thread for queries that look at many rows: on the event loop, every other request would wait
 * for them. It reads through a connection of its own. What was committed before a query began is in
 * its answer.
 */
import { parentPort, workerData } from 'node:worker_threads';
import SqliteDatabase from 'better-sqlite3';

export interface Question {
  readonly text: string;
  readonly values: readonly unknown[];
}

/** The first message says that the file is open. Each later one answers the oldest question. */
export type Told =
  | { readonly kind: 'ready' }
  | { readonly kind: 'rows'; readonly rows: readonly (readonly unknown[])[] }
  | { readonly kind: 'failed'; readonly message: string; readonly code: string };

/** It walks tables from one end to the other: what it has read, it does not need again. */
const PAGE_CACHE_KIB = 16_384;
/** Clients can ask for many shapes of queries. */
const MOST_PREPARED = 500;

const port = parentPort;
if (!port) throw new Error('This file runs only in a worker thread.');
const database = new SqliteDatabase(String(workerData), { readonly: true });
database.pragma('query_only = ON');
database.pragma(`cache_size = -${PAGE_CACHE_KIB}`);
const prepared = new Map<string, SqliteDatabase.Statement<unknown[], unknown[]>>();

function statementOf(text: string): SqliteDatabase.Statement<unknown[], unknown[]> {
  const known = prepared.get(text);
  if (known) return known;
  if (prepared.size >= MOST_PREPARED) prepared.clear();
  const made = database.prepare<unknown[], unknown[]>(text).raw();
  prepared.set(text, made);
  return made;
}

function answer({ text, values }: Question): Told {
  try {
    return { kind: 'rows', rows: statementOf(text).all(...values) };
  } catch (error) {
    const code = error instanceof SqliteDatabase.SqliteError ? error.code : 'SQLITE_ERROR';
    return { kind: 'failed', message: error instanceof Error ? error.message : String(error), code };
  }
}

/** Null asks it to close the file and end. */
port.on('message', (question: Question | null) => {
  if (question) return port.postMessage(answer(question));
  database.close();
  port.close();
});
port.postMessage({ kind: 'ready' } satisfies Told);
