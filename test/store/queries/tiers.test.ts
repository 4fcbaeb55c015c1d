/** Curves read from their tiers are the curves of the stored points, whatever was done to them. */

import { asc, eq } from 'drizzle-orm';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { keptPoints } from '../../../src/domain/sweep/thinning.ts';
import { lockStream, removeLeft, removeOldest, thinStream } from '../../../src/store/changes/retention.ts';
import { appendPoints } from '../../../src/store/changes/streams.ts';
import { extendTiers } from '../../../src/store/changes/tiers.ts';
import { byIteration, byTime, contains, type Window } from '../../../src/store/queries/buckets.ts';
import { readCurves } from '../../../src/store/queries/metric-curves.ts';
import { metricPointsAfter } from '../../../src/store/queries/streams.ts';
import { readTiers } from '../../../src/store/queries/tier-reads.ts';
import { curvePointOf, isUntiered } from '../../../src/store/queries/tiers.ts';
import type { MetricPointRow, StreamRow } from '../../../src/store/schema/tables.ts';
import type { Queries, Store, Tx } from '../../../src/store/store.ts';
import { describeOnEachStore } from '../../support/databases.ts';

const names = ['loss', 'acc', 'rare'] as const;
const NO_WINDOW: Window = { axis: byIteration, from: null, to: null };

/** What happens to the metrics of a job. */
type Action =
  | { readonly do: 'report'; readonly count: number; readonly source: number; readonly seed: number }
  | { readonly do: 'thin'; readonly share: number }
  | { readonly do: 'remove'; readonly count: number };

const actions: fc.Arbitrary<Action[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('report' as const),
        count: fc.integer({ min: 1, max: 400 }),
        source: fc.nat(3),
        seed: fc.nat(),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('thin' as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const), count: fc.integer({ min: 1, max: 200 }) }) },
  ),
  { minLength: 1, maxLength: 14 },
);
const views = fc.array(
  fc.record({
    name: fc.constantFrom(...names),
    isTime: fc.boolean(),
    from: fc.option(fc.double({ min: -0.1, max: 1, noNaN: true })),
    width: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
    most: fc.constantFrom(1, 3, 4, 7, 40, 300, 10_000),
  }),
  { minLength: 6, maxLength: 6 },
);

