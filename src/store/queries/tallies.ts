/** How much there is of what is not over yet: from indexes that hold no more than that, however long the history is. */
import { count, isNotNull, min } from 'drizzle-orm';
import { unfinishedJobStatuses } from '../../domain/core/lifecycle.ts';
import { isOneOf, isWord } from '../schema/columns.ts';
import { statement } from '../store.ts';

/** Steps that can be claimed, and since when the oldest of them is queued. */
export const queuedSteps = statement('tally queued steps', (db, t) =>
  db
    .select({ count: count(), oldest: min(t.steps.queuedAt) })
    .from(t.steps)
    .where(isWord(t.steps.status, 'QUEUED')),
);

/** Steps that someone holds, by status. */
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
