import stringWidth from 'string-width';
import { exitCodes, type Io, type Output, print, printJson } from '../io.ts';
import { cleanName, truncate } from '../terminal.ts';

export interface Column<Row> {
  readonly title: string;
  /** The row's text in this column. Control characters are removed before it is shown. */
  readonly value: (row: Row) => string;
  /**
   * Whether it may be truncated on a narrow terminal. Default: false, because ids and statuses are
   * useless in part.
   */
  readonly isFlexible?: boolean;
  readonly isNumber?: boolean;
}

const gap = '  ';
const narrowest = 8;

/**
 * Rows under titles. On a terminal no line is wider than the terminal; in a pipe nothing is
 * truncated.
 */
export function renderTable<Row>(output: Output, columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cells = rows.map((row) => columns.map((column) => cleanName(column.value(row))));
  const widths = columns.map((column, index) => Math.max(stringWidth(column.title), ...cells.map((row) => stringWidth(row[index] ?? ''))));
  if (output.isTTY && output.columns) shrink(columns, widths, output.columns - gap.length * (columns.length - 1));
  const lines = [columns.map((column) => column.title), ...cells].map((row) => {
    const padded = row.map((text, index) => pad(text, widths[index] ?? 0, columns[index]?.isNumber === true));
    return padded.join(gap).trimEnd();
  });
  return `${lines.join('\n')}\n`;
}

/** Prints a list: a table, a JSON document or, on stderr, that there is nothing. */
export async function printList<Row>(
  io: Io,
  isJson: boolean,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  nothing: string,
): Promise<number> {
  if (isJson) await printJson(io, rows);
  else if (rows.length > 0) await print(io.stdout, renderTable(io.stdout, columns, rows));
  else io.stderr.write(`${nothing}\n`);
  return exitCodes.succeeded;
}

/** Narrows the widest flexible column until the line fits or nothing can be narrowed. */
function shrink<Row>(columns: readonly Column<Row>[], widths: number[], available: number): void {
  let excess = widths.reduce((sum, width) => sum + width, 0) - available;
  while (excess > 0) {
    let widest = -1;
    for (const [index, column] of columns.entries()) {
      if (column.isFlexible && (widths[index] ?? 0) > narrowest && (widths[index] ?? 0) > (widths[widest] ?? 0)) widest = index;
    }
    if (widest < 0) return;
    widths[widest] = (widths[widest] ?? 0) - 1;
    excess -= 1;
  }
}

function pad(text: string, width: number, isNumber: boolean): string {
  const shown = truncate(text, width);
  const space = ' '.repeat(width - stringWidth(shown));
  return isNumber ? space + shown : shown + space;
}

/** Names and values of one object, one per line. */
export function renderFields(fields: readonly (readonly [name: string, value: string | null | undefined])[]): string {
  const shown = fields.filter((field): field is [string, string] => field[1] !== null && field[1] !== undefined && field[1] !== '');
  const width = Math.max(0, ...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `${name.padEnd(width)}  ${cleanName(value)}\n`).join('');
}
