/**
 * The order of locks in a federated job.
 *
 * Many of its steps run at the same time, and the end of one may end others. So a change that may
 * end a step locks the federation first, then all unfinished steps by number, then the job. Two
 * devices that submit at the same moment take turns instead of deadlocking. A claim or a report
 * needs one step only: it locks that step, then the job. The streams of the job, which all its
 * steps write to, always come after the job.
 */
import { lockFederation } from '../../store/changes/federations.ts';
import { lockJob } from '../../store/changes/jobs.ts';
import { lockUnfinishedSteps } from '../../store/changes/steps.ts';
import type { JobRow, StepRow } from '../../store/schema/tables.ts';
import type { Change } from '../core/change.ts';
import { NotFound } from '../core/refusals.ts';

/**
 * Call this before locking a step wherever an attempt may end. Does nothing for a step outside a
 * round.
 */
export async function lockRounds({ tx }: Change, { jobId, part }: Pick<StepRow, 'jobId' | 'part'>): Promise<void> {
  if (part === null) return;
  const [federation] = await tx.run(lockFederation, { jobId });
  if (!federation) return;
  await tx.run(lockUnfinishedSteps, { jobId });
  await tx.run(lockJob, { id: jobId });
}

/** Returns the job under its lock. A change reads it once: nobody else changes it meanwhile. */
export async function lockedJob({ tx, jobs }: Change, id: string): Promise<JobRow> {
  const job = jobs.get(id) ?? (await tx.run(lockJob, { id }))[0];
  // The job exists if one of its steps is locked. Otherwise it may have been deleted since it was
  // read.
  if (!job) throw new NotFound('job', id);
  jobs.set(id, job);
  return job;
}
