/**
 * Reads a window of a curve from its tiers: some hundred buckets, however long the curve is.
 *
 * It begins with the few buckets of a high tier that hold the whole curve, and goes down where that
 * is needed: where a bucket is only partly in the window, and everywhere as long as there are too
 * few buckets for the drawing. What is read of a tier is bounded. Points that come in no order at
 * all have no bounded part in a window: then there is no answer.
 */
import type { StreamRow } from '../schema/tables.ts';
import type { Queries } from '../store.ts';
import { type Bucket, bucketOfOne, bucketsFor, type CurvePoint, contains, share, type Window } from './buckets.ts';
import { bucketsBetween, isStale, MERGED, openBucketOf, type StoredBucket, storedAmong, storedBucket } from './tiers.ts';

export type Bounds = Pick<StreamRow, 'first' | 'last' | 'removed' | 'thinned' | 'tiered'>;

export interface TiersAsked {
  readonly jobId: string;
  readonly name: string;
  readonly window: Window;
  readonly bounds: Bounds;
}

/** The search for a part of a curve begins with about as many buckets. */
const FIRST_BUCKETS = 16;
/** Buckets of one tier that are read besides those that the drawing needs. */
const SPARE_BUCKETS = 1_000;
/** Buckets of one tier that nobody asked for are read as well, rather than asking once more. */
const GAP = 16;
const MOST_RANGES = 64;

/** The buckets of a window up to `bounds.tiered`. Null: they cannot be found among the tiers. */
export async function readTiers(queries: Queries, of: TiersAsked, most: number): Promise<Bucket[] | null> {
  const { jobId, name, window, bounds } = of;
  const [row] = await queries.run(openBucketOf, { jobId, name });
  if (!row) return [];
  const open = storedBucket(row);
  const wanted = bucketsFor(most);
  const isWhole = window.from === null && window.to === null;
  const top = firstTier(open.number, isWhole ? wanted : FIRST_BUCKETS);
  const live = new Map<number, StoredBucket[]>([[0, [open]]]);
  const add = (tier: number, buckets: readonly StoredBucket[]) => live.set(tier, [...(live.get(tier) ?? []), ...buckets]);
  for (let tier = top; tier >= 0; tier--) {
    // Of a lower tier, those that are not in a bucket of the next one.
    const from = tier === top ? 0 : inTier(open.number, tier + 1) * MERGED;
    const to = inTier(open.number, tier) - 1;
    if (from <= to) add(tier, await readRange(queries, of, { tier, from, to }));
  }
  const whole: Bucket[] = [];
  for (let tier = top; tier > 0; tier--) {
    const found = (live.get(tier) ?? []).filter((bucket) => share(window, bucket) !== 'none');
    const isPart = (bucket: StoredBucket) => isCut(bucket, bounds) || share(window, bucket) === 'some';
    const others = [...live].flatMap(([at, buckets]) => (at < tier ? buckets : []));
    const all = [...whole, ...found, ...others];
    const isTooCoarse = all.length < wanted || all.reduce((sum, { count }) => sum + count, 0) <= most;
    const opened = isTooCoarse ? found : found.filter(isPart);
    if (!isTooCoarse) whole.push(...found.filter((bucket) => !isPart(bucket)));
    const children = await childrenOf(queries, of, { tier: tier - 1, parents: opened, most: Math.max(4 * wanted, most) + SPARE_BUCKETS });
    if (!children) return null;
    add(tier - 1, children);
  }
  return [...whole, ...(await pointsOf(queries, of, live.get(0) ?? [])).map(bucketOfOne)];
}

/** Full buckets of a tier, where tier 0 has so many. */
const inTier = (leaves: number, tier: number): number => Math.floor(leaves / MERGED ** tier);

/** The highest tier that has so many buckets. */
function firstTier(leaves: number, wanted: number): number {
  let tier = 0;
  while (inTier(leaves, tier + 1) >= wanted) tier++;
  return tier;
}

/** Whether the bucket holds points that are removed, or that are not to be read yet. */
const isCut = (bucket: StoredBucket, { first, thinned, tiered }: Bounds): boolean =>
  bucket.first < first || bucket.last === null || bucket.last > tiered || isStale(bucket, thinned);

/** The points of buckets of tier 0 that are stored and in the window. */
async function pointsOf(queries: Queries, { jobId, window, bounds }: TiersAsked, leaves: readonly StoredBucket[]): Promise<CurvePoint[]> {
  const { first, thinned, tiered } = bounds;
  const stale = new Set(leaves.filter((leaf) => isStale(leaf, thinned)));
  const doubtful = [...stale].flatMap(({ points }) => points.map(({ seq }) => seq));
  const stored = doubtful.length > 0 ? await storedAmong(queries, jobId, doubtful) : new Set<number>();
  return leaves.flatMap((leaf) =>
    leaf.points.filter(
      (point) => point.seq >= first && point.seq <= tiered && (!stale.has(leaf) || stored.has(point.seq)) && contains(window, point),
    ),
  );
}

interface Children {
  readonly tier: number;
  readonly parents: readonly StoredBucket[];
  readonly most: number;
}

/** The buckets that some of the next tier are made from. Null: they would be more than `most`. */
async function childrenOf(queries: Queries, of: TiersAsked, { tier, parents, most }: Children): Promise<StoredBucket[] | null> {
  if (parents.length * MERGED > most) return null;
  const numbers = parents.map(({ number }) => number).sort((a, b) => a - b);
  const ranges: { from: number; to: number }[] = [];
  for (const number of numbers) {
    const last = ranges.at(-1);
    const [from, to] = [number * MERGED, (number + 1) * MERGED - 1];
    if (last && from - last.to <= GAP) last.to = to;
    else ranges.push({ from, to });
  }
  if (ranges.length > MOST_RANGES) return null;
  const asked = new Set(numbers);
  const children: StoredBucket[] = [];
  for (const range of ranges) {
    const found = await readRange(queries, of, { tier, ...range });
    children.push(...found.filter(({ number }) => asked.has(Math.floor(number / MERGED))));
  }
  return children;
}

async function readRange(
  queries: Queries,
  { jobId, name }: TiersAsked,
  range: { tier: number; from: number; to: number },
): Promise<StoredBucket[]> {
  return (await queries.run(bucketsBetween, { jobId, name, ...range })).map(storedBucket);
}
