/** What happened: changes of status of jobs and steps, and pages of one job's events. */
import { and, asc, eq, gt, inArray } from 'drizzle-orm';
import type { EventType } from '../../domain/vocabulary.ts';
import { isOneOf, isWord } from '../columns.ts';
import type { Queries } from '../store.ts';
import type { EventRow } from '../tables.ts';
import { batch } from './batch.ts';
import { runShaped } from './shapes.ts';

const jobChanges = ['JOB_CREATED', 'JOB_STATUS_CHANGED'] as const;
/** The events in which steps come to be. */
const stepOrigins = ['JOB_CREATED', 'STEPS_ADDED'] as const;

/** Each change of these jobs' own status, their creation first. */
export const transitionsOfJobs = batch<EventRow>('transitions of jobs', (db, t, jobIds) =>
  db
    .select()
    .from(t.events)
    .where(and(inArray(t.events.jobId, jobIds), isOneOf(t.events.type, jobChanges)))
    .orderBy(asc(t.events.jobId), asc(t.events.seq)),
);

/** Each change of these steps' status, but for the one in which they came to be. */
export const transitionsOfSteps = batch<EventRow>('transitions of steps', (db, t, stepIds) =>
  db
    .select()
    .from(t.events)
    .where(and(inArray(t.events.stepId, stepIds), isWord(t.events.type, 'STEP_STATUS_CHANGED')))
    .orderBy(asc(t.events.stepId), asc(t.events.seq)),
);

/** The events in which the steps of these jobs came to be. */
export const originsOfSteps = batch<EventRow>('origins of steps', (db, t, jobIds) =>
  db
    .select()
    .from(t.events)
    .where(and(inArray(t.events.jobId, jobIds), isOneOf(t.events.type, stepOrigins))),
);

/** Events of one job after a number, in order; of these types, or of all. An empty list of types takes none. */
export async function listEvents(
  queries: Queries,
  { jobId, after, limit, types }: { jobId: string; after: number; limit: number; types: readonly EventType[] | null },
): Promise<readonly EventRow[]> {
  if (types?.length === 0) return [];
  const distinct = [...new Set(types ?? [])].sort();
  return runShaped(queries, {
    name: 'list events',
    variant: distinct.join(' '),
    terms: [],
    values: { jobId, after, limit },
    build: (db, t, _, $) =>
      db
        .select()
        .from(t.events)
        .where(
          and(
            eq(t.events.jobId, $('jobId')),
            gt(t.events.seq, $('after')),
            distinct.length > 0 ? isOneOf(t.events.type, distinct) : undefined,
          ),
        )
        .orderBy(asc(t.events.seq))
        .limit($('limit')),
  });
}
