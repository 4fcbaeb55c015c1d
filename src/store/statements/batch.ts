/**
 * Rows for many keys at once, with prepared statements: one for 1 key, one for 8, one for 64. Keys
 * are padded to the next size by repeating the last one, which costs nothing. A statement for each
 * number of keys would mean a thousand prepared statements.
 */
import { type SQL, type SQLWrapper, sql } from 'drizzle-orm';
import type { Tables } from '../schema/tables.ts';
import { type Database, type Preparable, type Queries, statement } from '../store.ts';

const SIZES = [1, 8, 64] as const;
const LARGEST = 64;
const NO_LIMIT = 2 ** 31;

/**
 * `build` gets the keys as `(?, ?, …)`, for `inArray`. The rows come in the order of the query for
 * up to 64 keys; beyond that, the keys are read 64 at a time. `isList`: a key may have many rows,
 * of which only as many are read as an answer has room for.
 */
export function batch<R>(
  name: string,
  build: (db: Database, t: Tables, keys: SQL) => Preparable<R[]>,
  { isList = false }: { isList?: boolean } = {},
) {
  // The limits of the domain bound each list.
  const isCut = (size: number) => isList && size > 1;
  const statements = SIZES.map((size) => ({
    size,
    query: statement<Record<string, string | number>, R[]>(
      `${name} x${size}`,
      (db, t, $) => {
        const keys = Array.from({ length: size }, (_, i) => $(`key${i}`));
        const query = build(db, t, sql`(${sql.join(keys, sql`, `)})`);
        // Cast: Preparable is what all builders have in common. This one selects.
        return isCut(size) ? (query as unknown as { limit(most: unknown): typeof query }).limit($('most')) : query;
      },
      { isList: isCut(size) },
    ),
  }));
  const runOnce = (queries: Queries, keys: readonly string[]): Promise<R[]> => {
    const fitting = statements.find(({ size }) => size >= keys.length);
    if (!fitting) throw new RangeError(`At most ${LARGEST} keys at once.`);
    const values: Record<string, string | number> = isCut(fitting.size) ? { most: queries.mostRows ?? NO_LIMIT } : {};
    for (let i = 0; i < fitting.size; i++) values[`key${i}`] = keys[i] ?? keys.at(-1) ?? '';
    return queries.run(fitting.query, values);
  };
  return async (queries: Queries, asked: readonly string[]): Promise<R[]> => {
    // PostgreSQL's text cannot contain NUL, so no key does.
    const keys = asked.some((key) => key.includes('\0')) ? asked.filter((key) => !key.includes('\0')) : asked;
    if (keys.length <= LARGEST) return keys.length === 0 ? [] : runOnce(queries, keys);
    const parts: Promise<R[]>[] = [];
    for (let i = 0; i < keys.length; i += LARGEST) parts.push(runOnce(queries, keys.slice(i, i + LARGEST)));
    return (await Promise.all(parts)).flat();
  };
}

/** A row has such a key in two columns. */
export type Pair = readonly [string, string | number];

/**
 * The same for keys of two columns: `build` gets the condition for columns that have one of them.
 */
export function batchOfPairs<R>(
  name: string,
  build: (db: Database, t: Tables, isAnyOf: (first: SQLWrapper, second: SQLWrapper) => SQL) => Preparable<R[]>,
) {
  const statements = SIZES.map((size) => ({
    size,
    query: statement<Record<string, string | number>, R[]>(`${name} x${size}`, (db, t, $) => {
      const numbers = Array.from({ length: size }, (_, i) => i);
      return build(db, t, (first, second) => {
        const pairs = numbers.map((i) => sql`(${first} = ${$(`first${i}`)} and ${second} = ${$(`second${i}`)})`);
        return sql`(${sql.join(pairs, sql` or `)})`;
      });
    }),
  }));
  return async (queries: Queries, keys: readonly Pair[]): Promise<R[]> => {
    const rows: R[] = [];
    for (let from = 0; from < keys.length; from += LARGEST) {
      const some = keys.slice(from, from + LARGEST);
      const fitting = statements.find(({ size }) => size >= some.length);
      if (!fitting) throw new RangeError(`At most ${LARGEST} keys at once.`);
      const values: Record<string, string | number> = {};
      for (let i = 0; i < fitting.size; i++) [values[`first${i}`], values[`second${i}`]] = some[i] ?? some.at(-1) ?? ['', ''];
      rows.push(...(await queries.run(fitting.query, values)));
    }
    return rows;
  };
}
