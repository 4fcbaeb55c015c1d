import { and, count, desc, eq, exists, inArray, max, or, sql } from 'drizzle-orm';
import { unfinishedJobStatuses } from '../../domain/core/lifecycle.ts';
import { isOneOf, isWord } from '../schema/columns.ts';
import { insertOf } from '../statements/inserts.ts';
import { type Placeholder, statement, type Tx } from '../store.ts';

export const insertModel = insertOf('models');
export const insertModelVersion = insertOf('modelVersions');

/** This row is the lock under which versions are numbered. */
export const lockModel = statement('lock model', (db, t, $: Placeholder<{ id: string }>, { lock }) =>
  lock(
    db
      .select()
      .from(t.models)
      .where(eq(t.models.id, $('id'))),
    'wait',
  ),
);

export const newestVersionNumber = statement('newest version number', (db, t, $: Placeholder<{ modelId: string }>) =>
  db
    .select({ number: max(t.modelVersions.number) })
    .from(t.modelVersions)
    .where(eq(t.modelVersions.modelId, $('modelId'))),
);

export const modelVersionById = statement('model version by id', (db, t, $: Placeholder<{ id: string }>) =>
  db
    .select({ version: t.modelVersions, projectId: t.models.projectId })
    .from(t.modelVersions)
    .innerJoin(t.models, eq(t.models.id, t.modelVersions.modelId))
    .where(eq(t.modelVersions.id, $('id'))),
);

/** With the model's id. */
export const newestVersionOfModel = statement('newest version of model', (db, t, $: Placeholder<{ id: string }>) =>
  db
    .select({ version: t.modelVersions, projectId: t.models.projectId })
    .from(t.modelVersions)
    .innerJoin(t.models, eq(t.models.id, t.modelVersions.modelId))
    .where(eq(t.modelVersions.modelId, $('id')))
    .orderBy(desc(t.modelVersions.number))
    .limit(1),
);

/** The newest model of a job that is uploaded completely. */
export const newestModelOfJob = statement(
  'newest model of job',
  (db, t, $: Placeholder<{ jobId: string }>) =>
    db
      .select({ id: t.fragments.id })
      .from(t.fragments)
      .where(and(eq(t.fragments.jobId, $('jobId')), isWord(t.fragments.type, 'MODEL'), isWord(t.fragments.status, 'READY')))
      .orderBy(desc(t.fragments.readyAt), desc(t.fragments.id))
      .limit(1),
  { isApart: true },
);

/** Returns an unfinished job that starts from this fragment, if any. */
export const jobStartingFrom = statement('job starting from', (db, t, $: Placeholder<{ fragmentId: string }>) =>
  db
    .select({ id: t.jobs.id, status: t.jobs.status })
    .from(t.jobs)
    .where(and(eq(t.jobs.startModelId, $('fragmentId')), isOneOf(t.jobs.status, unfinishedJobStatuses)))
    .limit(1),
);

export const versionsOfFragment = statement('versions of fragment', (db, t, $: Placeholder<{ fragmentId: string }>) =>
  db
    .select({ count: count() })
    .from(t.modelVersions)
    .where(eq(t.modelVersions.fragmentId, $('fragmentId'))),
);

/**
 * Detaches the models of jobs that others need, before the jobs are deleted: versions of models,
 * and files that an unfinished job or an experiment starts from. Each becomes a file of the
 * project, in a scope of its own.
 */
export async function keepModelsOfJobs(tx: Tx, jobIds: readonly string[]): Promise<void> {
  const { fragments, modelVersions, jobs, experiments } = tx.t;
  const isVersion = tx.db.select({ id: modelVersions.fragmentId }).from(modelVersions).where(eq(modelVersions.fragmentId, fragments.id));
  const isStart = tx.db.select({ id: experiments.startModelId }).from(experiments).where(eq(experiments.startModelId, fragments.id));
  const isInUse = tx.db
    .select({ id: jobs.startModelId })
    .from(jobs)
    .where(and(eq(jobs.startModelId, fragments.id), isOneOf(jobs.status, unfinishedJobStatuses)));
  await tx.db
    .update(fragments)
    .set({ jobId: null, stepId: null, stepNumber: null, attempt: null, scopeId: sql`${fragments.id}` })
    .where(and(inArray(fragments.jobId, jobIds), isWord(fragments.type, 'MODEL'), or(exists(isVersion), exists(isStart), exists(isInUse))));
  await tx.db.update(modelVersions).set({ jobId: null }).where(inArray(modelVersions.jobId, jobIds));
}

export const touchModel = statement('touch model', (db, t, $: Placeholder<{ id: string; now: Date }>) =>
  db
    .update(t.models)
    .set({ updatedAt: $('now', t.models.updatedAt) })
    .where(eq(t.models.id, $('id'))),
);
