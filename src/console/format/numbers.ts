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
