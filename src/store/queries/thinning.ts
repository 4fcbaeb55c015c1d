/**
 * Thins a curve to fewer points that look the same: largest triangle three buckets (S. Steinarsson,
 * "Downsampling Time Series for Visual Representation", 2013). The points between the first and the
 * last are cut into buckets of one size. From each bucket, the point stays that forms the largest
 * triangle with the previously kept point and the mean of the next bucket. So peaks and edges stay
 * where they are.
 *
 * A row may have several curves (CPU, memory, GPU). Their triangles are added up, each in units of
 * its curve's range.
 */

/**
 * How a row is drawn: its x value, and the value of each of its curves. Null where a curve has no
 * value.
 */
export interface Drawing<R> {
  x(row: R): number;
  readonly curves: readonly ((row: R) => number | null)[];
}

/**
 * At most `most` of the rows, in their order, including the first and the last (for `most` 1, the
 * last).
 */
export function thin<R extends object>(rows: readonly R[], most: number, { x, curves }: Drawing<R>): R[] {
  if (rows.length <= most) return [...rows];
  const first = rows[0];
  const last = rows.at(-1);
  if (first === undefined || last === undefined || most <= 0) return [];
  if (most === 1) return [last];

  const scaled = curves.map((curve) => ({ curve, unit: 1 / (rangeOf(rows, curve) || 1) }));
  const edge = (bucket: number) => 1 + Math.floor((bucket * (rows.length - 2)) / (most - 2));
  const kept: R[] = [first];
  let before = first;
  for (let bucket = 0; bucket < most - 2; bucket++) {
    const candidates = rows.slice(edge(bucket), edge(bucket + 1));
    const next = bucket === most - 3 ? [last] : rows.slice(edge(bucket + 1), edge(bucket + 2));
    const nextX = mean(next, x);
    const triangles = scaled.map(({ curve, unit }) => ({ curve, unit, nextY: mean(next, curve), beforeY: curve(before) ?? 0 }));
    let largest = -1;
    let chosen = candidates[0] ?? before;
    for (const candidate of candidates) {
      let area = 0;
      for (const { curve, unit, nextY, beforeY } of triangles) {
        const y = curve(candidate) ?? beforeY;
        area += unit * Math.abs((x(before) - nextX) * (y - beforeY) - (x(before) - x(candidate)) * (nextY - beforeY));
      }
      if (area > largest) {
        largest = area;
        chosen = candidate;
      }
    }
    kept.push(chosen);
    before = chosen;
  }
  kept.push(last);
  return kept;
}

/**
 * The rows with the extremes of their curves, and the first and the last, in their order. They
 * stand for a range that is too long to hold.
 */
export function extremes<R>(rows: readonly R[], { curves }: Pick<Drawing<R>, 'curves'>): R[] {
  const kept = new Set([0, rows.length - 1]);
  for (const curve of curves) {
    let [low, high] = [0, 0];
    let [lowest, highest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const [i, row] of rows.entries()) {
      const y = curve(row);
      if (y !== null && y < lowest) [low, lowest] = [i, y];
      if (y !== null && y > highest) [high, highest] = [i, y];
    }
    kept.add(low).add(high);
  }
  return rows.filter((_, i) => kept.has(i));
}

function mean<R>(rows: readonly R[], of: (row: R) => number | null): number {
  let sum = 0;
  let count = 0;
  for (const row of rows) {
    const value = of(row);
    if (value === null) continue;
    sum += value;
    count++;
  }
  return count === 0 ? 0 : sum / count;
}

function rangeOf<R>(rows: readonly R[], curve: (row: R) => number | null): number {
  let [lowest, highest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const row of rows) {
    const y = curve(row);
    if (y === null) continue;
    lowest = Math.min(lowest, y);
    highest = Math.max(highest, y);
  }
  return highest > lowest ? highest - lowest : 0;
}
