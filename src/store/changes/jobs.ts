/** Jobs, as changes read and write them: read under a lock, saved by compare-and-swap. */
import { and, asc, eq, inArray, isNotNull, isNull, lte } from 'drizzle-orm';
import { type JobStatus, unfinishedJobStatuses } from '../../domain/core/lifecycle.ts';
import { isOneOf, isWord } from '../schema/columns.ts';
import type { JobItemRow, JobRow } from '../schema/tables.ts';
import { emptyRow, insertOf, insertRows } from '../statements/inserts.ts';
import { rowsChanged, updateOf } from '../statements/updates.ts';
import { feedTopic, type Placeholder, type Statement, statement, type Tx } from '../store.ts';
import { keepModelsOfJobs } from './models.ts';
import { insertEvent } from './streams.ts';

export const insertJob = insertOf('jobs');
export const insertJobLabel = insertOf('jobLabels');
export const insertJobItem = insertOf('jobItems');

export const lockJob = statement('lock job', (db, t, $: Placeholder<{ id: string }>, { lock }) =>
  lock(
    db
      .select()
      .from(t.jobs)
      .where(eq(t.jobs.id, $('id'))),
    'wait',
  ),
);

/** The columns of the lifecycle. */
const lifecycle = [
  'status',
  'statusMessage',
  'reason',
  'reasonDescription',
  'exitCode',
  'deviceId',
  'cancelReason',
  'stepCount',
  'startedAt',
  'finishedAt',
  'deadlineAt',
  'updatedAt',
] as const satisfies readonly (keyof JobRow)[];

/** Saves those that have changed, if the status is still the one that was read. */
const saveChanged = updateOf<Pick<JobRow, (typeof lifecycle)[number]>, Statement<JobRow & { fromStatus: JobStatus }, unknown>>(
  lifecycle,
  (set, number) =>
    statement(`save job ${number}`, (db, t, $: Placeholder<JobRow & { fromStatus: JobStatus }>) =>
      db
        .update(t.jobs)
        .set(Object.fromEntries(set.map((name) => [name, $(name, t.jobs[name])])))
        .where(and(eq(t.jobs.id, $('id')), eq(t.jobs.status, $('fromStatus')))),
    ),
);

/** Calls `refuse`, which throws, if another transaction moved the job since it was read. */
export function saveJob(tx: Tx, before: JobRow, after: JobRow, refuse: () => never): Promise<void> {
  return tx.runLater(saveChanged(before, after), { ...after, fromStatus: before.status }, (result) => {
    if (rowsChanged(result) !== 1) refuse();
  });
}

/** Saves other columns of a job. This is rare, so the statement is built for each call. */
export async function saveJobFields(tx: Tx, jobId: string, fields: Partial<JobRow>): Promise<void> {
  await tx.db.update(tx.t.jobs).set(fields).where(eq(tx.t.jobs.id, jobId));
}

export async function removeJobLabels({ db, t }: Tx, jobId: string): Promise<void> {
  await db.delete(t.jobLabels).where(eq(t.jobLabels.jobId, jobId));
}

/** Removes the items of a job, to replace them. Returns the removed rows. */
export async function takeJobItems({ db, t }: Tx, jobId: string): Promise<JobItemRow[]> {
  return db.delete(t.jobItems).where(eq(t.jobItems.jobId, jobId)).returning();
}

/** Jobs whose schedule, run or cancel timeout has come. */
export const dueJobs = statement('due jobs', (db, t, $: Placeholder<{ now: Date; limit: number }>) =>
  db
    .select({ id: t.jobs.id })
    .from(t.jobs)
    .where(and(isNotNull(t.jobs.deadlineAt), lte(t.jobs.deadlineAt, $('now', t.jobs.deadlineAt))))
    .orderBy(asc(t.jobs.deadlineAt))
    .limit($('limit')),
);

/** Revokes the keys of a job, which end with it. */
export const endJobKeys = statement('end job keys', (db, t, $: Placeholder<{ jobId: string; now: Date }>) =>
  db
    .update(t.apiKeys)
    .set({ revokedAt: $('now', t.apiKeys.revokedAt) })
    .where(and(eq(t.apiKeys.jobId, $('jobId')), isWord(t.apiKeys.kind, 'JOB'), isNull(t.apiKeys.revokedAt)))
    .returning({ id: t.apiKeys.id }),
);

/** Returns a job of the project that has not ended, if any. */
export const unfinishedJob = statement('unfinished job', (db, t, $: Placeholder<{ projectId: string }>) =>
  db
    .select({ id: t.jobs.id, status: t.jobs.status })
    .from(t.jobs)
    .where(and(eq(t.jobs.projectId, $('projectId')), isOneOf(t.jobs.status, unfinishedJobStatuses)))
    .limit(1),
);

/** Returns an unfinished job that runs the code in this fragment, if any. */
export const jobRunningCode = statement('job running code', (db, t, $: Placeholder<{ fragmentId: string }>) =>
  db
    .select({ id: t.jobs.id, status: t.jobs.status })
    .from(t.jobs)
    .where(and(eq(t.jobs.codeFragmentId, $('fragmentId')), isOneOf(t.jobs.status, unfinishedJobStatuses)))
    .limit(1),
);

/** Who deletes jobs, and when. */
export interface Deletion {
  readonly now: Date;
  readonly actor: string;
}

/**
 * Deletes jobs and what belongs to them. Returns the ids of their fragments, whose files are to be
 * removed as well. The feed across jobs keeps one event of each: that it was deleted.
 *
 * Log, points and samples are deleted later, a little at a time (`removeLeft`): there may be many
 * of them, and deleting them here would hold the writer for long. Without the job nobody can read
 * them.
 */
export async function removeJobs(tx: Tx, jobIds: readonly string[], { now, actor }: Deletion): Promise<string[]> {
  const { t, db } = tx;
  await keepModelsOfJobs(tx, jobIds);
  const deleted = await db
    .select({ jobId: t.jobs.id, projectId: t.jobs.projectId, description: t.jobs.name, last: t.streams.last })
    .from(t.jobs)
    .innerJoin(t.streams, and(eq(t.streams.jobId, t.jobs.id), isWord(t.streams.kind, 'event')))
    .where(inArray(t.jobs.id, jobIds));
  // Before the streams: the same lock order as at the end of an upload.
  const files = await db.delete(t.fragments).where(inArray(t.fragments.jobId, jobIds)).returning({ id: t.fragments.id });
  await db.delete(t.events).where(inArray(t.events.jobId, jobIds));
  await db.delete(t.streams).where(and(inArray(t.streams.jobId, jobIds), isWord(t.streams.kind, 'event')));
  await db.update(t.streams).set({ isDeleted: true }).where(inArray(t.streams.jobId, jobIds));
  await db.delete(t.jobs).where(inArray(t.jobs.id, jobIds));
  await insertRows(
    tx,
    insertEvent,
    deleted.map(({ last, ...job }) => ({ ...emptyRow(t, 'events'), ...job, seq: last + 1, type: 'JOB_DELETED', at: now, actor })),
  );
  tx.touch(feedTopic);
  return files.map(({ id }) => id);
}

export const jobItemsOf = statement('job items of', (db, t, $: Placeholder<{ jobId: string }>) =>
  db
    .select()
    .from(t.jobItems)
    .where(eq(t.jobItems.jobId, $('jobId')))
    .orderBy(asc(t.jobItems.position)),
);
