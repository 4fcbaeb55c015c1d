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
/** Of the smallest limit: 64 rows. */
const LEAST_POWER = 6;

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
  type Values = Record<string, string>;
  const statementFor = (size: number, limit: string, most?: SQL) =>
    statement<Values, R[]>(
      `${name} x${size}${limit}`,
      (db, t, $) => {
        const keys = Array.from({ length: size }, (_, i) => $(`key${i}`));
        const query = build(db, t, sql`(${sql.join(keys, sql`, `)})`);
        // Cast: Preparable is what all builders have in common. This one selects.
        return most ? (query as unknown as { limit(most: SQL): typeof query }).limit(most) : query;
      },
      { isList: most !== undefined },
    );
  const statements = SIZES.map((size) => {
    const whole = statementFor(size, '');
    const cut = new Map<number, typeof whole>();
    return {
      size,
      /** At most about so many rows. */
      of(rows: number | undefined) {
        // The limits of the domain bound the list of one key.
        if (!isList || size === 1 || rows === undefined) return whole;
        // A literal, of which there are a few: with a parameter SQLite takes a fifth longer.
        const power = Math.max(LEAST_POWER, Math.ceil(Math.log2(rows)));
        const known = cut.get(power) ?? statementFor(size, `/${power}`, sql.raw(String(2 ** power)));
        cut.set(power, known);
        return known;
      },
    };
  });
  const runOnce = (queries: Queries, keys: readonly string[]): Promise<R[]> => {
    const fitting = statements.find(({ size }) => size >= keys.length);
    if (!fitting) throw new RangeError(`At most ${LARGEST} keys at once.`);
    const values: Values = {};
    for (let i = 0; i < fitting.size; i++) values[`key${i}`] = keys[i] ?? keys.at(-1) ?? '';
    return queries.run(fitting.of(queries.mostRows), values);
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
