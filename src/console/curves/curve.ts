/** Curves of metrics, as arrays that a chart draws. */
import type { CurveAxis, SeriesFieldsFragment } from '../generated.ts';

export interface Curve {
  readonly jobId: string;
  /** Ascending. Iterations, seconds since 1970, or seconds since the job started. */
  readonly x: number[];
  readonly y: number[];
  min: number | null;
  max: number | null;
  last: number | null;
  /** How many points this stands for. */
  points: number;
  /** How many the metric has, also outside of the window. */
  total: number;
  /** How many retention has deleted. */
  readonly missed: number;
  /** How many have no place on the axis: points without an iteration. */
  unplaced: number;
  readonly startedAt: string | null;
}

/** The part of an axis that is shown. Null: to its end. */
export interface CurveWindow {
  readonly axis: CurveAxis;
  readonly from: number | null;
  readonly to: number | null;
}

/** A point as a stream reports it. */
export interface CurvePoint {
  readonly iteration: number | null;
  readonly at: string;
  readonly value: number;
}

export function readCurve(series: SeriesFieldsFragment, axis: CurveAxis): Curve {
  const { startedAt } = series.job;
  const curve: Curve = {
    ...{ jobId: series.job.id, startedAt, x: [], y: [], min: series.min, max: series.max, last: series.last?.value ?? null },
    ...{ points: series.thinnedFrom, total: series.totalPoints, missed: series.missed, unplaced: 0 },
  };
  for (const { i, t, v } of series.points) {
    const x = placeOf({ iteration: i ?? null, at: t ?? '' }, axis, startedAt);
    if (x === null) curve.unplaced += 1;
    else {
      curve.x.push(x);
      curve.y.push(v);
    }
  }
  return curve;
}

/** Adds a point that was reported after the curve was read. */
export function addPoint(curve: Curve, point: CurvePoint, { axis, from, to }: CurveWindow): void {
  curve.total += 1;
  const x = placeOf(point, axis, curve.startedAt);
  if (x === null) curve.unplaced += 1;
  if (x === null || (from !== null && x < from) || (to !== null && x > to)) return;
  // Another step or attempt may report an earlier iteration.
  let index = curve.x.length;
  while (index > 0 && (curve.x[index - 1] ?? x) > x) index -= 1;
  curve.x.splice(index, 0, x);
  curve.y.splice(index, 0, point.value);
  curve.points += 1;
  curve.min = Math.min(curve.min ?? point.value, point.value);
  curve.max = Math.max(curve.max ?? point.value, point.value);
  curve.last = curve.y.at(-1) ?? null;
}

function placeOf({ iteration, at }: Pick<CurvePoint, 'iteration' | 'at'>, axis: CurveAxis, startedAt: string | null): number | null {
  if (axis === 'ITERATION') return iteration;
  const seconds = Date.parse(at) / 1_000;
  if (axis === 'TIME') return seconds;
  return startedAt === null ? null : seconds - Date.parse(startedAt) / 1_000;
}

/**
 * The exponential moving average, without the pull towards zero at its beginning.
 * @param weight of what came before: 0 to less than 1
 */
export function smooth(values: readonly number[], weight: number): number[] {
  let sum = 0;
  let weights = 0;
  return values.map((value) => {
    sum = sum * weight + value * (1 - weight);
    weights = weights * weight + (1 - weight);
    return sum / weights;
  });
}

type Column = (number | null)[];

/** The curves over one common x, for a chart of several: null where a curve has no point. */
export function align(curves: readonly Pick<Curve, 'x' | 'y'>[]): [x: number[], ...y: Column[]] {
  const [only] = curves;
  if (curves.length === 1 && only) return [only.x, only.y];
  const places = curves.map(() => 0);
  const x: number[] = [];
  const columns: Column[] = curves.map(() => []);
  for (;;) {
    let next = Number.POSITIVE_INFINITY;
    curves.forEach((curve, index) => {
      next = Math.min(next, curve.x[places[index] ?? 0] ?? next);
    });
    if (next === Number.POSITIVE_INFINITY) return [x, ...columns];
    // A curve with several points at one x gives one a row, so that none is lost.
    x.push(next);
    curves.forEach((curve, index) => {
      const place = places[index] ?? 0;
      const isHere = curve.x[place] === next;
      columns[index]?.push(isHere ? (curve.y[place] ?? null) : null);
      if (isHere) places[index] = place + 1;
    });
  }
}

/** What a logarithmic scale can show. */
export const positive = (values: Column): Column => values.map((value) => (value !== null && value > 0 ? value : null));
