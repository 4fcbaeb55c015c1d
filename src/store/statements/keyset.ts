/** Pages by key: where a list goes on, said by the last row's position and not by a count, so that a page costs the same however far in it lies. */
import { and, asc, desc, type SQL, sql } from 'drizzle-orm';
import type { AnySQLiteColumn } from 'drizzle-orm/sqlite-core';

/** The position is of another list. */
export class UnknownPosition extends Error {}

/** What a list is ordered by, for one row, the last of it an id; dates as RFC 3339 text. */
export type Position = readonly (string | number)[];

/** A range of a list, seen from one of its ends. */
export interface Slice {
  readonly limit: number;
  /** Walks from the end of the list to its beginning. */
  readonly isBackward: boolean;
  /** Only what stands after this one in the order of the list; null: from its beginning. */
  readonly after: Position | null;
  /** Only what stands before this one; null: to its end. */
  readonly before: Position | null;
}

/** One column that a list is ordered by. `decode` turns the position's text or number into the column's value; null if it cannot be one. */
export interface Key {
  readonly column: AnySQLiteColumn;
  decode(part: string | number): unknown;
}
// A position comes from a client: what PostgreSQL has no value for (a NUL in text, a number or a year out of range) is no position.
export const textKey = (column: AnySQLiteColumn): Key => ({
  column,
  decode: (part) => (typeof part === 'string' && !part.includes('\0') ? part : null),
});
export const numberKey = (column: AnySQLiteColumn): Key => ({
  column,
  decode: (part) => (typeof part === 'number' && Number.isInteger(part) && Math.abs(part) < 2 ** 31 ? part : null),
});
export const instantKey = (column: AnySQLiteColumn): Key => ({ column, decode: instantOf });

/** The moment that a part of a position says; null when it says none between the years 1970 and 9999. */
export function instantOf(part: string | number | undefined): Date | null {
  const date = new Date(part ?? '');
  return date.getTime() >= 0 && date.getTime() < Date.UTC(10_000, 0) ? date : null;
}

/**
 * The condition and the order of a slice of a list that is ordered by `keys`, all in one direction (so that both databases walk the index of
 * these columns). Throws UnknownPosition.
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
