/** Reading the streams of jobs, after a number. */
import { and, asc, eq, gt, inArray } from 'drizzle-orm';
import { heldStepStatuses } from '../../domain/lifecycle.ts';
import type { EventType, StreamKind } from '../../domain/vocabulary.ts';
import { isOneOf } from '../columns.ts';
import { type Placeholder, type Queries, statement } from '../store.ts';

/** How far a stream has come, and what retention has removed of it. No row: nothing was ever appended. */
export const streamBounds = statement('stream bounds', (db, t, $: Placeholder<{ jobId: string; kind: StreamKind }>) =>
  db
    .select({
      last: t.streams.last,
      first: t.streams.first,
      removed: t.streams.removed,
      thinned: t.streams.thinned,
      inherited: t.streams.inherited,
    })
    .from(t.streams)
    .where(and(eq(t.streams.jobId, $('jobId')), eq(t.streams.kind, $('kind')))),
);

interface After {
  jobId: string;
  after: number;
  limit: number;
}

export const eventsAfter = statement('events after', (db, t, $: Placeholder<After>) =>
  db
    .select()
    .from(t.events)
    .where(and(eq(t.events.jobId, $('jobId')), gt(t.events.seq, $('after'))))
    .orderBy(asc(t.events.seq))
    .limit($('limit')),
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
export const logChunksAfter = statement('log chunks after', (db, t, $: Placeholder<After>) =>
  db
    .select()
    .from(t.logChunks)
    .where(and(eq(t.logChunks.jobId, $('jobId')), gt(t.logChunks.seq, $('after'))))
    .orderBy(asc(t.logChunks.seq))
    .limit($('limit')),
);
export const logChunksOfStepAfter = statement('log chunks of step after', (db, t, $: Placeholder<After & { stepNumber: number }>) =>
  db
    .select()
    .from(t.logChunks)
    .where(and(eq(t.logChunks.jobId, $('jobId')), eq(t.logChunks.stepNumber, $('stepNumber')), gt(t.logChunks.seq, $('after'))))
    .orderBy(asc(t.logChunks.seq))
    .limit($('limit')),
);

/** Events of all jobs, or of one project, in the order of the feed. */
export function feedAfter(
  queries: Queries,
  of: { after: number; limit: number; projectId: string | null; types: readonly EventType[] | null },
) {
  const { events } = queries.t;
  return queries.db
    .select()
    .from(events)
    .where(
      and(
        gt(events.position, of.after),
        of.projectId === null ? undefined : eq(events.projectId, of.projectId),
        of.types === null ? undefined : inArray(events.type, [...of.types]),
      ),
    )
    .orderBy(asc(events.position))
    .limit(of.limit);
}

/** All that a stream needs to know of its job. */
export const jobStatusById = statement('job status by id', (db, t, $: Placeholder<{ id: string }>) =>
  db
    .select({ status: t.jobs.status, isFederated: t.jobs.isFederated })
    .from(t.jobs)
    .where(eq(t.jobs.id, $('id'))),
);

/** A step of the job that a lease holds, if there is one. */
export const heldStepOfJob = statement('held step of job', (db, t, $: Placeholder<{ jobId: string }>) =>
  db
    .select({ id: t.steps.id })
    .from(t.steps)
    .where(and(eq(t.steps.jobId, $('jobId')), isOneOf(t.steps.status, heldStepStatuses)))
    .limit(1),
);
