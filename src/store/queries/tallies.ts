/**
 * Counts of unfinished jobs and steps. They read indexes that contain only those, however long the
 * history is.
 */
import { count, isNotNull, min } from 'drizzle-orm';
import { unfinishedJobStatuses } from '../../domain/core/lifecycle.ts';
import { isOneOf, isWord } from '../schema/columns.ts';
import { statement } from '../store.ts';

/** The number of claimable steps, and since when the oldest is queued. */
export const queuedSteps = statement('tally queued steps', (db, t) =>
  db
    .select({ count: count(), oldest: min(t.steps.queuedAt) })
    .from(t.steps)
    .where(isWord(t.steps.status, 'QUEUED')),
);

/** The number of held steps, by status. */
export const heldSteps = statement('tally held steps', (db, t) =>
  db.select({ status: t.steps.status, count: count() }).from(t.steps).where(isNotNull(t.steps.leaseExpiresAt)).groupBy(t.steps.status),
);

export const unfinishedJobs = statement('tally unfinished jobs', (db, t) =>
  db
    .select({ status: t.jobs.status, count: count() })
    .from(t.jobs)
    .where(isOneOf(t.jobs.status, unfinishedJobStatuses))
    .groupBy(t.jobs.status),
);
