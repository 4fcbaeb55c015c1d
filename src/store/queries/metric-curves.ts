/**
 * The curves of metrics: a window of each, drawn with a limited number of points. They are read
 * from their tiers. Where there are none yet, and where the points are in no order at all, every
 * point is read.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { and, asc, eq, isNotNull, isNull, sql } from 'drizzle-orm';
import type { MetricPointRow } from '../schema/tables.ts';
import { type Placeholder, type Queries, statement } from '../store.ts';
import { type Bucket, bucketOf, bucketOfOne, byIteration, type CurvePoint, contains, draw, mergeBuckets, type Window } from './buckets.ts';
import { metricPointsAfter, streamBounds } from './streams.ts';
import { type Bounds, readTiers } from './tier-reads.ts';
import { curvePointOf, isUntiered } from './tiers.ts';

/** Rows read at a time: a few milliseconds of SQLite, after which other work gets its turn. */
const PAGE = 2_000;
/** Buckets held at a time. Of a longer curve, neighbouring ones are merged. */
const MOST_HELD = 20_000;
const MERGED_AT_ONCE = 4;

export interface CurvesAsked {
  readonly jobId: string;
  readonly names: readonly string[];
  readonly window: Window;
  readonly most: number;
}

/** A window of a metric's curve. */
export interface MetricCurve {
  readonly jobId: string;
  readonly name: string;
  /** At most as many as requested, in the order of the axis. */
  readonly points: readonly MetricPointRow[];
  /** The number of stored points in the window. */
  readonly count: number;
  /** Of all stored points in the window. */
  readonly min: number | null;
  readonly max: number | null;
  /** Every point up to this number of the job's stream was read, and none after it. */
  readonly upTo: number;
}

/** The curves of these metrics of a job, in the order of their names as given. */
export async function readCurves(queries: Queries, of: CurvesAsked): Promise<MetricCurve[]> {
  for (let attempt = 1; ; attempt++) {
    const before = await boundsOf(queries, of.jobId);
    const curves = await readWithin(queries, of, before);
    const after = await boundsOf(queries, of.jobId);
    // What retention removes meanwhile is not to be half there.
    if (before.removed === after.removed || attempt === ATTEMPTS) return curves;
  }
}
const ATTEMPTS = 3;

const NOTHING: Bounds = { first: 1, last: 0, removed: 0, thinned: 0, tiered: 0 };

async function boundsOf(queries: Queries, jobId: string): Promise<Bounds> {
  const [bounds] = await queries.run(streamBounds, { jobId, kind: 'metric' });
  return bounds ?? NOTHING;
}

async function readWithin(queries: Queries, { jobId, names, window, most }: CurvesAsked, bounds: Bounds): Promise<MetricCurve[]> {
  const { last: upTo } = bounds;
  const isTiered = !isUntiered({ kind: 'metric', ...bounds });
  const newest = isTiered ? await pointsOutside(queries, jobId, bounds) : [];
  const curves: MetricCurve[] = [];
  for (const name of names) {
    const stored = isTiered ? await readTiers(queries, { jobId, name, window, bounds }, most) : null;
    const buckets = stored
      ? [
          ...stored,
          ...newest
            .filter((row) => row.name === name)
            .map(curvePointOf)
            .filter((point) => contains(window, point))
            .map(bucketOfOne),
        ]
      : await scan(queries, { jobId, name, window, upTo });
    const { points, ...drawn } = draw(buckets, window.axis, most);
    curves.push({ jobId, name, ...drawn, upTo, points: points.map((point) => ({ ...point, jobId, name, at: new Date(point.at) })) });
    await turn();
  }
  return curves;
}

/** The points of a job that are not in the tiers yet: some hundred at most. */
async function pointsOutside(queries: Queries, jobId: string, { tiered, last }: Bounds): Promise<readonly MetricPointRow[]> {
  if (tiered >= last) return [];
  const rows = await queries.run(metricPointsAfter, { jobId, after: tiered, limit: last - tiered });
  return rows.filter(({ seq }) => seq <= last);
}

