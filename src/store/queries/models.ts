/** The models that jobs have left, added up. */
import { and, eq, inArray, sql } from 'drizzle-orm';
import { batch } from './batch.ts';

/** The bytes of all models of these jobs that are stored; a job without one is not in it. */
export const modelBytesOfJobs = batch<{ jobId: string | null; bytes: number }>('model bytes of jobs', (db, t, jobIds) =>
  db
    .select({ jobId: t.fragments.jobId, bytes: sql<number>`coalesce(sum(${t.fragments.sizeBytes}), 0)`.mapWith(Number) })
    .from(t.fragments)
    .where(and(inArray(t.fragments.jobId, jobIds), eq(t.fragments.type, 'MODEL'), eq(t.fragments.status, 'READY')))
    .groupBy(t.fragments.jobId),
);
