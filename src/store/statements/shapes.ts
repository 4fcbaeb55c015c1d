/**
 * Queries with conditions that depend on the request.
 *
 * A condition is a `Term`: its shape is text, and its values are separate. Queries of one shape
 * share one prepared statement, named by a hash of the shape. Clients can ask for many shapes, and
 * each prepared statement stays in memory on every connection. So once there are `MOST_SHAPES`, new
 * ones are built for each call, which costs about 130 µs.
 */
import { createHash } from 'node:crypto';
import { and, Param, type SQL, sql } from 'drizzle-orm';
import type { Tables } from '../schema/tables.ts';
import { type Database, type Dialect, type Placeholder, type Preparable, type Queries, type Statement, statement } from '../store.ts';
import { type Key, type Position, UnknownPosition } from './keyset.ts';

const MOST_SHAPES = 256;

type Values = Readonly<Record<string, unknown>>;
export type AnyPlaceholder = Placeholder<Record<string, unknown>>;

/**
 * One condition. `condition` may differ only with `shape`. Everything else that varies is in
 * `values`, under names that no other term uses.
 */
export interface Term {
  readonly shape: string;
  readonly values: Values;
  condition(t: Tables, $: AnyPlaceholder, dialect: Dialect): SQL | undefined;
}

/**
 * A query without its conditions. `name` and `variant` tell its shape from that of other queries.
 */
export interface Shaped<R> {
  readonly name: string;
  readonly variant?: string;
  readonly terms: readonly Term[];
  /** Values besides those of the terms. */
  readonly values?: Values;
  build(db: Database, t: Tables, where: SQL | undefined, $: AnyPlaceholder, dialect: Dialect): Preparable<R>;
}

const statements = new Map<string, Statement<Record<string, unknown>, unknown>>();

export async function runShaped<R>(queries: Queries, { name, variant = '', terms, values = {}, build }: Shaped<R>): Promise<R> {
  const shape = [name, variant, ...terms.map((term) => term.shape)].join('\n');
  const all: Record<string, unknown> = { ...values };
  for (const term of terms) Object.assign(all, term.values);
  const buildAll = (db: Database, t: Tables, $: AnyPlaceholder, dialect: Dialect) =>
    build(db, t, and(...terms.map((term) => term.condition(t, $, dialect))), $, dialect);

  let query = statements.get(shape);
  if (!query && statements.size < MOST_SHAPES) {
    query = statement(`${name} ${createHash('sha256').update(shape).digest('hex').slice(0, 16)}`, buildAll);
    statements.set(shape, query);
  }
  // Cast: the statement of a shape is always built by the same `build`.
  if (query) return (await queries.run(query, all)) as R;
  return queries.runUnnamed(() => buildAll(queries.db, queries.t, inPlace(all), queries.dialect));
}

/**
 * Puts values in place of the placeholders. Cast: builders take any SQL where they take a
 * placeholder.
 */
function inPlace(values: Values): AnyPlaceholder {
  return ((name: string, column?: { mapToDriverValue(value: unknown): unknown }) =>
    column ? sql`${new Param(values[name], column)}` : sql`${values[name]}`) as unknown as AnyPlaceholder;
}

interface Bound {
  /** Tells it from the other bounds of a query. */
  readonly name: string;
  readonly side: 'after' | 'before';
  /** Whether the row at the position itself is on this side. */
  readonly isIncluded?: boolean;
}

/**
 * One end of a slice of a list ordered by `keys`, all in one direction: the rows on that side of
 * the position. Throws UnknownPosition.
 */
export function boundTerm(
  { name, side, isIncluded = false }: Bound,
  position: Position | null,
  { keys, order, isAscending, t }: { keys: (t: Tables) => readonly Key[]; order: string; isAscending: boolean; t: Tables },
): Term[] {
  if (!position) return [];
  const decoded = keys(t).map(({ decode }, i) => decode(position[i] ?? ''));
  if (position.length !== decoded.length || decoded.includes(null)) throw new UnknownPosition();
  const comparison = isAscending === (side === 'after') ? '>' : '<';
  const sign = sql.raw(comparison + (isIncluded ? '=' : ''));
  const orEqual = sql.raw(`${comparison}=`);
  return [
    {
      shape: `${name} ${side} ${order}`,
      values: Object.fromEntries(decoded.map((value, i) => [`${name}${i}`, value])),
      condition(tables, $, dialect) {
        const all = keys(tables);
        const parameters = all.map(({ column, bind }, i) => (bind ? bind(sql`${$(`${name}${i}`)}`, dialect) : $(`${name}${i}`, column)));
        const columns = all.map(({ column }) => sql`${column}`);
        // Compared as row values, so that both databases find the position in the index.
        const isBeyond = sql`(${sql.join(columns, sql`, `)}) ${sign} (${sql.join(parameters, sql`, `)})`;
        // If one is an expression, SQLite does not: it would read the whole index.
        return all[0]?.bind ? sql`(${columns[0]} ${orEqual} ${parameters[0]} and ${isBeyond})` : isBeyond;
      },
    },
  ];
}
