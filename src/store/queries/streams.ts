/** Reads the streams of jobs after a number. */
import { and, asc, eq, gt, inArray, lte, type SQL, sql } from 'drizzle-orm';
import { heldStepStatuses } from '../../domain/core/lifecycle.ts';
import type { EventType, StreamKind } from '../../domain/core/vocabulary.ts';
import { isOneOf } from '../schema/columns.ts';
import type { EventRow, LogChunkRow, MetricPointRow, Tables, TelemetrySampleRow } from '../schema/tables.ts';
import { type Cut, type Portion, readPortion, readRows } from '../statements/portions.ts';
import { type Placeholder, type Queries, statement } from '../store.ts';

/**
 * The bounds of a stream, and what retention has removed from it. No row: nothing was ever
 * appended.
 */
export const streamBounds = statement('stream bounds', (db, t, $: Placeholder<{ jobId: string; kind: StreamKind }>) =>
  db
    .select({
      last: t.streams.last,
      first: t.streams.first,
      removed: t.streams.removed,
      thinned: t.streams.thinned,
      inherited: t.streams.inherited,
      numbered: t.streams.numbered,
      tiered: t.streams.tiered,
    })
    .from(t.streams)
    .where(and(eq(t.streams.jobId, $('jobId')), eq(t.streams.kind, $('kind')))),
);

interface After {
  jobId: string;
  after: number;
  limit: number;
}
interface Between {
  jobId: string;
  after: number;
  last: number;
}

/** The size of a row without its texts. */
const ROW_BYTES = 256;
/** The approximate size of an event. Its texts are the only columns that may be long. */
export const bytesOfEvent = ({ events }: Tables): SQL<number> =>
  sql<number>`${sql.raw(String(ROW_BYTES))} + length(${events.description}) + coalesce(length(cast(${events.details} as text)), 0)`;

const eventSizesAfter = statement('event sizes after', (db, t, $: Placeholder<After>) =>
  db
    .select({ place: t.events.seq, bytes: bytesOfEvent(t) })
    .from(t.events)
    .where(and(eq(t.events.jobId, $('jobId')), gt(t.events.seq, $('after'))))
    .orderBy(asc(t.events.seq))
    .limit($('limit')),
);
const eventsBetween = statement('events between', (db, t, $: Placeholder<Between>) =>
  db
    .select()
    .from(t.events)
    .where(and(eq(t.events.jobId, $('jobId')), gt(t.events.seq, $('after')), lte(t.events.seq, $('last'))))
    .orderBy(asc(t.events.seq)),
);
export const metricPointsAfter = statement('metric points after', (db, t, $: Placeholder<After>) =>
  db
    .select()
    .from(t.metricPoints)
    .where(and(eq(t.metricPoints.jobId, $('jobId')), gt(t.metricPoints.seq, $('after'))))
    .orderBy(asc(t.metricPoints.seq))
    .limit($('limit')),
);
export const telemetrySamplesAfter = statement('telemetry samples after', (db, t, $: Placeholder<After>) =>
  db
    .select()
    .from(t.telemetrySamples)
    .where(and(eq(t.telemetrySamples.jobId, $('jobId')), gt(t.telemetrySamples.seq, $('after'))))
    .orderBy(asc(t.telemetrySamples.seq))
    .limit($('limit')),
);
const logSizesAfter = statement('log sizes after', (db, t, $: Placeholder<After>) =>
  db
    .select({ place: t.logChunks.seq, bytes: t.logChunks.size })
    .from(t.logChunks)
    .where(and(eq(t.logChunks.jobId, $('jobId')), gt(t.logChunks.seq, $('after'))))
    .orderBy(asc(t.logChunks.seq))
    .limit($('limit')),
);
const logChunksBetween = statement('log chunks between', (db, t, $: Placeholder<Between>) =>
  db
    .select()
    .from(t.logChunks)
    .where(and(eq(t.logChunks.jobId, $('jobId')), gt(t.logChunks.seq, $('after')), lte(t.logChunks.seq, $('last'))))
    .orderBy(asc(t.logChunks.seq)),
);
export const logSizesOfStepAfter = statement('log sizes of step after', (db, t, $: Placeholder<After & { stepNumber: number }>) =>
  db
    .select({ place: t.logChunks.seq, bytes: t.logChunks.size })
    .from(t.logChunks)
    .where(and(eq(t.logChunks.jobId, $('jobId')), eq(t.logChunks.stepNumber, $('stepNumber')), gt(t.logChunks.seq, $('after'))))
    .orderBy(asc(t.logChunks.seq))
    .limit($('limit')),
);
const logChunksOfStepBetween = statement('log chunks of step between', (db, t, $: Placeholder<Between & { stepNumber: number }>) =>
  db
    .select()
    .from(t.logChunks)
    .where(
      and(
        eq(t.logChunks.jobId, $('jobId')),
        eq(t.logChunks.stepNumber, $('stepNumber')),
        gt(t.logChunks.seq, $('after')),
        lte(t.logChunks.seq, $('last')),
      ),
    )
    .orderBy(asc(t.logChunks.seq)),
);

