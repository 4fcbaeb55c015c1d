/** A write in progress, as the work of it sees it. */
import { tables } from '../schema/sqlite.ts';
import type { Database, Dialect, Topic, Tx } from '../store.ts';
import { dialect, type SqliteStatements } from './statements.ts';

export class SqliteTx implements Tx {
  readonly t = tables;
  readonly dialect: Dialect = dialect;
  readonly touched = new Set<Topic>();
  readonly #connection: SqliteStatements;
  #isOpen = true;

  constructor(connection: SqliteStatements) {
    this.#connection = connection;
  }
  get db(): Database {
    return this.#live().db;
  }
  run: Tx['run'] = (query, values) => this.#live().run(query, values);
  runUnnamed: Tx['runUnnamed'] = (build) => this.#live().runUnnamed(build);
  // Here a statement is a call of a function: there is nothing to gain by waiting for others.
  runLater: Tx['runLater'] = async (query, values, use) => {
    const result = await this.run(query, values);
    use?.(result);
  };
  runPairLater: Tx['runPairLater'] = async (first, second) => {
    const [row] = (await this.run(first.query, first.values)) as Record<string, number>[]; // it returns a number
    await this.run(
      second.query,
      second.valuesWith((plus) => (row?.[first.returned] ?? 0) + plus),
    );
  };
  touch(topic: Topic): void {
    this.touched.add(topic);
  }
  close(): void {
    this.#isOpen = false;
  }
  #live(): SqliteStatements {
    if (!this.#isOpen) throw new Error('This write has ended.');
    return this.#connection;
  }
}
