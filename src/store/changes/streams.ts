/**
 * Appends to the streams of a job. The row of a stream is the lock under which its entries are
 * numbered.
 */
import { and, count, eq, gte, lte, sql } from 'drizzle-orm';
import type { StreamKind } from '../../domain/core/vocabulary.ts';
import { isUntiered } from '../queries/tiers.ts';
import type { EventRow, MetricPointRow } from '../schema/tables.ts';
import { inSizes, insertOf, insertRows, insertTogether } from '../statements/inserts.ts';
import { type Placeholder, statement, type Tx } from '../store.ts';
import { extendTiers } from './tiers.ts';

const advance = statement('advance stream', (db, t, $: Placeholder<{ jobId: string; kind: StreamKind; by: number }>) =>
  db
    .insert(t.streams)
    .values({ jobId: $('jobId'), kind: $('kind'), last: $('by'), first: 1 })
    .onConflictDoUpdate({
      target: [t.streams.jobId, t.streams.kind],
      set: { last: sql`${t.streams.last} + excluded.last` },
    })
    .returning({ last: t.streams.last, first: t.streams.first, thinned: t.streams.thinned, tiered: t.streams.tiered }),
);

/**
 * Takes the next `count` numbers of a stream and returns the first. The stream stays locked until
 * the end of the transaction.
 */
export async function takeNumbers(tx: Tx, jobId: string, kind: 'event' | 'telemetry', count: number): Promise<number> {
  return firstOf(await tx.run(advance, { jobId, kind, by: count }), count);
}

/**
 * Appends points to the metrics of a job, in order, and to the tiers of their curves. `of` gets the
 * number of the first. Tiers that are not up to date are left to the background.
 */
export async function appendPoints(tx: Tx, jobId: string, count: number, of: (first: number) => readonly MetricPointRow[]): Promise<void> {
  const advanced = await tx.run(advance, { jobId, kind: 'metric', by: count });
  const first = firstOf(advanced, count);
  await insertRows(tx, insertMetricPoints, of(first));
  for (const row of advanced) {
    const stream = { ...row, jobId };
    if (isUntiered({ kind: 'metric', last: first - 1, tiered: stream.tiered })) return;
    while (isUntiered({ kind: 'metric', ...stream })) stream.tiered = await extendTiers(tx, stream);
  }
}

const advanceLog = statement('advance log', (db, t, $: Placeholder<{ jobId: string; by: number; bytes: number }>) =>
  db
    .insert(t.streams)
    .values({ jobId: $('jobId'), kind: 'log', last: $('by'), first: 1, bytes: $('bytes'), numbered: $('by') })
    .onConflictDoUpdate({
      target: [t.streams.jobId, t.streams.kind],
      set: {
        last: sql`${t.streams.last} + excluded.last`,
        bytes: sql`${t.streams.bytes} + excluded.bytes`,
        numbered: sql`${t.streams.numbered} + case when ${t.streams.numbered} = ${t.streams.last} then excluded.last else 0 end`,
      },
    })
    .returning({ last: t.streams.last, numbered: t.streams.numbered }),
);

/**
 * The same for a log. `isNumbered`: the lines of all earlier chunks are counted, and so are those
 * of the new ones.
 */
export async function takeLogNumbers(
  tx: Tx,
  jobId: string,
  { count, bytes }: { count: number; bytes: number },
): Promise<{ first: number; isNumbered: boolean }> {
  const rows = await tx.run(advanceLog, { jobId, by: count, bytes });
  return { first: firstOf(rows, count), isNumbered: rows[0]?.numbered === rows[0]?.last };
}

function firstOf([row]: readonly { readonly last: number }[], count: number): number {
  if (!row) throw new Error('The stream has no row after it was advanced.');
  return row.last - count + 1;
}

export const insertEvent = insertOf<'events', 'position'>('events', { arrival: 'position', ...inSizes });

type NewEvent = Omit<EventRow, 'position'>;

/**
 * Appends events to the stream of their job, when their numbers are not needed. Returns false, and
 * does nothing, if they are more than one statement inserts together with other writes.
 */
export async function appendEventsLater(tx: Tx, jobId: string, events: readonly Omit<NewEvent, 'seq'>[]): Promise<boolean> {
  const by = events.length;
  // Cast: the number of an event is what the other statement returns, or stands for it.
  const numbered = (last: (plus: number) => unknown) => events.map((event, i) => ({ ...event, seq: last(i + 1 - by) }) as NewEvent);
  const insert = insertTogether(
    tx,
    insertEvent,
    numbered(() => 0),
  );
  if (!insert) return false;
  const { query } = insert;
  await tx.runPairLater(
    { query: advance, values: { jobId, kind: 'event', by }, returned: 'last' },
    { query, valuesWith: (last) => insertTogether(tx, insertEvent, numbered(last))?.values ?? [] },
  );
  return true;
}

const insertMetricPoints = insertOf('metricPoints', inSizes);
export const insertTelemetrySamples = insertOf('telemetrySamples', inSizes);
export const insertLogChunks = insertOf('logChunks', inSizes);

