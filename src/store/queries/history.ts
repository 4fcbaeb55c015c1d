/** History: status changes of jobs and steps, and pages of a job's events. */
import { and, asc, desc, eq, gt, inArray, lte } from 'drizzle-orm';
import type { EventType } from '../../domain/core/vocabulary.ts';
import { isOneOf, isWord } from '../schema/columns.ts';
import type { EventRow, Tables } from '../schema/tables.ts';
import { batch } from '../statements/batch.ts';
import { type Cut, type Portion, readPortion } from '../statements/portions.ts';
import { runShaped } from '../statements/shapes.ts';
import { type Placeholder, type Queries, statement } from '../store.ts';
import { bytesOfEvent, readEvents } from './streams.ts';

const jobChanges = ['JOB_CREATED', 'JOB_STATUS_CHANGED'] as const;
/** The events that create steps. */
const stepOrigins = ['JOB_CREATED', 'STEPS_ADDED'] as const;

/** Each status change of these jobs, the creation first. */
export const transitionsOfJobs = batch<EventRow>(
  'transitions of jobs',
  (db, t, jobIds) =>
    db
      .select()
      .from(t.events)
      .where(and(inArray(t.events.jobId, jobIds), isOneOf(t.events.type, jobChanges)))
      .orderBy(asc(t.events.jobId), asc(t.events.seq)),
  { isList: true },
);

/** Each status change of these steps, except their creation. */
export const transitionsOfSteps = batch<EventRow>(
  'transitions of steps',
  (db, t, stepIds) =>
    db
      .select()
      .from(t.events)
      .where(and(inArray(t.events.stepId, stepIds), isWord(t.events.type, 'STEP_STATUS_CHANGED')))
      .orderBy(asc(t.events.stepId), asc(t.events.seq)),
  { isList: true },
);

/** The newest status change of a step, if any since its creation. */
export const lastTransitionOfStep = statement('last transition of step', (db, t, $: Placeholder<{ stepId: string }>) =>
  db
    .select({ attempt: t.events.attempt, reason: t.events.reason, description: t.events.description })
    .from(t.events)
    .where(and(eq(t.events.stepId, $('stepId')), isWord(t.events.type, 'STEP_STATUS_CHANGED')))
    .orderBy(desc(t.events.seq))
    .limit(1),
);

/** The events that created the steps of these jobs. */
export const originsOfSteps = batch<EventRow>(
  'origins of steps',
  (db, t, jobIds) =>
    db
      .select()
      .from(t.events)
      .where(and(inArray(t.events.jobId, jobIds), isOneOf(t.events.type, stepOrigins))),
  { isList: true },
);

/**
 * Events of one job after a number, in order: of these types, or of all. An empty list of types
 * matches none.
 */
export async function readEventsOfTypes(
  queries: Queries,
  { jobId, after, types }: { jobId: string; after: number; types: readonly EventType[] | null },
  portion: Portion,
): Promise<Cut<EventRow>> {
  if (types === null) return readEvents(queries, { jobId, after }, portion);
  if (types.length === 0) return { rows: [], hasMore: false };
  const distinct = [...new Set(types)].sort();
  const ofTypes = ({ events }: Tables) => isOneOf(events.type, distinct);
  const variant = distinct.join(' ');
  return readPortion(
    portion,
    (limit) =>
      runShaped(queries, {
        ...{ name: 'event sizes of types', variant, terms: [], values: { jobId, after, limit } },
        build: (db, t, _, $) =>
          db
            .select({ place: t.events.seq, bytes: bytesOfEvent(t) })
            .from(t.events)
            .where(and(eq(t.events.jobId, $('jobId')), gt(t.events.seq, $('after')), ofTypes(t)))
            .orderBy(asc(t.events.seq))
            .limit($('limit')),
      }),
    (last) =>
      runShaped(queries, {
        ...{ name: 'events of types', variant, terms: [], values: { jobId, after, last } },
        build: (db, t, _, $) =>
          db
            .select()
            .from(t.events)
            .where(and(eq(t.events.jobId, $('jobId')), gt(t.events.seq, $('after')), lte(t.events.seq, $('last')), ofTypes(t)))
            .orderBy(asc(t.events.seq)),
      }),
  );
}