describeOnEachStore('the tiers of curves', (open) => {
  let store: Store;
  let jobs = 0;
  /** The next iteration of each metric of each source. */
  let iterations = new Map<string, number>();
  afterEach(() => {
    iterations = new Map();
  });

  const newJob = () => `job_${++jobs}`;
  const stream = async (tx: Tx, jobId: string): Promise<StreamRow> => {
    const [row] = await tx.run(lockStream, { jobId, kind: 'metric' });
    if (!row) throw new Error('The job has no metrics.');
    return row;
  };
  const storedOf = async (jobId: string) => {
    const { db, t } = store.read;
    return db.select().from(t.metricPoints).where(eq(t.metricPoints.jobId, jobId)).orderBy(asc(t.metricPoints.seq));
  };

  /** A source is an attempt at a step. Its iterations grow, with gaps; some points have none. */
  async function report(jobId: string, { count, source, seed }: { count: number; source: number; seed: number }): Promise<void> {
    const random = (i: number) => ((Math.imul(seed + i, 2_654_435_761) >>> 0) % 1_000) / 1_000;
    await store.write((tx) =>
      appendPoints(tx, jobId, count, (first) =>
        Array.from({ length: count }, (_, i): MetricPointRow => {
          const name = names[random(i) < 0.02 ? 2 : i % 2] ?? 'loss';
          const key = `${jobId} ${name} ${source}`;
          const iteration = (iterations.get(key) ?? 0) + 1 + Math.floor(random(i + 7) * 3);
          iterations.set(key, iteration);
          return {
            jobId,
            name,
            seq: first + i,
            stepNumber: source % 2,
            attempt: source,
            value: Math.round(random(i + 3) * 40) - 20 + (random(i + 5) < 0.01 ? 1_000 : 0),
            iteration: random(i + 11) < 0.03 ? null : iteration,
            at: new Date(1_700_000_000_000 + (first + i) * 1_000 + Math.floor(random(i + 13) * 5_000)),
          };
        }),
      ),
    );
  }

  async function act(jobId: string, action: Action): Promise<void> {
    if (action.do === 'report') return report(jobId, action);
    await store.write(async (tx) => {
      const row = await stream(tx, jobId);
      if (action.do === 'remove') {
        await removeOldest(tx, row, action.count);
        return;
      }
      const points = await tx.run(metricPointsAfter, { jobId, after: row.thinned, limit: Math.ceil(300 * action.share) });
      const kept = keptPoints(points, 10);
      const upTo = points.at(-1)?.seq;
      const gone = points.filter((point) => !kept.has(point) && point.seq !== row.last);
      if (upTo !== undefined) await thinStream(tx, { ...row, kind: 'metric' }, gone, upTo);
    });
  }

  async function expectCurve(jobId: string, name: string, window: Window, most: number): Promise<void> {
    const [curve] = await readCurves(store.read, { jobId, names: [name], window, most });
    const rows = (await storedOf(jobId)).filter((row) => row.name === name && contains(window, curvePointOf(row)));
    rows.sort((a, b) => window.axis.compare(curvePointOf(a), curvePointOf(b)));
    const values = rows.map(({ value }) => value);
    const [min, max] = [Math.min(...values), Math.max(...values)];
    expect(curve).toMatchObject({ count: rows.length, min: rows.length > 0 ? min : null, max: rows.length > 0 ? max : null });
    const points = curve?.points ?? [];
    const bySeq = new Map(rows.map((row) => [row.seq, row]));
    expect(points).toEqual(points.map(({ seq }) => bySeq.get(seq)));
    expect(points.at(-1)).toEqual(rows.at(-1));
    if (rows.length <= most) expect(points).toEqual(rows);
    else {
      expect(points.length).toBeLessThanOrEqual(most);
      expect([...points].sort((a, b) => window.axis.compare(curvePointOf(a), curvePointOf(b)))).toEqual(points);
      if (most < 4) return;
      expect(points[0]).toEqual(rows[0]);
      expect(points.map(({ value }) => value)).toEqual(expect.arrayContaining([min, max]));
    }
  }

  test('show every window of random curves as their points do, after thinning and removal too', { timeout: 120_000 }, async () => {
    store = await open();
    await fc.assert(
      fc.asyncProperty(actions, views, async (actions, views) => {
        const jobId = newJob();
        await report(jobId, { count: 1_500, source: 0, seed: 1 });
        for (const action of actions) await act(jobId, action);
        const rows = await storedOf(jobId);
        for (const { name, isTime, from, width, most } of views) {
          const axis = isTime ? byTime : byIteration;
          const xs = rows.map((row) => axis.x(curvePointOf(row))).filter(Number.isFinite);
          const [low, high] = [Math.min(0, ...xs), Math.max(1, ...xs)];
          const place = (share: number | null) => (share === null ? null : low + share * (high - low));
          const to = from === null || width === null ? width : from + width;
          await expectCurve(jobId, name, { axis, from: place(from), to: place(to) }, most);
        }
      }),
      { numRuns: 15 },
    );
  });

  /** Points of one metric, with the iterations that `iterationOf` says. */
  async function reportInOrder(jobId: string, count: number, iterationOf: (i: number) => number): Promise<void> {
    for (let from = 0; from < count; from += 1_000) {
      const pointsFrom = (first: number) =>
        Array.from({ length: 1_000 }, (_, i): MetricPointRow => {
          const iteration = iterationOf(from + i);
          return { jobId, name: 'loss', seq: first + i, stepNumber: 0, attempt: 1, value: from + i, iteration, at: new Date(from + i) };
        });
      await store.write((tx) => appendPoints(tx, jobId, 1_000, pointsFrom));
    }
  }

  test('have a window of a long curve in some hundred rows', async () => {
    store = await open();
    const jobId = newJob();
    await reportInOrder(jobId, 20_000, (i) => i);
    let rows = 0;
    const { db, t, dialect } = store.read;
    const counting: Queries = {
      db,
      t,
      dialect,
      runUnnamed: (build) => store.read.runUnnamed(build),
      async run(query, values) {
        const found = await store.read.run(query, values);
        rows += Array.isArray(found) ? found.length : 0;
        return found;
      },
    };
    const bounds = await store.write((tx) => stream(tx, jobId));
    for (const [from, to] of [
      [null, null],
      [1_000, 15_000],
      [10_000, 10_100],
      [19_990, null],
    ] as const) {
      for (const axis of [byIteration, byTime]) {
        rows = 0;
        expect(await readTiers(counting, { jobId, name: 'loss', window: { axis, from, to }, bounds }, 400)).not.toBeNull();
        expect(rows).toBeLessThan(700);
      }
    }
  });

  test('of points in no order at all are not searched, and the curve is right', async () => {
    store = await open();
    const jobId = newJob();
    // A permutation: 7,919 is prime.
    await reportInOrder(jobId, 20_000, (i) => (i * 7_919) % 20_000);
    const window = { axis: byIteration, from: 5_000, to: 15_000 };
    const bounds = await store.write((tx) => stream(tx, jobId));
    expect(await readTiers(store.read, { jobId, name: 'loss', window, bounds }, 40)).toBeNull();
    await expectCurve(jobId, 'loss', window, 40);
    await expectCurve(jobId, 'loss', NO_WINDOW, 40);
  });

  test('are made in the background for points that were stored before, from wherever it was stopped', async () => {
    store = await open();
    const jobId = newJob();
    for (let i = 0; i < 3; i++) await report(jobId, { count: 900, source: i, seed: i });
    const { metricTiers, streams } = store.tables;
    // As an earlier version leaves it.
    await store.write(async ({ db }) => {
      await db.delete(metricTiers).where(eq(metricTiers.jobId, jobId));
      await db.update(streams).set({ tiered: 0 }).where(eq(streams.jobId, jobId));
    });
    for (let steps = 0; ; steps++) {
      for (const most of [4, 300, 10_000]) await expectCurve(jobId, 'loss', { axis: byIteration, from: 100, to: 500 }, most);
      await report(jobId, { count: 3, source: 0, seed: steps });
      const isDone = await store.write(async (tx) => {
        const row = await stream(tx, jobId);
        if (!isUntiered(row)) return true;
        await extendTiers(tx, row);
        return false;
      });
      if (isDone) {
        expect(steps).toBeGreaterThan(3);
        break;
      }
    }
    await expectCurve(jobId, 'loss', NO_WINDOW, 100);
  });

  test('end with their job', async () => {
    store = await open();
    const jobId = newJob();
    await report(jobId, { count: 1_000, source: 0, seed: 5 });
    const tiers = async () => store.read.db.select().from(store.tables.metricTiers).where(eq(store.tables.metricTiers.jobId, jobId));
    expect((await tiers()).length).toBeGreaterThan(20);
    for (let left = 500; left === 500; ) left = await store.write(async (tx) => removeLeft(tx, await stream(tx, jobId), 500));
    expect(await tiers()).toEqual([]);
  });
});