type OfMetric = { jobId: string; name: string; limit: number };

const pointsByIteration = statement(
  'metric points by iteration',
  (db, t, $: Placeholder<OfMetric & { iteration: number; stepNumber: number; attempt: number }>) => {
    const { metricPoints: points } = t;
    return db
      .select()
      .from(points)
      .where(
        and(
          eq(points.jobId, $('jobId')),
          eq(points.name, $('name')),
          isNotNull(points.iteration),
          sql`(${points.iteration}, ${points.stepNumber}, ${points.attempt}) > (${$('iteration')}, ${$('stepNumber')}, ${$('attempt')})`,
        ),
      )
      .orderBy(asc(points.iteration), asc(points.stepNumber), asc(points.attempt))
      .limit($('limit'));
  },
);

const pointsWithoutIteration = statement('metric points without iteration', (db, t, $: Placeholder<OfMetric & { seq: number }>) => {
  const { metricPoints: points } = t;
  return db
    .select()
    .from(points)
    .where(and(eq(points.jobId, $('jobId')), eq(points.name, $('name')), isNull(points.iteration), sql`${points.seq} > ${$('seq')}`))
    .orderBy(asc(points.seq))
    .limit($('limit'));
});

interface Scanned {
  readonly jobId: string;
  readonly name: string;
  readonly window: Window;
  readonly upTo: number;
}

/** Reads every point of the window, and returns some thousand buckets of them. */
async function scan(queries: Queries, of: Scanned): Promise<Bucket[]> {
  let buckets: Bucket[] = [];
  let perBucket = 1;
  let open: CurvePoint[] = [];
  for await (const page of pages(queries, of)) {
    for (const row of page) {
      const point = curvePointOf(row);
      if (point.seq > of.upTo || !contains(of.window, point)) continue;
      open.push(point);
      if (open.length < perBucket) continue;
      buckets.push(bucketOf(open));
      open = [];
    }
    if (buckets.length > MOST_HELD) {
      buckets = Array.from({ length: Math.ceil(buckets.length / MERGED_AT_ONCE) }, (_, i) =>
        mergeBuckets(buckets.slice(i * MERGED_AT_ONCE, (i + 1) * MERGED_AT_ONCE)),
      );
      perBucket *= MERGED_AT_ONCE;
    }
    await turn();
  }
  return open.length > 0 ? [...buckets, bucketOf(open)] : buckets;
}

/** The points of a metric by iteration, then those without one. */
async function* pages(queries: Queries, { jobId, name, window }: Scanned): AsyncGenerator<readonly MetricPointRow[]> {
  const from = { jobId, name, limit: PAGE };
  const isByIteration = window.axis === byIteration;
  let last = { iteration: (isByIteration ? wholeUp(window.from) : null) ?? Number.MIN_SAFE_INTEGER, stepNumber: -1, attempt: -1 };
  for (;;) {
    const page = await queries.run(pointsByIteration, { ...from, ...last });
    yield page;
    const end = page.at(-1);
    if (!end || end.iteration === null || page.length < PAGE) break;
    if (isByIteration && window.to !== null && end.iteration > window.to) return;
    last = { ...end, iteration: end.iteration };
  }
  if (isByIteration && window.to !== null) return;
  for (let seq = 0; ; ) {
    const page = await queries.run(pointsWithoutIteration, { ...from, seq });
    yield page;
    const end = page.at(-1);
    if (!end || page.length < PAGE) return;
    seq = end.seq;
  }
}

/** The first whole number from here on, as a column can have it. */
const wholeUp = (from: number | null): number | null =>
  from === null ? null : Math.max(Number.MIN_SAFE_INTEGER, Math.min(Math.ceil(from), Number.MAX_SAFE_INTEGER));
