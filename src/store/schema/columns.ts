/**
 * The types of columns, once for each database, with the same members.
 *
 * Tables are declared once, against `Kit`. The PostgreSQL kit is cast to the type of the SQLite kit
 * (see `postgresKit`). The query builders of both dialects have the same shape, and
 * test/store/schema/columns.test-d.ts fails to compile if a member of one yields another TypeScript
 * type.
 *
 * Every codec here accepts null: Drizzle passes the values of prepared placeholders to the codec
 * unchanged, including null.
 */
import { type SQL, sql } from 'drizzle-orm';
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
const toJson = orNull((value: unknown) => JSON.stringify(value));
/** Functions of their own, by which the columns are known. */
const toLongJson = (value: unknown): string => toJson(value);
const toDocument = (value: unknown): string => toJson(value);
const liteJsonAs = (toDriver: (value: unknown) => string) =>
  lite.customType<{ data: unknown; driverData: string }>({
    dataType: () => 'text',
    toDriver,
    fromDriver: (value) => JSON.parse(value) as unknown,
  });
const liteJson = liteJsonAs(toJson);
const liteLongJson = liteJsonAs(toLongJson);
const liteDocument = liteJsonAs(toDocument);

// Milliseconds, as in JavaScript: with PostgreSQL's microseconds, a cursor made from a Date would
// skip rows.
const pgInstant = pg.customType<{ data: Date; driverData: string }>({
  dataType: () => 'timestamp(3) with time zone',
  toDriver: orNull((value) => value.toISOString()),
  fromDriver: (value) => new Date(value),
});
// `json`, not `jsonb`: the text is stored as given, so that settings keep the order of their keys.
const pgJsonAs = (toDriver: (value: unknown) => string) =>
  pg.customType<{ data: unknown; driverData: string }>({ dataType: () => 'json', toDriver });
const pgJson = pgJsonAs(toJson);
const pgLongJson = pgJsonAs(toLongJson);
const pgDocument = pgJsonAs(toDocument);

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
  /** JSON of some kilobytes at most. */
  json: <T>() => liteJson().$type<T>(),
  /**
   * JSON of any length that the limits allow. Before an answer reads it, its size is asked for
   * (statements/weighed.ts).
   */
  longJson: <T>() => liteLongJson().$type<T>(),
  /** The same of which the schema shows only the whole: an answer has it as text, not parsed. */
  document: <T>() => liteDocument().$type<T>(),
  index: lite.index,
  unique: lite.uniqueIndex,
  check: lite.check,
  primaryKey: lite.primaryKey,
  onlySqlite: <I>(index: I): readonly I[] => [index],
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
  longJson: <T>() => pgLongJson().$type<T>(),
  document: <T>() => pgDocument().$type<T>(),
  index: pg.index,
  unique: pg.uniqueIndex,
  check: pg.check,
  primaryKey: pg.primaryKey,
  onlySqlite: (): readonly never[] => [],
};
export type PostgresColumns = typeof postgresColumns;

/**
 * Cast: the builders differ only in the brand of their dialect. The type test compares the values
 * that they yield.
 */
export const postgresKit = postgresColumns as unknown as Kit;

// Drizzle does not expose the functions that a column was declared with.
export const isLongJson = (column: object): boolean => Reflect.get(column, 'mapTo') === toLongJson;
export const isDocument = (column: object): boolean => Reflect.get(column, 'mapTo') === toDocument;

/*
 * Conditions on words that the program knows: status, kind, type. They are written into the
 * statement. A partial index serves only a condition that is the same as its own, and a parameter
 * never is: on SQLite its value is hidden (sqlite/statements.ts), on PostgreSQL the plan must hold
 * for any value.
 */

/** The condition that a column has this word. */
export const isWord = <C extends lite.AnySQLiteColumn>(column: C, word: C['_']['data'] & string): SQL<boolean> => isOneOf(column, [word]);

/** The condition that a column has one of these words. */
export function isOneOf<C extends lite.AnySQLiteColumn>(column: C, words: readonly (C['_']['data'] & string)[]): SQL<boolean> {
  const literals = words.map((word) => `'${word.replaceAll("'", "''")}'`);
  return literals.length === 1 ? sql`${column} = ${sql.raw(literals.join())}` : sql`${column} in (${sql.raw(literals.join(', '))})`;
}

/**
 * A text column in a condition that no index should serve. SQLite has no statistics here and treats
 * every value as rare. It would use an index that begins with the column, and read every job that
 * SUCCEEDED or every step that is QUEUED.
 */
export function withoutIndex<C extends lite.AnySQLiteColumn>(column: C): C {
  return sql`(${column} || '')` as unknown as C; // for conditions, which take any SQL where they take a column
}