interface OfJob {
  readonly jobId: string;
  readonly after: number;
}

/** Events of one job. */
export const readEvents = (queries: Queries, of: OfJob, portion: Portion): Promise<Cut<EventRow>> =>
  readPortion(
    portion,
    (limit) => queries.run(eventSizesAfter, { ...of, limit }),
    (last) => queries.run(eventsBetween, { ...of, last }),
  );

/** Log chunks of one job, or of one of its steps. */
export function readLogChunks(
  queries: Queries,
  { stepNumber, ...of }: OfJob & { readonly stepNumber: number | null },
  portion: Portion,
): Promise<Cut<LogChunkRow>> {
  return readPortion(
    portion,
    (limit) =>
      stepNumber === null ? queries.run(logSizesAfter, { ...of, limit }) : queries.run(logSizesOfStepAfter, { ...of, stepNumber, limit }),
    (last) =>
      stepNumber === null
        ? queries.run(logChunksBetween, { ...of, last })
        : queries.run(logChunksOfStepBetween, { ...of, stepNumber, last }),
  );
}

export const readMetricPoints = (queries: Queries, of: OfJob, portion: Portion): Promise<Cut<MetricPointRow>> =>
  readRows(portion, (limit) => queries.run(metricPointsAfter, { ...of, limit }));

export const readTelemetrySamples = (queries: Queries, of: OfJob, portion: Portion): Promise<Cut<TelemetrySampleRow>> =>
  readRows(portion, (limit) => queries.run(telemetrySamplesAfter, { ...of, limit }));

export interface OfFeed {
  readonly after: number;
  readonly projectId: string | null;
  readonly types: readonly EventType[] | null;
}

/** Events of all jobs, or of one project, in the order of the feed. */
export function readFeed({ db, t }: Queries, { after, projectId, types }: OfFeed, portion: Portion): Promise<Cut<EventRow>> {
  const { events } = t;
  const wanted = and(
    gt(events.position, after),
    projectId === null ? undefined : eq(events.projectId, projectId),
    types === null ? undefined : inArray(events.type, [...types]),
  );
  return readPortion(
    portion,
    (limit) =>
      db
        .select({ place: events.position, bytes: bytesOfEvent(t) })
        .from(events)
        .where(wanted)
        .orderBy(asc(events.position))
        .limit(limit),
    (last) =>
      db
        .select()
        .from(events)
        .where(and(wanted, lte(events.position, last)))
        .orderBy(asc(events.position)),
  );
}

/** The jobs of the next events in the feed, and the position up to which they were read. */
export function jobsInFeed({ db, t }: Queries, { after, limit, projectId }: { after: number; limit: number; projectId: string | null }) {
  const { events } = t;
  return db
    .select({ jobId: events.jobId, position: events.position })
    .from(events)
    .where(and(gt(events.position, after), projectId === null ? undefined : eq(events.projectId, projectId)))
    .orderBy(asc(events.position))
    .limit(limit);
}

/** What a live list needs of an event. */
export type ListedEvent = Pick<EventRow, 'jobId' | 'position' | 'type' | 'from'>;

/** The next events in the feed, of all jobs, or of a project or a job. */
export function readListedEvents(
  { db, t }: Queries,
  { after, projectId, jobId }: Omit<OfFeed, 'types'> & { readonly jobId: string | null },
  limit: number,
): Promise<Cut<ListedEvent>> {
  const { events } = t;
  const { jobId: job, position, type, from } = events;
  return readRows({ rows: limit }, (limit) =>
    db
      .select({ jobId: job, position, type, from })
      .from(events)
      .where(
        and(
          gt(position, after),
          projectId === null ? undefined : eq(events.projectId, projectId),
          jobId === null ? undefined : eq(job, jobId),
        ),
      )
      .orderBy(asc(position))
      .limit(limit),
  );
}

/** The columns of a job that its streams need. */
export const jobStatusById = statement('job status by id', (db, t, $: Placeholder<{ id: string }>) =>
  db
    .select({ status: t.jobs.status, isFederated: t.jobs.isFederated })
    .from(t.jobs)
    .where(eq(t.jobs.id, $('id'))),
);

/** Returns a step of the job that is under a lease, if any. */
export const heldStepOfJob = statement('held step of job', (db, t, $: Placeholder<{ jobId: string }>) =>
  db
    .select({ id: t.steps.id })
    .from(t.steps)
    .where(and(eq(t.steps.jobId, $('jobId')), isOneOf(t.steps.status, heldStepStatuses)))
    .limit(1),
);
