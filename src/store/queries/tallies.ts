/** How much there is of what is not over yet: from indexes that hold no more than that, however long the history is. */
import { count, inArray, isNotNull, min, sql } from 'drizzle-orm';
import { isTerminalJob, jobStatuses } from '../../domain/lifecycle.ts';
import { statement } from '../store.ts';

/** Steps that can be claimed, and since when the oldest of them is queued. */
export const queuedSteps = statement('tally queued steps', (db, t) =>
  db
    .select({ count: count(), oldest: min(t.steps.queuedAt) })
    .from(t.steps)
    .where(sql`${t.steps.status} = 'QUEUED'`),
);

/** Steps that someone holds, by status. */
export const heldSteps = statement('tally held steps', (db, t) =>
  db.select({ status: t.steps.status, count: count() }).from(t.steps).where(isNotNull(t.steps.leaseExpiresAt)).groupBy(t.steps.status),
);

const unfinished = jobStatuses.filter((status) => !isTerminalJob(status));

export const unfinishedJobs = statement('tally unfinished jobs', (db, t) =>
  db.select({ status: t.jobs.status, count: count() }).from(t.jobs).where(inArray(t.jobs.status, unfinished)).groupBy(t.jobs.status),
);
