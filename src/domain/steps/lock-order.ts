/**
 * The order of locks in a federated job.
 *
 * Many of its steps run at once, and what ends one of them may end others: so such a change locks the federation first, then all steps that have
 * not ended, by number, then the job. Two devices that hand in at the same moment take turns instead of waiting for one another. Whoever needs one
 * step alone, a claim or a report, locks that step and then the job: the streams of the job, which all of them write to, always come after it.
 */
import { lockFederation } from '../../store/changes/federations.ts';
import { lockJob } from '../../store/changes/jobs.ts';
import { lockUnfinishedSteps } from '../../store/changes/steps.ts';
import type { JobRow, StepRow } from '../../store/schema/tables.ts';
import type { Change } from '../core/change.ts';
import { NotFound } from '../core/refusals.ts';

/** To be called before a step is locked, wherever an attempt may end. Does nothing for what is no part of a round. */
export async function lockRounds({ tx }: Change, { jobId, part }: Pick<StepRow, 'jobId' | 'part'>): Promise<void> {
  if (part === null) return;
  const [federation] = await tx.run(lockFederation, { jobId });
  if (!federation) return;
  await tx.run(lockUnfinishedSteps, { jobId });
  await tx.run(lockJob, { id: jobId });
}

/** The job, under its lock. */
export async function lockedJob({ tx }: Change, id: string): Promise<JobRow> {
  const [job] = await tx.run(lockJob, { id });
  // Of a step under its lock it is there; of a job that was only looked at it may have been deleted meanwhile.
  if (!job) throw new NotFound('job', id);
  return job;
}
