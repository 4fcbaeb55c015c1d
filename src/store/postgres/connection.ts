/** A connection of the pool: the statements prepared on it, and the writes that it has put off. */
import type pg from 'pg';
import { tables } from '../schema/postgres.ts';
import { PreparedStatements, placeholder } from '../statements/prepared.ts';
import { type Placeholder, type Statement, statements } from '../store.ts';
import { asDatabase, dialect } from './dialect.ts';
import { JointWrites, type Part } from './joint-writes.ts';

export class Connection {
  readonly client: pg.PoolClient;
  readonly statements: PreparedStatements;
  /** The writes of its transaction that are not sent yet. */
  readonly later: JointWrites;
  readonly #parts = new Map<string, Part>();

  constructor(client: pg.PoolClient) {
    this.client = client;
    this.later = new JointWrites(client, (query) => this.#partOf(query));
    this.statements = new PreparedStatements(asDatabase(this.#writingFirst()), tables, dialect);
  }

  /** The client as Drizzle uses it: a query sees the writes before it. */
  #writingFirst(): pg.PoolClient {
    const { client, later } = this;
    const query = async (config: pg.QueryConfig, values?: unknown[]) => {
      if (!later.isEmpty && !statements.get(config.name ?? '')?.isApart) await later.flush();
      return client.query(config, values);
    };
    return Object.create(client, { query: { value: query } }) as pg.PoolClient;
  }

  #partOf(query: Statement<never, unknown>): Part {
    const known = this.#parts.get(query.name);
    if (known) return known;
    const prepared = query.build(this.statements.db, tables, placeholder as Placeholder<never>, dialect).prepare() as Prepared;
    const { sql: text, params } = prepared.getQuery();
    const part: Part = { name: query.name, text, params, returnsRows: prepared.fields !== undefined };
    this.#parts.set(query.name, part);
    return part;
  }
}

/** The part of Drizzle's prepared query that is needed here. */
interface Prepared {
  getQuery(): { readonly sql: string; readonly params: readonly unknown[] };
  /** What it returns. Undefined: nothing. */
  readonly fields?: readonly unknown[];
}
