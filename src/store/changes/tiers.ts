/**
 * Keeps the tiers of curves (queries/tiers.ts). Points are added some hundred at a time: by the
 * report that completes them, or in the background where points were stored before there were
 * tiers. Retention makes the buckets again whose points it has thinned.
 *
 * Each function runs in the transaction that holds the lock of the stream.
 */
import { and, asc, eq, gt, inArray, isNull, lte } from 'drizzle-orm';
import { type Bucket, mergeBuckets } from '../queries/buckets.ts';
import { metricPointsAfter } from '../queries/streams.ts';
import {
  bucketsBetween,
  curvePointOf,
  isStale,
  LEAF_POINTS,
  MERGED,
  pack,
  type StoredBucket,
  storedAmong,
  storedBucket,
  TIERED_AT_ONCE,
} from '../queries/tiers.ts';
import { isWord } from '../schema/columns.ts';
import type { MetricTierRow, StreamRow } from '../schema/tables.ts';
import { inSizes, insertOf, insertRows } from '../statements/inserts.ts';
import { type Placeholder, statement, type Tx } from '../store.ts';

const insertTiers = insertOf('metricTiers', inSizes);

const saveTiered = statement('save tiered', (db, t, $: Placeholder<{ jobId: string; tiered: number }>) =>
  db
    .update(t.streams)
    .set({ tiered: $('tiered', t.streams.tiered) })
    .where(and(eq(t.streams.jobId, $('jobId')), isWord(t.streams.kind, 'metric'))),
);

const saveBucket = statement(
  'save bucket',
  (db, t, $: Placeholder<Pick<MetricTierRow, 'jobId' | 'name' | 'tier' | 'number' | 'count' | 'points'>>) => {
    const { metricTiers: tiers } = t;
    return db
      .update(tiers)
      .set({ count: $('count', tiers.count), points: $('points', tiers.points) })
      .where(and(eq(tiers.jobId, $('jobId')), eq(tiers.name, $('name')), eq(tiers.tier, $('tier')), eq(tiers.number, $('number'))));
  },
);

export type TieredStream = Pick<StreamRow, 'jobId' | 'first' | 'last' | 'thinned' | 'tiered'>;

/** Adds the next points of a locked stream. Returns the number up to which it is tiered then. */
export async function extendTiers(tx: Tx, stream: TieredStream): Promise<number> {
  const { jobId } = stream;
  const rows = await tx.run(metricPointsAfter, { jobId, after: stream.tiered, limit: TIERED_AT_ONCE });
  const byName = Map.groupBy(rows, ({ name }) => name);
  const made: StoredBucket[] = [];
  const open = await takeOpenBuckets(tx, stream, [...byName.keys()]);
  for (const [name, added] of byName) {
    const { number, points } = open.get(name) ?? { number: 0, points: [] };
    made.push(...leavesOf(name, number, [...points, ...added.map(curvePointOf)]));
  }
  await addParents(tx, jobId, made);
  await insertRows(
    tx,
    insertTiers,
    made.map((bucket) => ({ ...bucket, jobId, points: pack(bucket.points) })),
  );
  const tiered = rows.length < TIERED_AT_ONCE ? stream.last : (rows.at(-1)?.seq ?? stream.last);
  await tx.run(saveTiered, { jobId, tiered });
  return tiered;
}

/** The open buckets of these curves, with the points that are still stored. Deletes their rows. */
async function takeOpenBuckets(
  tx: Tx,
  { jobId, first, thinned }: TieredStream,
  names: readonly string[],
): Promise<Map<string, StoredBucket>> {
  const { metricTiers: tiers } = tx.t;
  if (names.length === 0) return new Map();
  const open = and(eq(tiers.jobId, jobId), isNull(tiers.last), inArray(tiers.name, [...names]));
  const found = (await tx.db.select().from(tiers).where(open)).map(storedBucket);
  if (found.length > 0) await tx.db.delete(tiers).where(open);
  const isDoubtful = (bucket: StoredBucket) => bucket.first < first || isStale(bucket, thinned);
  const doubtful = found.filter(isDoubtful).flatMap(({ points }) => points.map(({ seq }) => seq));
  const stored = await storedAmong(tx, jobId, doubtful);
  return new Map(
    found.map((bucket) => [
      bucket.name,
      isDoubtful(bucket) ? { ...bucket, points: bucket.points.filter(({ seq }) => stored.has(seq)) } : bucket,
    ]),
  );
}

