/** A connection with the statements that were prepared on it. */
import { Placeholder as DrizzlePlaceholder, Param, type SQL, sql } from 'drizzle-orm';
import type { Tables } from '../schema/tables.ts';
import type { Database, Dialect, Placeholder, Preparable, Queries, Statement } from '../store.ts';
import { mapPlainly } from './mapping.ts';

interface Prepared {
  execute(values: unknown): unknown;
}

/** The place of a value that is given when the statement runs. */
export function placeholder(name: string, column?: { mapToDriverValue(value: unknown): unknown }): DrizzlePlaceholder | SQL {
  const value = new DrizzlePlaceholder(name);
  return column ? sql`${new Param(value, column)}` : value;
}

export class PreparedStatements implements Queries {
  readonly db: Database;
  readonly t: Tables;
  readonly #prepared = new Map<string, Prepared>();

  readonly dialect: Dialect;

  constructor(db: Database, tables: Tables, dialect: Dialect) {
    this.db = db;
    this.t = tables;
    this.dialect = dialect;
  }

  async run<P, R>(query: Statement<P, R>, values: P): Promise<R> {
    let prepared = this.#prepared.get(query.name);
    if (!prepared) {
      // PostgreSQL's builders take the name of the statement, SQLite's ignore it. The common type
      // knows neither.
      const builder = query.build(this.db, this.t, placeholder as Placeholder<P>, this.dialect) as unknown as {
        prepare(name: string): Prepared;
      };
      prepared = builder.prepare(query.name);
      mapPlainly(prepared);
      this.#prepared.set(query.name, prepared);
    }
    return (await prepared.execute(values)) as R; // the type that the builder itself resolves to
  }

  async runUnnamed<R>(build: () => Preparable<R>): Promise<R> {
    return await build();
  }
}
