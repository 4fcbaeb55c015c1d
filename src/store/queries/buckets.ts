/**
 * Buckets of a curve, and the drawing of a curve from them.
 *
 * A bucket stands for some points. It keeps their number, and of the points those that a drawing
 * must not lose: the lowest, the highest, and the first and the last on each axis. A bucket made
 * from other buckets keeps the right ones too, so a curve of a million points is drawn from a
 * thousand buckets as exactly as from its points.
 */

/** A stored point of a metric. `at` is in milliseconds. */
export interface CurvePoint {
  readonly seq: number;
  readonly value: number;
  readonly iteration: number | null;
  readonly at: number;
  readonly stepNumber: number;
  readonly attempt: number;
}

export interface Bucket {
  readonly count: number;
  /** In the order of their reports. A bucket of a few points may keep all of them. */
  readonly points: readonly CurvePoint[];
}

/** An axis on which curves are drawn. The order of points at the same place is fixed too. */
export interface Axis {
  x(point: CurvePoint): number;
  compare(a: CurvePoint, b: CurvePoint): number;
}

/** Points without an iteration come after all others, in the order of their reports. */
const iterationOf = ({ iteration }: CurvePoint): number => iteration ?? Number.POSITIVE_INFINITY;

export const byIteration: Axis = {
  x: iterationOf,
  compare(a, b) {
    if (iterationOf(a) !== iterationOf(b)) return iterationOf(a) - iterationOf(b);
    return a.iteration === null ? a.seq - b.seq : a.stepNumber - b.stepNumber || a.attempt - b.attempt || a.seq - b.seq;
  },
};
/** Its unit is the millisecond. */
export const byTime: Axis = { x: ({ at }) => at, compare: (a, b) => a.at - b.at || a.seq - b.seq };

const byValue = (a: CurvePoint, b: CurvePoint): number => a.value - b.value;
const orders = [byIteration.compare, byTime.compare, byValue];

/** The points that a drawing of these points must not lose, in the order of their reports. */
function keepers(points: readonly CurvePoint[]): CurvePoint[] {
  const kept = new Set<CurvePoint>();
  for (const order of orders) {
    const [first, last] = ends(points, order);
    if (first && last) kept.add(first).add(last);
  }
  return [...kept].sort((a, b) => a.seq - b.seq);
}

/** The first and the last of some points in an order. Of equal ones: the first to be there. */
function ends(
  points: readonly CurvePoint[],
  order: (a: CurvePoint, b: CurvePoint) => number,
): [first: CurvePoint | undefined, last: CurvePoint | undefined] {
  let [first, last] = [points[0], points[0]];
  for (const point of points) {
    if (first && order(point, first) < 0) first = point;
    if (last && order(point, last) > 0) last = point;
  }
  return [first, last];
}

export const bucketOfOne = (point: CurvePoint): Bucket => ({ count: 1, points: [point] });

export const bucketOf = (points: readonly CurvePoint[]): Bucket => ({ count: points.length, points: keepers(points) });

export const mergeBuckets = (buckets: readonly Bucket[]): Bucket => ({
  count: buckets.reduce((sum, { count }) => sum + count, 0),
  points: keepers(buckets.flatMap(({ points }) => points)),
});

/** A range of an axis. Both ends belong to it. Null: it has no end there. */
export interface Window {
  readonly axis: Axis;
  readonly from: number | null;
  readonly to: number | null;
}

export const contains = ({ axis, from, to }: Window, point: CurvePoint): boolean =>
  (from === null || axis.x(point) >= from) && (to === null || axis.x(point) <= to);

/** How much of a bucket is in a window. */
export function share({ axis, from, to }: Window, { points }: Bucket): 'none' | 'some' | 'all' {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const point of points) {
    low = Math.min(low, axis.x(point));
    high = Math.max(high, axis.x(point));
  }
  if (points.length === 0 || (to !== null && low > to) || (from !== null && high < from)) return 'none';
  return (from === null || low >= from) && (to === null || high <= to) ? 'all' : 'some';
}

/** A curve as it is drawn, and what its points stand for. */
export interface Drawn {
  readonly points: readonly CurvePoint[];
  readonly count: number;
  readonly min: number | null;
  readonly max: number | null;
}

/** With fewer points, a group of buckets cannot show all that it must. */
const POINTS_OF_GROUP = 4;

/** The number of buckets that a drawing of so many points needs. */
export const bucketsFor = (most: number): number => Math.max(1, Math.floor(most / POINTS_OF_GROUP));

/**
 * Draws a curve as at most `most` of its points, in the order of the axis. Neighbouring buckets
 * form groups, of which the first, last, lowest and highest points stay. What is left of `most` is
 * filled with other points. If `most` is too small even for one group, the last point stays, then
 * the highest, then the lowest.
 */
export function draw(buckets: readonly Bucket[], axis: Axis, most: number): Drawn {
  const filled = buckets.filter(({ points }) => points.length > 0);
  const { count, points: extremes } = mergeBuckets(filled);
  const [lowest, highest] = ends(extremes, byValue);
  const summary = { count, min: lowest?.value ?? null, max: highest?.value ?? null };
  const candidates = filled.flatMap(({ points }) => points).sort(axis.compare);
  if (candidates.length <= most) return { ...summary, points: candidates };
  const kept = new Set<CurvePoint>();
  if (most < POINTS_OF_GROUP) {
    for (const point of [candidates.at(-1), highest, lowest]) if (point && kept.size < most) kept.add(point);
  } else {
    for (const group of groups(filled, axis, bucketsFor(most))) {
      for (const order of [axis.compare, byValue]) {
        for (const point of ends(group, order)) if (point) kept.add(point);
      }
    }
  }
  fill(kept, candidates, most);
  return { ...summary, points: candidates.filter((point) => kept.has(point)) };
}

/** The points of neighbouring buckets, as so many groups or fewer. */
function groups(buckets: readonly Bucket[], axis: Axis, most: number): CurvePoint[][] {
  const inOrder = buckets
    .map(({ points }) => ({ points, first: ends(points, axis.compare)[0] }))
    .sort((a, b) => (a.first && b.first ? axis.compare(a.first, b.first) : 0));
  const number = Math.min(most, inOrder.length);
  return Array.from({ length: number }, (_, i) =>
    inOrder
      .slice(Math.floor((i * inOrder.length) / number), Math.floor(((i + 1) * inOrder.length) / number))
      .flatMap(({ points }) => points),
  );
}

/** Adds points at even distances until there are `most`. */
function fill(kept: Set<CurvePoint>, candidates: readonly CurvePoint[], most: number): void {
  const others = candidates.filter((point) => !kept.has(point));
  const wanted = Math.min(most - kept.size, others.length);
  for (let i = 0; i < wanted; i++) {
    const point = others[Math.floor((i * others.length) / wanted)];
    if (point) kept.add(point);
  }
}
