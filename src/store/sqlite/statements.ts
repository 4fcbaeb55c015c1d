/**
 * The statements of a SQLite connection.
 *
 * Drizzle builds and prepares each statement once. From then on, its values are bound here and its
 * rows mapped. The driver is synchronous, so this needs no promise of a promise, and no search for
 * placeholders. Measured as CPU time in a process without HTTP: createJob 729 µs with Drizzle's own
 * way of running a prepared query, 650 with this; claim and complete 1,687 and 1,591.
 */

import type SqliteDatabase from 'better-sqlite3';
import { Column, Placeholder as DrizzlePlaceholder, is, Param, sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/better-sqlite3';
import { tables } from '../schema/sqlite.ts';
import { mapPlainly } from '../statements/mapping.ts';
import { placeholder } from '../statements/prepared.ts';
import type { Database, Dialect, Placeholder, Preparable, Queries, Statement } from '../store.ts';
import type { TurnSnapshot } from './turn-snapshot.ts';

/** The part of Drizzle's prepared query that is needed here. */
interface Prepared {
  readonly stmt: SqliteDatabase.Statement;
  readonly query: { readonly params: readonly unknown[] };
  readonly executeMethod: 'run' | 'all' | 'get' | 'values';
  /** What is selected. Undefined: nothing, so the driver's own result is the result. */
  readonly fields?: readonly unknown[];
  readonly customResultMapper?: (rows: unknown[]) => unknown;
  execute(values: unknown): { sync(): unknown };
}

type Values = Readonly<Record<string, unknown>>;
interface Bound {
  /** Whether it changes nothing. */
  readonly isReadOnly: boolean;
  run(values: Values): unknown;
}

export class SqliteStatements implements Queries {
  readonly t = tables;
  readonly dialect = dialect;
  /** Whether a statement may have changed something since this was set to false. */
  hasWritten = false;
  readonly #db: Database;
  readonly #bound = new Map<string, Bound>();

  readonly walks: Queries | undefined;
  /** What its reads share. */
  readonly snapshot: TurnSnapshot | undefined;

  constructor(connection: SqliteDatabase.Database, { walks, snapshot }: { walks?: Queries; snapshot?: TurnSnapshot } = {}) {
    this.walks = walks;
    this.snapshot = snapshot;
    this.#db = asDatabase(connection);
  }

  get db(): Database {
    // What is built with it is unknown here.
    this.hasWritten = true;
    return this.#db;
  }

  run<P, R>(query: Statement<P, R>, values: P): Promise<R> {
    try {
      this.snapshot?.begin();
      const bound = this.#bound.get(query.name) ?? this.#bind(query);
      if (!bound.isReadOnly) this.hasWritten = true;
      // Casts: the placeholders are properties of P, and R is what the builder itself resolves to.
      return Promise.resolve(bound.run(values as Values) as R);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async runUnnamed<R>(build: () => Preparable<R>): Promise<R> {
    return await build();
  }

  #bind<P, R>(query: Statement<P, R>): Bound {
    const prepared = query.build(this.#db, this.t, placeholder as Placeholder<P>, this.dialect).prepare() as Prepared; // of better-sqlite3
    mapPlainly(prepared);
    const bound = bind(prepared);
    this.#bound.set(query.name, bound);
    return bound;
  }
}

function bind(prepared: Prepared): Bound {
  const { stmt, query, executeMethod, fields, customResultMapper: map } = prepared;
  const isReadOnly = stmt.readonly;
  const encode = encoderOf(query.params);
  if (executeMethod === 'run') return { isReadOnly, run: (values) => stmt.run(encode(values)) };
  if (executeMethod === 'all' && map) {
    const raw = stmt.raw();
    return { isReadOnly, run: (values) => map(raw.all(encode(values))) };
  }
  if (executeMethod === 'all' && !fields) return { isReadOnly, run: (values) => stmt.all(encode(values)) };
  // Nested rows of joined tables: rare, and Drizzle's to map.
  return { isReadOnly, run: (values) => prepared.execute(values).sync() };
}

interface Place {
  /** Null: a constant of the statement. */
  readonly name: string | null;
  readonly constant: unknown;
  /** Null: the value is bound as it is. */
  readonly codec: { mapToDriverValue(value: unknown): unknown } | null;
}

/** Makes the list of bound values of a statement from its placeholders' values. */
function encoderOf(params: readonly unknown[]): (values: Values) => unknown[] {
  const places = params.map(placeOf);
  return (values) => {
    const encoded = new Array<unknown>(places.length);
    for (let i = 0; i < places.length; i++) {
      const { name, constant, codec } = places[i] as Place; // i is below the length
      if (name === null) {
        encoded[i] = constant;
        continue;
      }
      const value = values[name];
      if (value === undefined && !(name in values)) throw new Error(`The statement got no value for "${name}".`);
      encoded[i] = codec ? codec.mapToDriverValue(value) : value;
    }
    return encoded;
  };
}

function placeOf(param: unknown): Place {
  if (is(param, DrizzlePlaceholder)) return { name: param.name, constant: null, codec: null };
  if (!is(param, Param) || !is(param.value, DrizzlePlaceholder)) return { name: null, constant: param, codec: null };
  const codec = param.encoder;
  const isPlain = is(codec, Column) && codec.mapToDriverValue === Column.prototype.mapToDriverValue;
  return { name: param.value.name, constant: null, codec: isPlain ? null : codec };
}

export const dialect: Dialect = {
  arrival: sql<number>`next_position()`,
  later: (moment, milliseconds) => sql`${moment} + cast(${milliseconds} as integer)`,
  span: (milliseconds) => sql`${milliseconds}`,
  lock: (query) => query,
  takesTurn: () => sql<boolean>`1`,
  contains: (column, part) => sql`instr(lower(${column}), ${part}) > 0`,
  unindexed: (column) => sql`+${column}`,
  walkStep: 8_000,
  bytes: (column) => sql`octet_length(${column})`,
  text: (column) => sql`${column}`,
};

/**
 * SQLite compiles a statement again on each run if its planner has looked at the value of a
 * parameter: it does for `column = ?` with an ORDER BY, a JOIN or a partial index, and for
 * `limit ?`. Each run then costs 10 to 40 µs instead of 1 to 5. The plus hides the value and
 * changes nothing else. The plans of these statements never depend on values.
 */
export const hideParameters = (text: string): string => text.replaceAll(/(?<=[=<>]|\blimit) \?/g, ' +?');

/**
 * An insert of many rows copies each page that it changes first, so that it can take back the rows
 * before one that fails. `OR FAIL` leaves that to the transaction: a write with a statement that
 * failed is rolled back. 16 events take 68 µs with it, and 130 without.
 */
const withoutCopies = (text: string): string =>
  / on conflict | returning /.test(text) ? text : text.replace(/^insert into /, 'insert or fail into ');

/** Cast: the driver's mode is 'sync', and awaiting its builders works just as well. */
function asDatabase(connection: SqliteDatabase.Database): Database {
  const steady = Object.create(connection, {
    prepare: { value: (text: string) => connection.prepare(withoutCopies(hideParameters(text))) },
  }) as SqliteDatabase.Database;
  return drizzle(steady, { casing: 'snake_case' }) as unknown as Database;
}
