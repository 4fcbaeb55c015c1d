/**
 * The one setter of statuses. A change reads the row under its lock, the lifecycle table says where a transition leads, the row is saved by
 * compare-and-swap and the event is stored in the same transaction.
 *
 * Rows are locked in one order everywhere, steps (by number) before their job before its streams, so that PostgreSQL has no deadlocks to break.
 */
import { saveJob } from '../../store/changes/jobs.ts';
import { saveStep } from '../../store/changes/steps.ts';
import type { JobRow, StepRow } from '../../store/schema/tables.ts';
import { type Change, record, topics } from './change.ts';
import {
  type JobTransition,
  jobStatusesThatAllow,
  nextJobStatus,
  nextStepStatus,
  type StatusReason,
  type StepTransition,
  stepStatusesThatAllow,
} from './lifecycle.ts';
import { InvalidState } from './refusals.ts';

/** Why a status changes: the reason for programs, the description for people. */
export interface Cause {
  readonly reason: StatusReason;
  readonly description?: string;
  readonly exitCode?: number | null;
}

/** Moves a step, with the other columns that change along. Throws InvalidState when the table refuses. */
export async function moveStep(
  change: Change,
  step: StepRow,
  transition: StepTransition,
  { reason, description = '', exitCode = null }: Cause,
  columns: Partial<StepRow> = {},
): Promise<StepRow> {
  const to = nextStepStatus(step.status, transition);
  const moved: StepRow = { ...step, ...columns, status: to ?? step.status };
  if (to === null || !(await saveStep(change.tx, step, moved))) {
    throw new InvalidState(`Step ${step.number} is ${step.status}.`, step.status, stepStatusesThatAllow(transition));
  }
  if (step.status === 'QUEUED') {
    change.tx.touch(topics.taken);
    // The room that was kept for it there is free.
    if (step.reservedDeviceId !== null) change.tx.touch(topics.device(step.reservedDeviceId));
  }
  change.count(() => change.domain.meters.stepChanges.of({ to, reason }).add());
  await record(
    change,
    { id: step.jobId, projectId: step.projectId },
    {
      type: 'STEP_STATUS_CHANGED',
      stepId: step.id,
      from: step.status,
      to,
      attempt: moved.attemptCount > 0 ? moved.attemptCount : null,
      reason,
      description,
      exitCode,
    },
  );
  return moved;
}

/** Moves a job, with the other columns that change along. A transition that leaves the status as it is stores no event. Throws InvalidState when the table refuses. */
export async function moveJob(
  change: Change,
  job: JobRow,
  transition: JobTransition,
  { reason, description = '', exitCode = null }: Cause,
  columns: Partial<JobRow> = {},
): Promise<JobRow> {
  const to = nextJobStatus(job.status, transition);
  const isMove = to !== job.status;
  const moved: JobRow = {
    ...job,
    ...(isMove ? { reason, reasonDescription: description, exitCode } : {}),
    updatedAt: later(change.now, job.updatedAt),
    ...columns,
    status: to ?? job.status,
  };
  if (to === null || !(await saveJob(change.tx, job, moved))) {
    throw new InvalidState(`The job is ${job.status}.`, job.status, jobStatusesThatAllow(transition));
  }
  if (isMove) {
    change.count(() => change.domain.meters.jobChanges.of({ to, reason }).add());
    await record(change, job, { type: 'JOB_STATUS_CHANGED', from: job.status, to, reason, description, exitCode });
  }
  return moved;
}

/** A change is always later than the one before it, also when the clock stands still or goes back: `expectedUpdatedAt` tells changes apart by it. */
export function later(now: Date, before: Date): Date {
  return now > before ? now : new Date(before.getTime() + 1);
}