export const recordLatestMetric = statement(
  'record latest metric',
  (
    db,
    t,
    $: Placeholder<{
      jobId: string;
      stepNumber: number;
      name: string;
      attempt: number;
      value: number;
      iteration: number | null;
      at: Date;
      seq: number;
    }>,
  ) =>
    db
      .insert(t.latestMetrics)
      .values({
        jobId: $('jobId'),
        stepNumber: $('stepNumber'),
        name: $('name'),
        attempt: $('attempt'),
        value: $('value'),
        iteration: $('iteration'),
        at: $('at'),
        seq: $('seq'),
      })
      .onConflictDoUpdate({
        target: [t.latestMetrics.jobId, t.latestMetrics.stepNumber, t.latestMetrics.name],
        set: {
          attempt: sql`excluded.attempt`,
          value: sql`excluded.value`,
          iteration: sql`excluded.iteration`,
          at: sql`excluded.at`,
          seq: sql`excluded.seq`,
        },
      }),
);

/** The number of metrics of a job, counting each name per step, up to `most`. */
export const countMetricNames = statement('count metric names', (db, t, $: Placeholder<{ jobId: string; most: number }>) => {
  const some = db
    .select({ name: t.latestMetrics.name })
    .from(t.latestMetrics)
    .where(eq(t.latestMetrics.jobId, $('jobId')))
    .limit($('most'))
    .as('some');
  return db.select({ count: count() }).from(some);
});

export const knownMetricName = statement(
  'known metric name',
  (db, t, $: Placeholder<{ jobId: string; stepNumber: number; name: string }>) =>
    db
      .select({ seq: t.latestMetrics.seq })
      .from(t.latestMetrics)
      .where(
        and(eq(t.latestMetrics.jobId, $('jobId')), eq(t.latestMetrics.stepNumber, $('stepNumber')), eq(t.latestMetrics.name, $('name'))),
      ),
);

/**
 * What a report may contain again is looked up at once: what a stream has in a window. So many
 * entries are read, which is more than a report has. Where there are more, other steps of the job
 * have reported for the same window, or it is long: each entry is then looked up by itself.
 */
export const WINDOW_ENTRIES = 2_000;

/** The window that these are in. */
export const endsOf = (numbers: readonly number[]): [from: number, to: number] => [Math.min(...numbers), Math.max(...numbers)];

/** Stored points of a metric, by their iterations. Both ends belong to the window. */
export const pointsInWindow = statement(
  'points in window',
  (db, t, $: Placeholder<{ jobId: string; name: string; from: number; to: number; limit: number }>) =>
    db
      .select({
        stepNumber: t.metricPoints.stepNumber,
        attempt: t.metricPoints.attempt,
        iteration: t.metricPoints.iteration,
        value: t.metricPoints.value,
      })
      .from(t.metricPoints)
      .where(
        and(
          eq(t.metricPoints.jobId, $('jobId')),
          eq(t.metricPoints.name, $('name')),
          gte(t.metricPoints.iteration, $('from')),
          lte(t.metricPoints.iteration, $('to')),
        ),
      )
      .limit($('limit')),
);

/** Stored samples by their times. Both ends belong to the window. */
export const samplesInWindow = statement(
  'samples in window',
  (db, t, $: Placeholder<{ jobId: string; from: Date; to: Date; limit: number }>) =>
    db
      .select({ stepNumber: t.telemetrySamples.stepNumber, attempt: t.telemetrySamples.attempt, at: t.telemetrySamples.at })
      .from(t.telemetrySamples)
      .where(
        and(
          eq(t.telemetrySamples.jobId, $('jobId')),
          gte(t.telemetrySamples.at, $('from', t.telemetrySamples.at)),
          lte(t.telemetrySamples.at, $('to', t.telemetrySamples.at)),
        ),
      )
      .limit($('limit')),
);

/**
 * The value of this point if it is stored already: a report is sent again when its answer was lost.
 */
export const knownIteration = statement(
  'known iteration',
  (db, t, $: Placeholder<{ jobId: string; stepNumber: number; attempt: number; name: string; iteration: number }>) =>
    db
      .select({ value: t.metricPoints.value })
      .from(t.metricPoints)
      .where(
        and(
          eq(t.metricPoints.jobId, $('jobId')),
          eq(t.metricPoints.name, $('name')),
          eq(t.metricPoints.iteration, $('iteration')),
          eq(t.metricPoints.stepNumber, $('stepNumber')),
          eq(t.metricPoints.attempt, $('attempt')),
        ),
      ),
);

export const knownSample = statement(
  'known sample',
  (db, t, $: Placeholder<{ jobId: string; stepNumber: number; attempt: number; at: Date }>) =>
    db
      .select({ seq: t.telemetrySamples.seq })
      .from(t.telemetrySamples)
      .where(
        and(
          eq(t.telemetrySamples.jobId, $('jobId')),
          eq(t.telemetrySamples.at, $('at', t.telemetrySamples.at)),
          eq(t.telemetrySamples.stepNumber, $('stepNumber')),
          eq(t.telemetrySamples.attempt, $('attempt')),
        ),
      ),
);
