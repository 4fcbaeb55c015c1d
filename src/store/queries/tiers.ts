/**
 * The stored buckets of curves, in tiers.
 *
 * The points of a metric are numbered by the order of their reports. A bucket of tier 0 has 16 of
 * them, and keeps all. A bucket of a further tier has 4 buckets of the tier below, and keeps the
 * points that a drawing must not lose (buckets.ts). The last bucket of tier 0 has room for more:
 * it is open, and there is one for each metric. In the other tiers only full buckets are stored.
 *
 * Retention may remove points of a bucket, but never moves points from one to another. While
 * thinning has reached the middle of a bucket, the row may still hold points that are gone: it is
 * stale.
 */
import { and, asc, desc, eq, gte, inArray, lte } from 'drizzle-orm';
import type { MetricPointRow, MetricTierRow, StreamRow } from '../schema/tables.ts';
import { type Placeholder, type Queries, statement } from '../store.ts';
import type { Bucket, CurvePoint } from './buckets.ts';

/** Points of a bucket of tier 0. */
export const LEAF_POINTS = 16;
/** Buckets of one tier that make one of the next. */
export const MERGED = 4;
/**
 * Points that are added to the tiers at once. So a stream whose tiers are kept has fewer than these
 * outside of them, and the points of a curve among them are found by reading all of them.
 */
export const TIERED_AT_ONCE = 512;

/** Whether a stream of metrics has more points outside of the tiers than it should. */
export const isUntiered = ({ kind, last, tiered }: Pick<StreamRow, 'kind' | 'last' | 'tiered'>): boolean =>
  kind === 'metric' && last - tiered >= TIERED_AT_ONCE;

export interface StoredBucket extends Bucket {
  readonly name: string;
  readonly tier: number;
  readonly number: number;
  readonly first: number;
  readonly last: number | null;
}

/** Whether thinning has reached a place within the bucket. */
export const isStale = ({ first, last }: Pick<StoredBucket, 'first' | 'last'>, thinned: number): boolean =>
  first <= thinned && (last === null || last > thinned);

export const curvePointOf = ({ seq, value, iteration, at, stepNumber, attempt }: MetricPointRow): CurvePoint => ({
  seq,
  value,
  iteration,
  at: at.getTime(),
  stepNumber,
  attempt,
});

const NOWHERE: CurvePoint = { seq: 0, value: 0, iteration: 0, at: 0, stepNumber: 0, attempt: 0 };

export function pack(points: readonly CurvePoint[]): MetricTierRow['points'] {
  let [last, lastIteration] = [NOWHERE, 0];
  return points.map((point) => {
    const { seq, value, iteration, at, stepNumber, attempt } = point;
    const packed = [
      seq - last.seq,
      value,
      iteration === null ? null : iteration - lastIteration,
      at - last.at,
      stepNumber - last.stepNumber,
      attempt - last.attempt,
    ] as const;
    [last, lastIteration] = [point, iteration ?? lastIteration];
    return packed;
  });
}

function unpack(points: MetricTierRow['points']): CurvePoint[] {
  let [last, lastIteration] = [NOWHERE, 0];
  return points.map(([seq, value, iteration, at, stepNumber, attempt]) => {
    lastIteration += iteration ?? 0;
    last = {
      seq: last.seq + seq,
      value,
      iteration: iteration === null ? null : lastIteration,
      at: last.at + at,
      stepNumber: last.stepNumber + stepNumber,
      attempt: last.attempt + attempt,
    };
    return last;
  });
}

export const storedBucket = ({ jobId: _, points, ...row }: MetricTierRow): StoredBucket => ({ ...row, points: unpack(points) });

/** The open bucket of a curve. No row: the tiers have none of its points. */
export const openBucketOf = statement('open bucket', (db, t, $: Placeholder<{ jobId: string; name: string }>) => {
  const { metricTiers: tiers } = t;
  return db
    .select()
    .from(tiers)
    .where(and(eq(tiers.jobId, $('jobId')), eq(tiers.name, $('name')), eq(tiers.tier, 0)))
    .orderBy(desc(tiers.number))
    .limit(1);
});

/** Buckets of one tier of a curve by their numbers, both ends included. */
export const bucketsBetween = statement(
  'buckets between',
  (db, t, $: Placeholder<{ jobId: string; name: string; tier: number; from: number; to: number }>) => {
    const { metricTiers: tiers } = t;
    return db
      .select()
      .from(tiers)
      .where(
        and(
          eq(tiers.jobId, $('jobId')),
          eq(tiers.name, $('name')),
          eq(tiers.tier, $('tier')),
          gte(tiers.number, $('from')),
          lte(tiers.number, $('to')),
        ),
      )
      .orderBy(asc(tiers.number));
  },
);

const CHECKED_AT_ONCE = 256;

/** Those of these numbers of a job's metrics whose points are still stored. */
export async function storedAmong({ db, t }: Queries, jobId: string, seqs: readonly number[]): Promise<Set<number>> {
  const { metricPoints: points } = t;
  const stored = new Set<number>();
  for (let from = 0; from < seqs.length; from += CHECKED_AT_ONCE) {
    const found = await db
      .select({ seq: points.seq })
      .from(points)
      .where(and(eq(points.jobId, jobId), inArray(points.seq, seqs.slice(from, from + CHECKED_AT_ONCE))));
    for (const { seq } of found) stored.add(seq);
  }
  return stored;
}
