/** Inserts of whole rows, prepared once: one row at a time, or many in a few sizes. */
import { getTableColumns, Placeholder } from 'drizzle-orm';
import type { SQLiteTable } from 'drizzle-orm/sqlite-core';
import type { Tables } from '../schema/tables.ts';
import { type Statement, statement, type Tx } from '../store.ts';

/**
 * 256 rows of the widest stream table are 3,600 parameters. Both databases allow nine times as
 * many.
 */
const SIZES = [256, 64, 16, 4, 2, 1] as const;

type TableName = keyof Tables;
type Row<N extends TableName> = Tables[N]['$inferSelect'];
/** Columns that the statement itself fills in. */
type Given<N extends TableName, O extends keyof Row<N>> = Omit<Row<N>, O>;

export interface Insert<R> {
  /** The largest first. Their values are those of all rows, one row after the other. */
  readonly bySize: readonly (readonly [size: number, query: Statement<readonly unknown[], unknown>])[];
  /** The order of the values of a row. */
  columnsOf(t: Tables): readonly string[];
  /** Only for the type: a row of the table. */
  readonly row?: R;
}

/**
 * An insert of rows into this table. `computed` columns get an expression of the dialect instead of
 * a value.
 */
export function insertOf<N extends TableName, O extends keyof Row<N> & string = never>(
  table: N,
  { sizes = [1], arrival }: { sizes?: readonly number[]; arrival?: O } = {},
): Insert<Given<N, O>> {
  let columns: readonly string[] | undefined;
  // The same on both databases.
  const columnsOf = (t: Tables) => {
    columns ??= Object.keys(getTableColumns(t[table] as SQLiteTable)).filter((name) => name !== arrival);
    return columns;
  };
  const bySize = sizes.map((size) => {
    const query = statement<readonly unknown[], unknown>(`insert ${size} ${table}`, (db, t, _, dialect) => {
      const names = columnsOf(t);
      const rows = Array.from({ length: size }, (_unused, row) => ({
        ...Object.fromEntries(names.map((name, i) => [name, new Placeholder(String(row * names.length + i))])),
        ...(arrival === undefined ? {} : { [arrival]: dialect.arrival }),
      }));
      // Cast: the rows are made from the table's own columns.
      return db.insert(t[table] as SQLiteTable).values(rows as never);
    });
    return [size, query] as const;
  });
  return { bySize, columnsOf };
}

type Empty<R> = { [C in keyof R as null extends R[C] ? C : never]: null };
const empties = new WeakMap<object, object>();

/**
 * Null for each column of a table that may be null: what a row begins with of which not much is
 * known yet.
 */
export function emptyRow<N extends TableName>(t: Tables, table: N): Empty<Row<N>> {
  const known = empties.get(t[table]);
  const empty =
    known ??
    Object.fromEntries(
      Object.entries(getTableColumns(t[table] as SQLiteTable)).flatMap(([name, { notNull }]) => (notNull ? [] : [[name, null]])),
    );
  if (!known) empties.set(t[table], empty);
  return empty as Empty<Row<N>>; // null where the columns' types have null
}

/** For the stream tables: as few statements as the number of rows allows. */
export const inSizes = { sizes: SIZES };

/** More rows are not worth a statement together with other writes. */
const MOST_LATER = 4;

/** The statement that inserts these rows at once, if there is one for their number. */
export function insertTogether<R extends object>(
  tx: Tx,
  insert: Insert<R>,
  rows: readonly R[],
): { query: Statement<readonly unknown[], unknown>; values: unknown[] } | null {
  const [, query] = insert.bySize.find(([size]) => size === rows.length) ?? [];
  return query && rows.length <= MOST_LATER ? { query, values: valuesOf(insert.columnsOf(tx.t), rows) } : null;
}

function valuesOf<R extends object>(columns: readonly string[], rows: readonly R[]): unknown[] {
  const values: unknown[] = [];
  for (const row of rows) {
    for (const column of columns) {
      const value = (row as Readonly<Record<string, unknown>>)[column]; // its type has all columns
      if (value === undefined) throw new Error(`A row without its ${column} cannot be inserted.`);
      values.push(value);
    }
  }
  return values;
}

/** Inserts these rows in order. */
export async function insertRows<R extends object>(tx: Tx, insert: Insert<R>, rows: readonly R[]): Promise<void> {
  const few = insertTogether(tx, insert, rows);
  if (few) return tx.runLater(few.query, few.values);
  const columns = insert.columnsOf(tx.t);
  for (let from = 0; from < rows.length; ) {
    const left = rows.length - from;
    const [size, query] = insert.bySize.find(([n]) => n <= left) ?? [];
    if (!size || !query) throw new Error('The insert has no statement for one row.');
    await tx.run(query, valuesOf(columns, rows.slice(from, from + size)));
    from += size;
  }
}
