/** The newest values of metrics and telemetry, and the curves of telemetry thinned for drawing. */

import { setImmediate as turn } from 'node:timers/promises';
import { and, asc, count, eq, gte, inArray, lt, sql } from 'drizzle-orm';
import { isWord } from '../schema/columns.ts';
import type { LatestMetricRow, TelemetrySampleRow } from '../schema/tables.ts';
import { batch } from '../statements/batch.ts';
import { type Placeholder, type Queries, statement } from '../store.ts';
import { type Drawing, extremes, thin } from './thinning.ts';

/** Rows read at a time: a few milliseconds of SQLite, after which other work gets its turn. */
const PAGE = 2_000;
/** Rows held at a time. A longer curve is cut into ranges, of which only the extremes are kept. */
const MOST_HELD = 20_000;

/**
 * If a job has more metrics than this (counting each name per step), they are read only by name. By
 * default, a gateway accepts fewer per job.
 */
export const MOST_LATEST = 10_000;

const metricCounts = batch<{ jobId: string; count: number }>('metric counts of jobs', (db, t, jobIds) =>
  db
    .select({ jobId: t.latestMetrics.jobId, count: count() })
    .from(t.latestMetrics)
    .where(inArray(t.latestMetrics.jobId, jobIds))
    .groupBy(t.latestMetrics.jobId),
);

const latestOfJobs = batch<LatestMetricRow>('latest metrics of jobs', (db, t, jobIds) =>
  db
    .select()
    .from(t.latestMetrics)
    .where(inArray(t.latestMetrics.jobId, jobIds))
    .orderBy(asc(t.latestMetrics.jobId), asc(t.latestMetrics.seq)),
);

const latestAfter = statement(
  'latest metrics after',
  (db, t, $: Placeholder<{ jobId: string; stepNumber: number; name: string; limit: number }>) => {
    const { latestMetrics: latest } = t;
    return db
      .select()
      .from(latest)
      .where(and(eq(latest.jobId, $('jobId')), sql`(${latest.stepNumber}, ${latest.name}) > (${$('stepNumber')}, ${$('name')})`))
      .orderBy(asc(latest.stepNumber), asc(latest.name))
      .limit($('limit'));
  },
);

/**
 * The newest value of each metric of each step of these jobs, in the order in which they were
 * reported. Null for a job that has too many.
 */
export async function latestMetricsOfJobs(
  queries: Queries,
  jobIds: readonly string[],
): Promise<ReadonlyMap<string, readonly LatestMetricRow[] | null>> {
  const found = new Map<string, LatestMetricRow[] | null>();
  let [few, rows]: [string[], number] = [[], 0];
  const readFew = async () => {
    for (const row of await latestOfJobs(queries, few)) {
      const ofJob = found.get(row.jobId);
      if (ofJob) ofJob.push(row);
      else found.set(row.jobId, [row]);
    }
    [few, rows] = [[], 0];
    await turn();
  };
  for (const { jobId, count } of await metricCounts(queries, jobIds)) {
    if (count > MOST_LATEST) found.set(jobId, null);
    else if (count > PAGE) found.set(jobId, await readMany(queries, jobId));
    else {
      if (rows + count > PAGE) await readFew();
      few.push(jobId);
      rows += count;
    }
  }
  if (few.length > 0) await readFew();
  return found;
}

async function readMany(queries: Queries, jobId: string): Promise<LatestMetricRow[]> {
  const all: LatestMetricRow[] = [];
  for (let [stepNumber, name] = [-1, '']; ; ) {
    const page = await queries.run(latestAfter, { jobId, stepNumber, name, limit: PAGE });
    all.push(...page);
    const last = page.at(-1);
    if (!last || page.length < PAGE) return all.sort((a, b) => a.seq - b.seq);
    ({ stepNumber, name } = last);
    await turn();
  }
}

const NAMES_AT_ONCE = 100;

/**
 * The newest value of the named metrics of each step of a job, in the order in which they were
 * reported. The number of other metrics does not matter.
 */
export async function latestMetricsByName({ db, t }: Queries, jobId: string, names: readonly string[]): Promise<LatestMetricRow[]> {
  const { latestMetrics: latest } = t;
  const distinct = [...new Set(names)].filter((name) => !name.includes('\0'));
  const rows: LatestMetricRow[] = [];
  for (let from = 0; from < distinct.length; from += NAMES_AT_ONCE) {
    const some = distinct.slice(from, from + NAMES_AT_ONCE);
    rows.push(
      ...(await db
        .select()
        .from(latest)
        .where(and(eq(latest.jobId, jobId), inArray(latest.name, some)))),
    );
    await turn();
  }
  return rows.sort((a, b) => a.seq - b.seq);
}

/** The last reported sample of each of these jobs. */
export const latestTelemetryOfJobs = batch<{ sample: TelemetrySampleRow }>('latest telemetry of jobs', (db, t, jobIds) =>
  db
    .select({ sample: t.telemetrySamples })
    .from(t.streams)
    .innerJoin(t.telemetrySamples, and(eq(t.telemetrySamples.jobId, t.streams.jobId), eq(t.telemetrySamples.seq, t.streams.last)))
    .where(and(inArray(t.streams.jobId, jobIds), isWord(t.streams.kind, 'telemetry'))),
);

export interface Curve<R> {
  /** The number before thinning. */
  readonly total: number;
  readonly rows: readonly R[];
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

/** At most `most` samples in a range of time (the end excluded), ordered by time. */
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

/**
 * Reads page after page, holds at most `MOST_HELD` rows, and thins them. `readPage` gets the last
 * row of the previous page.
 */
async function gather<R extends object>(
  total: number,
  most: number,
  drawing: Drawing<R>,
  readPage: (last: R | null) => Promise<R[]>,
): Promise<R[]> {
  // A range leaves its ends and at most two rows per curve.
  const left = 2 * drawing.curves.length + 2;
  const range = total > MOST_HELD ? Math.ceil((total * left) / MOST_HELD) : 0;
  const held: R[] = [];
  let open: R[] = [];
  let last: R | null = null;
  // Only the last page is empty. A short page need not be the last: points of two kinds may follow
  // each other.
  for (let page = await readPage(last); page.length > 0; page = await readPage(last)) {
    last = page.at(-1) ?? last;
    if (range === 0) held.push(...page);
    else {
      for (const row of page) {
        open.push(row);
        if (open.length < range) continue;
        held.push(...extremes(open, drawing));
        open = [];
      }
    }
    await turn();
  }
  if (open.length > 0) held.push(...extremes(open, drawing));
  return thin(held, most, drawing);
}
