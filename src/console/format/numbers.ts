/** Numbers as people read them: with units, thousands and as many digits as say something. */

const whole = new Intl.NumberFormat('en');

/** `18,204` */
export const formatCount = (count: number): string => whole.format(count);

/** A metric: five significant digits, and an exponent where it would have many zeros. */
export function formatValue(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return whole.format(value);
  const size = Math.abs(value);
  if (size >= 1e7 || (size < 1e-3 && size > 0)) return value.toExponential(3).replace('e+', 'e');
  return String(Number(value.toPrecision(5)));
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

/** `3.1 MB`. Thousands, as disks are sold and as Go and browsers print them. */
export function formatBytes(bytes: number): string {
  const power = bytes < 1_000 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(bytes) / 3));
  const size = bytes / 1_000 ** power;
  return `${power === 0 || size >= 100 ? Math.round(size) : Number(size.toFixed(1))} ${UNITS[power]}`;
}

/** Memory, which devices report in MB. */
export const formatMegabytes = (megabytes: number): string => formatBytes(megabytes * 1e6);

export const formatPercent = (share: number): string => `${Math.round(share * 100)} %`;

/** `1 job`, `3 jobs` */
export const plural = (count: number, word: string, many = `${word}s`): string => `${formatCount(count)} ${count === 1 ? word : many}`;

const MOST_COLUMNS = 4;

/** What people look at first. */
const first = ['loss', 'acc'];

function weightOf(name: string): number {
  const place = first.findIndex((word) => name.toLowerCase().includes(word));
  return place < 0 ? first.length : place;
}

/** The metrics that a table has columns for: those that most of its rows have. */
export function chooseMetrics(rows: readonly (readonly { readonly name: string }[])[]): string[] {
  const counts = new Map<string, number>();
  for (const { name } of rows.flat()) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts]
    .sort(([a, countA], [b, countB]) => countB - countA || weightOf(a) - weightOf(b) || a.localeCompare(b))
    .slice(0, MOST_COLUMNS)
    .map(([name]) => name);
}
