/** A transaction of PostgreSQL, from BEGIN to COMMIT. */

import type { StoreInstruments } from '../instruments.ts';
import { tables } from '../schema/postgres.ts';
import type { Database, Preparable, Statement, Topic, Tx } from '../store.ts';
import { StoreUnavailable, unavailabilityOf } from '../unavailable.ts';
import type { Connection } from './connection.ts';
import { dialect } from './dialect.ts';
import { codeOf, isConnectionLost, isUnanswered, isUnsent } from './session.ts';

/**
 * serialization_failure and deadlock_detected: PostgreSQL's documentation advises to run the
 * transaction again.
 */
export const TRY_AGAIN = new Set(['40001', '40P01']);

class PostgresTx implements Tx {
  readonly t = tables;
  readonly dialect = dialect;
  readonly db: Database;
  readonly touched = new Set<Topic>();
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.db = connection.statements.db;
  }
  run<P, R>(query: Statement<P, R>, values: P): Promise<R> {
    return this.#connection.statements.run(query, values);
  }
  runUnnamed<R>(build: () => Preparable<R>): Promise<R> {
    return this.#connection.statements.runUnnamed(build);
  }
  runLater: Tx['runLater'] = (query, values, use) => this.#connection.later.add(query, values, use);
  runPairLater: Tx['runPairLater'] = (first, second) => this.#connection.later.addPair(first, second);
  touch(topic: Topic): void {
    this.touched.add(topic);
  }
}

/**
 * The connection was lost before COMMIT was sent. The server rolls back, so the write can run again
 * on another connection.
 */
export class Undone extends Error {
  constructor(cause: unknown) {
    super('The connection was lost.', { cause });
  }
}

/**
 * For errors before COMMIT: after a lost connection the write may run again, unless its time is
 * used up.
 */
const orUndone = (error: unknown): unknown => (isConnectionLost(error) && !isUnanswered(error) ? new Undone(error) : error);

export async function transact<T>(connection: Connection, work: (tx: Tx) => Promise<T>, instruments: StoreInstruments) {
  const { client, later } = connection;
  const tx = new PostgresTx(connection);
  try {
    await client.query('BEGIN');
    const value = await work(tx);
    await later.flush();
    const before = performance.now();
    const { command } = await client.query('COMMIT').catch((error: unknown) => {
      // The server ended the connection before COMMIT reached it.
      if (isUnsent(error) || codeOf(error) === '25P03') throw new Undone(error);
      throw TRY_AGAIN.has(codeOf(error)) ? error : (unavailabilityOf(error, { isOpen: true }) ?? error);
    });
    // The server's answer to COMMIT if a statement failed and its error was ignored.
    if (command !== 'COMMIT') throw new Error('A statement of this write had failed; it was rolled back.');
    instruments.commitSeconds.note((performance.now() - before) / 1_000);
    instruments.commitWrites.note(1);
    return { value, touched: tx.touched };
  } catch (error) {
    later.discard();
    // On a lost connection, ROLLBACK would wait behind a statement that is never answered. The
    // server rolls back by itself.
    if (!(error instanceof Undone) && !isConnectionLost(error)) await client.query('ROLLBACK').catch(() => {});
    throw error instanceof StoreUnavailable ? error : orUndone(error);
  }
}
