/** Metrics and telemetry: the newest, and whole curves thinned to what can be drawn. */

import { setImmediate as turn } from 'node:timers/promises';
import { and, asc, count, eq, gte, inArray, isNotNull, isNull, lt, sql } from 'drizzle-orm';
import { isWord } from '../columns.ts';
import { type Placeholder, type Queries, statement } from '../store.ts';
import type { LatestMetricRow, MetricPointRow, TelemetrySampleRow } from '../tables.ts';
import { batch } from './batch.ts';
import { type Drawing, extremes, thin } from './thinning.ts';

/** Rows read at once: some milliseconds of SQLite, after which others have their turn. */
const PAGE = 2_000;
/** Rows held at once. A longer curve is cut into stretches of which only the extremes are held. */
const MOST_HELD = 20_000;

/** The newest value of each metric of each step of these jobs. */
export const latestMetricsOfJobs = batch<LatestMetricRow>('latest metrics of jobs', (db, t, jobIds) =>
  db
    .select()
    .from(t.latestMetrics)
    .where(inArray(t.latestMetrics.jobId, jobIds))
    .orderBy(asc(t.latestMetrics.jobId), asc(t.latestMetrics.seq)),
);

/** The sample that each of these jobs reported last. */
export const latestTelemetryOfJobs = batch<{ sample: TelemetrySampleRow }>('latest telemetry of jobs', (db, t, jobIds) =>
  db
    .select({ sample: t.telemetrySamples })
    .from(t.streams)
    .innerJoin(t.telemetrySamples, and(eq(t.telemetrySamples.jobId, t.streams.jobId), eq(t.telemetrySamples.seq, t.streams.last)))
    .where(and(inArray(t.streams.jobId, jobIds), isWord(t.streams.kind, 'telemetry'))),
);

export interface Curve<R> {
  /** Before thinning. */
  readonly total: number;
  readonly rows: readonly R[];
}

const countPoints = statement('count metric points', (db, t, $: Placeholder<{ jobId: string; name: string }>) =>
  db
    .select({ count: count() })
    .from(t.metricPoints)
    .where(and(eq(t.metricPoints.jobId, $('jobId')), eq(t.metricPoints.name, $('name')))),
);

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

/** The points of one metric, at most `most`: in order of iteration, then those without one in the order in which they were reported. */
export async function readMetric(
  queries: Queries,
  { jobId, name, most }: { jobId: string; name: string; most: number },
): Promise<Curve<MetricPointRow>> {
  const total = (await queries.run(countPoints, { jobId, name }))[0]?.count ?? 0;
  const drawing: Drawing<MetricPointRow> = {
    x: ({ iteration, at }) => iteration ?? at.getTime(),
    curves: [({ value }) => value],
  };
  const rows = await gather(total, most, drawing, async (last) => {
    const from = { jobId, name, limit: PAGE };
    if (last === null || last.iteration !== null) {
      const { iteration, stepNumber, attempt } = last ?? { iteration: Number.MIN_SAFE_INTEGER, stepNumber: -1, attempt: -1 };
      const page = await queries.run(pointsByIteration, { ...from, iteration: iteration ?? 0, stepNumber, attempt });
      if (page.length > 0) return page;
    }
    return queries.run(pointsWithoutIteration, { ...from, seq: last === null || last.iteration !== null ? 0 : last.seq });
  });
  return { total, rows };
}

type OfTelemetry = { jobId: string; from: Date; to: Date };

const countSamples = statement('count telemetry samples', (db, t, $: Placeholder<OfTelemetry>) => {
  const { telemetrySamples: samples } = t;
  return db
    .select({ count: count() })
    .from(samples)
    .where(and(eq(samples.jobId, $('jobId')), gte(samples.at, $('from', samples.at)), lt(samples.at, $('to', samples.at))));
});

const samplesByTime = statement(
  'telemetry samples by time',
  (db, t, $: Placeholder<OfTelemetry & { stepNumber: number; attempt: number; limit: number }>) => {
    const { telemetrySamples: samples } = t;
    return db
      .select()
      .from(samples)
      .where(
        and(
          eq(samples.jobId, $('jobId')),
          sql`(${samples.at}, ${samples.stepNumber}, ${samples.attempt}) > (${$('from', samples.at)}, ${$('stepNumber')}, ${$('attempt')})`,
          lt(samples.at, $('to', samples.at)),
        ),
      )
      .orderBy(asc(samples.at), asc(samples.stepNumber), asc(samples.attempt))
      .limit($('limit'));
  },
);

/** The samples from one moment up to, but not with, another, at most `most`, in order of time. */
export async function readTelemetry(
  queries: Queries,
  { jobId, from, to, most }: OfTelemetry & { most: number },
): Promise<Curve<TelemetrySampleRow>> {
  const total = (await queries.run(countSamples, { jobId, from, to }))[0]?.count ?? 0;
  const drawing: Drawing<TelemetrySampleRow> = {
    x: ({ at }) => at.getTime(),
    curves: [({ cpu }) => cpu, ({ memoryMb }) => memoryMb, ({ gpuDutyCycle }) => gpuDutyCycle, ({ gpuMemory }) => gpuMemory],
  };
  const rows = await gather(total, most, drawing, (last) =>
    queries.run(samplesByTime, {
      jobId,
      to,
      from: last?.at ?? from,
      stepNumber: last?.stepNumber ?? -1,
      attempt: last?.attempt ?? -1,
      limit: PAGE,
    }),
  );
  return { total, rows };
}

/** Reads page after page, holding no more than `MOST_HELD` rows, and thins what it holds. `readPage` gets the row that the last page ended with. */
async function gather<R extends object>(
  total: number,
  most: number,
  drawing: Drawing<R>,
  readPage: (last: R | null) => Promise<R[]>,
): Promise<R[]> {
  // A stretch leaves at most two rows for each curve, and its ends.
  const left = 2 * drawing.curves.length + 2;
  const stretch = total > MOST_HELD ? Math.ceil((total * left) / MOST_HELD) : 0;
  const held: R[] = [];
  let open: R[] = [];
  let last: R | null = null;
  // Each page is not empty but for the last one: two kinds of points may stand one after the other, so a short page need not be the last.
  for (let page = await readPage(last); page.length > 0; page = await readPage(last)) {
    last = page.at(-1) ?? last;
    if (stretch === 0) held.push(...page);
    else {
      for (const row of page) {
        open.push(row);
        if (open.length < stretch) continue;
        held.push(...extremes(open, drawing));
        open = [];
      }
    }
    await turn();
  }
  if (open.length > 0) held.push(...extremes(open, drawing));
  return thin(held, most, drawing);
}
