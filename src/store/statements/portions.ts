/** Reads rows of a stream, limited by number and by bytes. */

/** The limits of one read. A single row that exceeds the bytes is read alone. */
export interface Portion {
  readonly rows: number;
  readonly bytes: number;
  /** Called with the bytes about to be read. If it throws, they are not read. */
  readonly hold?: ((bytes: number) => void) | undefined;
}

export interface Cut<R> {
  readonly rows: readonly R[];
  /** Whether more rows follow. */
  readonly hasMore: boolean;
}

/** The number of a row, and its approximate size when read. */
export interface RowSize {
  readonly place: number;
  readonly bytes: number;
}

/**
 * Reads the first rows that fit the portion. Reads their sizes first and then only those rows, so
 * that a hundred texts of a megabyte are never loaded just to be cut. One extra size tells whether
 * more rows follow.
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

/** The same for small rows, limited by number only. */
export async function readRows<R>({ rows }: Pick<Portion, 'rows'>, read: (limit: number) => Promise<readonly R[]>): Promise<Cut<R>> {
  const found = await read(rows + 1);
  return { rows: found.length > rows ? found.slice(0, rows) : found, hasMore: found.length > rows };
}
