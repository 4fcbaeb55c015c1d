const height = 10;
const width = 72;

/** One line of a chart: its values by x, drawn with its mark. */
export interface Series {
  readonly name: string;
  readonly mark: string;
  readonly values: ReadonlyMap<number, number>;
}

/**
 * Draws the series over each other: x (integers) to the right, y scaled to the values. Empty if
 * there are none.
 */
export function chart(series: readonly Series[]): string[] {
  const values = series.flatMap((line) => [...line.values.values()]);
  const all = [...new Set(series.flatMap((line) => [...line.values.keys()]))].sort((a, b) => a - b);
  if (all.length === 0) return [];
  // Skips some if there are more than columns.
  const xs = all.filter((_, index) => index % Math.ceil(all.length / width) === 0);
  const columnWidth = Math.max(1, Math.min(4, Math.floor(width / xs.length)));
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const rowOf = (value: number) => (high === low ? 0 : Math.round(((value - low) / (high - low)) * (height - 1)));
  const valueAt = (row: number) => low + ((high - low) * row) / (height - 1);
  // Enough digits to distinguish the rows.
  const isPlain = Math.abs(high) < 10_000 && Math.abs(low) < 10_000 && (high === low || high - low >= 0.01);
  const label = (value: number) => (isPlain ? value.toFixed(3) : value.toPrecision(3));

  const rows = Array.from({ length: high === low ? 1 : height }, (_, row) => {
    const columns = xs.map((x) => {
      const line = series.find(({ values: points }) => {
        const value = points.get(x);
        return value !== undefined && rowOf(value) === row;
      });
      return (line?.mark ?? '').padStart(columnWidth);
    });
    return `${label(valueAt(row)).padStart(8)} ┤${columns.join('')}`.trimEnd();
  });
  const labels = xs.map((x) => (columnWidth > String(x).length ? String(x) : '').padStart(columnWidth)).join('');
  const legend = series.map((line) => `${line.mark} ${line.name}`).join('   ');
  return [`${' '.repeat(10)}${legend}`, ...rows.reverse(), `${' '.repeat(9)}└${labels}`];
}
