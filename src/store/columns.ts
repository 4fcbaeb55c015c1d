/**
 * The columns that a table can have, once for each database, with the same members.
 *
 * Tables are declared once, against `Kit`. The PostgreSQL kit is cast to the SQLite kit's type (see `postgresKit`): the query builders of
 * both dialects share their shape, and test/store/columns.test-d.ts fails to compile if a member of one yields another TypeScript type.
 *
 * Every codec here takes null: Drizzle hands the values of prepared placeholders to the codec as they are, null included.
 */
import { sql } from 'drizzle-orm';
import * as pg from 'drizzle-orm/pg-core';
import * as lite from 'drizzle-orm/sqlite-core';

const orNull =
  <T, D>(encode: (value: T) => D) =>
  (value: T): D =>
    value === null ? (null as D) : encode(value); // null stays null in both types

const liteInstant = lite.customType<{ data: Date; driverData: number }>({
  dataType: () => 'integer',
  toDriver: orNull((value) => value.getTime()),
  fromDriver: (value) => new Date(value),
});
const liteBool = lite.customType<{ data: boolean; driverData: number }>({
  dataType: () => 'integer',
  toDriver: orNull((value) => (value ? 1 : 0)),
  fromDriver: (value) => value === 1,
});
const liteJson = lite.customType<{ data: unknown; driverData: string }>({
  dataType: () => 'text',
  toDriver: orNull((value) => JSON.stringify(value)),
  fromDriver: (value) => JSON.parse(value) as unknown,
});

// Milliseconds, as in JavaScript: with PostgreSQL's microseconds a cursor made from a Date would skip rows.
const pgInstant = pg.customType<{ data: Date; driverData: string }>({
  dataType: () => 'timestamp(3) with time zone',
  toDriver: orNull((value) => value.toISOString()),
  fromDriver: (value) => new Date(value),
});
// `json`, not `jsonb`: the text is kept as given, so that settings come back with their keys in the order they were written.
const pgJson = pg.customType<{ data: unknown; driverData: string }>({
  dataType: () => 'json',
  toDriver: orNull((value) => JSON.stringify(value)),
});

export const sqliteKit = {
  table: lite.sqliteTable,
  text: () => lite.text(),
  oneOf: <const V extends readonly [string, ...string[]]>(values: V) => lite.text({ enum: values }),
  int: () => lite.integer(),
  /** A whole number up to 2^53-1. */
  long: () => lite.integer(),
  real: () => lite.real(),
  bool: () => liteBool(),
  instant: () => liteInstant(),
  json: <T>() => liteJson().$type<T>(),
  index: lite.index,
  unique: lite.uniqueIndex,
  check: lite.check,
  primaryKey: lite.primaryKey,
};

export type Kit = typeof sqliteKit;

const postgresColumns = {
  table: pg.pgTable,
  text: () => pg.text(),
  oneOf: <const V extends readonly [string, ...string[]]>(values: V) => pg.text({ enum: values }),
  int: () => pg.integer(),
  long: () => pg.bigint({ mode: 'number' }),
  real: () => pg.doublePrecision(),
  bool: () => pg.boolean(),
  instant: () => pgInstant(),
  json: <T>() => pgJson().$type<T>(),
  index: pg.index,
  unique: pg.uniqueIndex,
  check: pg.check,
  primaryKey: pg.primaryKey,
};
export type PostgresColumns = typeof postgresColumns;

/** Cast: the builders differ in their dialect's brand alone; the values that they yield are compared by the type test. */
export const postgresKit = postgresColumns as unknown as Kit;

/** The text of a CHECK that a column holds one of these values. */
export function isOneOf(column: lite.AnySQLiteColumn, values: readonly string[]) {
  return sql`${column} in (${sql.raw(values.map((value) => `'${value}'`).join(', '))})`;
}
