/** Rows of a stream, read by their bytes as well as by their number. */

/** How much is read at once: so many rows, of so many bytes together; a single row that has more is read by itself. */
export interface Portion {
  readonly rows: number;
  readonly bytes: number;
  /** Called with the bytes that are about to be read. What it throws keeps them from being read. */
  readonly hold?: ((bytes: number) => void) | undefined;
}

export interface Cut<R> {
  readonly rows: readonly R[];
  /** Whether there are more behind them. */
  readonly hasMore: boolean;
}

/** Where a row stands, and what it takes, more or less, when it is read. */
export interface RowSize {
  readonly place: number;
  readonly bytes: number;
}

/**
 * The rows at the front that the portion holds. Their sizes are read first, and then no rows but those: a hundred texts of a megabyte are never in
 * memory only to be cut. One row more than asked for tells whether there are more.
 */
export async function readPortion<R>(
  { rows, bytes, hold }: Portion,
  sizes: (limit: number) => Promise<readonly RowSize[]>,
  read: (lastPlace: number) => Promise<readonly R[]>,
): Promise<Cut<R>> {
  const found = await sizes(rows + 1);
  let last: RowSize | undefined;
  let count = 0;
  let sum = 0;
  for (const row of found) {
    if (count === rows || (count > 0 && sum + row.bytes > bytes)) break;
    sum += row.bytes;
    count += 1;
    last = row;
  }
  if (!last) return { rows: [], hasMore: false };
  hold?.(sum);
  return { rows: await read(last.place), hasMore: count < found.length };
}

/** The same of rows that are small, so that their number alone bounds them. */
export async function readRows<R>({ rows }: Portion, read: (limit: number) => Promise<readonly R[]>): Promise<Cut<R>> {
  const found = await read(rows + 1);
  return { rows: found.length > rows ? found.slice(0, rows) : found, hasMore: found.length > rows };
}
