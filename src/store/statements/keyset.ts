/**
 * Pages by key. A page starts after the position of a row instead of a count, so it costs the same
 * however far into the list it is.
 */
import { and, asc, desc, type SQL, sql } from 'drizzle-orm';
import type { AnySQLiteColumn } from 'drizzle-orm/sqlite-core';
import type { Dialect } from '../store.ts';

/** The position belongs to another list. */
export class UnknownPosition extends Error {}

/**
 * The values of one row that its list is ordered by, ending with an id. Dates are RFC 3339 text.
 */
export type Position = readonly (string | number)[];

/** A range of a list, read from one of its ends. */
export interface Slice {
  readonly limit: number;
  /** Reads from the end of the list to its beginning. */
  readonly isBackward: boolean;
  /** Only rows after this position in the list's order. Null: from the beginning. */
  readonly after: Position | null;
  /** Only rows before this position. Null: to the end. */
  readonly before: Position | null;
}

/**
 * A column that a list is ordered by. `decode` converts the text or number of a position to the
 * column's value; null if it is invalid.
 */
export interface Key {
  readonly column: AnySQLiteColumn;
  decode(part: string | number): unknown;
  /** For an expression instead of a column: the value as the database compares it. */
  bind?(value: SQL, dialect: Dialect): SQL;
}
// A position comes from a client. Values that PostgreSQL cannot hold (a NUL in text, a number or a
// year out of range) are invalid.
export const textKey = (column: AnySQLiteColumn): Key => ({
  column,
  decode: (part) => (typeof part === 'string' && !part.includes('\0') ? part : null),
});
export const numberKey = (column: AnySQLiteColumn): Key => ({
  column,
  decode: (part) => (typeof part === 'number' && Number.isInteger(part) && Math.abs(part) < 2 ** 31 ? part : null),
});
export const finiteKey = (column: AnySQLiteColumn): Key => ({
  column,
  decode: (part) => (typeof part === 'number' && Number.isFinite(part) ? part : null),
});
export const instantKey = (column: AnySQLiteColumn): Key => ({ column, decode: instantOf });

/** The time in a part of a position. Null if it is not a time between the years 1970 and 9999. */
export function instantOf(part: string | number | undefined): Date | null {
  const date = new Date(part ?? '');
  return date.getTime() >= 0 && date.getTime() < Date.UTC(10_000, 0) ? date : null;
}

/**
 * The condition and order of a slice of a list ordered by `keys`, all in one direction so that both
 * databases can walk an index of these columns. Throws UnknownPosition.
 */
export function keyset(keys: readonly Key[], direction: 'asc' | 'desc', slice: Slice): { where: SQL | undefined; orderBy: SQL[] } {
  const isAscending = direction === 'asc';
  const after = slice.after ? beyond(keys, slice.after, isAscending ? sql`>` : sql`<`) : undefined;
  const before = slice.before ? beyond(keys, slice.before, isAscending ? sql`<` : sql`>`) : undefined;
  const order = isAscending === slice.isBackward ? desc : asc;
  return { where: and(after, before), orderBy: keys.map(({ column }) => order(column)) };
}

function beyond(keys: readonly Key[], position: Position, operator: SQL): SQL {
  const values = keys.map(({ decode }, i) => decode(position[i] ?? ''));
  if (position.length !== keys.length || values.includes(null)) throw new UnknownPosition();
  const columns = sql.join(
    keys.map(({ column }) => sql`${column}`),
    sql`, `,
  );
  const parameters = sql.join(
    keys.map(({ column }, i) => sql.param(values[i], column)),
    sql`, `,
  );
  return sql`(${columns}) ${operator} (${parameters})`;
}
