/**
 * Lists and counts of rows in the order of their ids, with conditions that no index serves. They
 * are walked some thousand rows at a time, in `Queries.walks`.
 */
import { and, asc, count, desc, gt, gte, lt, lte, type SQL } from 'drizzle-orm';
import type { AnySQLiteColumn, SQLiteTable } from 'drizzle-orm/sqlite-core';
import type { Queries } from '../store.ts';
import { keyset, type Slice, textKey } from './keyset.ts';

/** Rows looked at in the first step. Mostly they are enough. */
const FIRST_STEP = 200;

export interface Walked {
  readonly table: SQLiteTable;
  readonly id: AnySQLiteColumn<{ data: string; notNull: true }>;
  /** Conditions that an index serves in the order of ids. */
  readonly direct: SQL | undefined;
  readonly rest: SQL | undefined;
}

/** The ids in a slice of the list with the newest first. Throws UnknownPosition. */
export async function idsNewestFirst(queries: Queries, { table, id, direct, rest }: Walked, slice: Slice): Promise<string[]> {
  const { db } = queries.walks ?? queries;
  const order = slice.isBackward ? asc(id) : desc(id);
  const beyond = slice.isBackward ? gt : lt;
  const { where } = keyset([textKey(id)], 'desc', slice);
  const found: string[] = [];
  for (let after: string | null = null; ; ) {
    const all = and(direct, where, after === null ? undefined : beyond(id, after));
    const lookingAt = db.select({ id }).from(table).where(all).orderBy(order).limit(1);
    const [last]: readonly { readonly id: string }[] = rest
      ? await lookingAt.offset((after === null ? FIRST_STEP : queries.dialect.walkStep) - 1)
      : [];
    const upTo = last && (slice.isBackward ? lte : gte)(id, last.id);
    const rows = await db
      .select({ id })
      .from(table)
      .where(and(all, upTo, rest))
      .orderBy(order)
      .limit(slice.limit - found.length);
    found.push(...rows.map((row) => row.id));
    if (!last || found.length === slice.limit) return found;
    after = last.id;
  }
}

/** Counts the rows, step by step. */
export async function countById(queries: Queries, { table, id, direct, rest }: Walked): Promise<number> {
  const { db } = queries.walks ?? queries;
  let sum = 0;
  for (let after: string | null = null; ; ) {
    const all = and(direct, after === null ? undefined : gt(id, after));
    const [last] = await db
      .select({ id })
      .from(table)
      .where(all)
      .orderBy(asc(id))
      .limit(1)
      .offset(queries.dialect.walkStep - 1);
    const [row] = await db
      .select({ count: count() })
      .from(table)
      .where(and(all, last && lte(id, last.id), rest));
    sum += row?.count ?? 0;
    if (!last) return sum;
    after = last.id;
  }
}

/** The rows in the order of the ids. Rows that were removed in between are left out. */
export function inOrderOf<R extends { readonly id: string }>(ids: readonly string[], rows: readonly R[]): R[] {
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.flatMap((id) => byId.get(id) ?? []);
}