/** The full buckets of tier 0 that these points make, and the open one. */
function leavesOf(name: string, number: number, points: StoredBucket['points']): StoredBucket[] {
  const leaves: StoredBucket[] = [];
  for (let from = 0; ; from += LEAF_POINTS) {
    const some = points.slice(from, from + LEAF_POINTS);
    const isOpen = some.length < LEAF_POINTS;
    const last = isOpen ? null : (some.at(-1)?.seq ?? null);
    // An open bucket without points is for those that come after the last one.
    const first = some[0]?.seq ?? (points.at(-1)?.seq ?? 0) + 1;
    leaves.push({ name, tier: 0, number: number + leaves.length, first, last, count: some.length, points: some });
    if (isOpen) return leaves;
  }
}

/** Adds to `made` the buckets of further tiers that are full with these. */
async function addParents(tx: Tx, jobId: string, made: StoredBucket[]): Promise<void> {
  const known = new Map(made.map((bucket) => [keyOf(bucket), bucket]));
  // The list grows by the buckets that are added: they may be the last of one in the next tier.
  for (const { name, tier, number, last } of made) {
    if (last === null || number % MERGED !== MERGED - 1) continue;
    const from = number - MERGED + 1;
    const children = await childrenOf(tx, { jobId, name, tier, from }, known);
    const parent = { ...mergeBuckets(children), name, tier: tier + 1, number: from / MERGED, first: children[0]?.first ?? last, last };
    known.set(keyOf(parent), parent);
    made.push(parent);
  }
}

const keyOf = ({ name, tier, number }: Pick<StoredBucket, 'name' | 'tier' | 'number'>): string => `${tier} ${number} ${name}`;

/** The buckets that make one of the next tier, of which some may not be stored yet. */
async function childrenOf(
  tx: Tx,
  { jobId, name, tier, from }: { jobId: string; name: string; tier: number; from: number },
  known: ReadonlyMap<string, StoredBucket>,
): Promise<StoredBucket[]> {
  const numbers = Array.from({ length: MERGED }, (_, i) => from + i);
  const children = numbers.map((number) => known.get(keyOf({ name, tier, number })));
  const missing = numbers.filter((_, i) => !children[i]);
  const [low, high] = [missing[0], missing.at(-1)];
  const stored = low === undefined || high === undefined ? [] : await tx.run(bucketsBetween, { jobId, name, tier, from: low, to: high });
  const found = new Map(stored.map((row) => [row.number, storedBucket(row)]));
  return numbers.flatMap((number, i) => children[i] ?? found.get(number) ?? []);
}

/**
 * Makes the buckets again that end between these numbers of a locked stream, after points up to
 * `upTo` were thinned. Others that have lost points are stale, until thinning reaches their end.
 */
export async function remakeTiers(tx: Tx, { jobId, after, upTo }: { jobId: string; after: number; upTo: number }): Promise<void> {
  const { metricTiers: tiers } = tx.t;
  const rows = await tx.db
    .select()
    .from(tiers)
    .where(and(eq(tiers.jobId, jobId), gt(tiers.last, after), lte(tiers.last, upTo)))
    .orderBy(asc(tiers.tier));
  const before = rows.map(storedBucket);
  const leaves = before.filter(({ tier }) => tier === 0);
  const stored = await storedAmong(
    tx,
    jobId,
    leaves.flatMap(({ points }) => points.map(({ seq }) => seq)),
  );
  const known = new Map<string, StoredBucket>();
  for (const bucket of before) {
    const { name, tier, number } = bucket;
    const made: Bucket =
      tier === 0
        ? withAll(bucket.points.filter(({ seq }) => stored.has(seq)))
        : mergeBuckets(await childrenOf(tx, { jobId, name, tier: tier - 1, from: number * MERGED }, known));
    known.set(keyOf(bucket), { ...bucket, ...made });
    if (made.count !== bucket.count) await tx.run(saveBucket, { jobId, name, tier, number, count: made.count, points: pack(made.points) });
  }
}

const withAll = (points: StoredBucket['points']): Bucket => ({ count: points.length, points });

/** Deletes the buckets of a locked stream whose points up to this number are removed; null: all. */
export async function removeTiers(tx: Tx, jobId: string, upTo: number | null): Promise<void> {
  const { metricTiers: tiers } = tx.t;
  await tx.db.delete(tiers).where(and(eq(tiers.jobId, jobId), upTo === null ? undefined : lte(tiers.last, upTo)));
}
