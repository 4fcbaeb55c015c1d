/**
 * How a job advances when part of it ends: the next step, the end of the job, and the end of its
 * remaining steps.
 */

import { endJobKeys } from '../../store/changes/jobs.ts';
import { extendAttempt, extendLease, lockNextBlockedStep, lockUnfinishedSteps, saveAttempt } from '../../store/changes/steps.ts';
import type { JobRow, StepRow } from '../../store/schema/tables.ts';
import { type Change, record, topics } from '../core/change.ts';
import {
  type AttemptOutcome,
  isHeldStep,
  isTerminalStep,
  type JobTransition,
  nextStepStatus,
  type StepTransition,
} from '../core/lifecycle.ts';
import { type Cause, later, moveJob, moveStep, setJobFields } from '../core/transitions.ts';
import { endRounds, followStep } from '../federation/round-ends.ts';
import { recordResult } from '../files/models.ts';
import { lockedJob } from '../steps/lock-order.ts';
import { announceQueued } from '../steps/queues.ts';
import { handOn } from './experiments.ts';

/** The lease columns of a step without a lease. */
const noLease = { leaseHash: null, leaseDeviceId: null, leaseExpiresAt: null, leaseSeconds: null, preemptedForId: null } as const;

/** Ends the attempt that holds a step, and moves the step. */
export async function endAttempt(
  change: Change,
  step: StepRow,
  outcome: Exclude<AttemptOutcome, 'RUNNING'>,
  transition: StepTransition,
  cause: Cause,
  columns: Partial<StepRow> = {},
): Promise<StepRow> {
  const { tx, now } = change;
  // Before the stream of events, because the job is locked before its streams.
  await forgetAddresses(change, await lockedJob(change, step.jobId));
  await tx.runLater(saveAttempt, {
    stepId: step.id,
    number: step.attemptCount,
    outcome,
    reason: cause.reason,
    description: cause.description ?? '',
    exitCode: cause.exitCode ?? null,
    finishedAt: now,
  });
  const to = nextStepStatus(step.status, transition);
  const finishedAt = to !== null && isTerminalStep(to) ? now : null;
  const moved = await moveStep(change, step, transition, cause, { ...noLease, finishedAt, ...columns });
  if (moved.status === 'QUEUED') announceQueued(change, moved);
  await followStep(change, moved);
  if (step.leaseDeviceId) tx.touch(topics.device(step.leaseDeviceId));
  return moved;
}

/** Clears the addresses of the job: its step no longer runs. */
async function forgetAddresses(change: Change, job: JobRow): Promise<void> {
  const gone = (['httpUrl', 'sshServer'] as const).filter((field) => job[field] !== null);
  if (gone.length === 0) return;
  await setJobFields(change, job.id, { httpUrl: null, sshServer: null, updatedAt: later(change.now, job.updatedAt) });
  record(change, job, { type: 'JOB_UPDATED', details: gone });
}

/**
 * After a step of a job succeeded: the next one can be claimed, or the job has succeeded, with the
 * exit code of its last step.
 */
export async function advanceJob(change: Change, job: JobRow, { number }: StepRow, exitCode: number): Promise<JobRow> {
  if (job.status === 'CANCELLING') return finishCancel(change, job);
  const isLast = number === job.stepCount - 1;
  const [next] = isLast ? [] : await change.tx.run(lockNextBlockedStep, { jobId: job.id });
  if (!next) return endJob(change, job, 'succeed', { reason: 'COMPLETED', exitCode });
  await moveStep(
    change,
    next,
    'unblock',
    { reason: 'COMPLETED', description: `Step ${next.number - 1} succeeded.` },
    { queuedAt: change.now },
  );
  announceQueued(change, next);
  return job;
}

export const runTimeout = { reason: 'RUN_TIMEOUT', description: 'The job ran longer than its run timeout.' } as const satisfies Cause;

/** Whether a job is stopping because of its run timeout. */
export const hasTimedOut = ({ status, reason }: Pick<JobRow, 'status' | 'reason'>): boolean =>
  status === 'CANCELLING' && reason === runTimeout.reason;

/** Why devices are to stop, in the words of the person who cancelled the job, if any. */
export const stopReasonOf = (job: JobRow): string | null => (hasTimedOut(job) ? runTimeout.description : job.cancelReason);

/**
 * Ends a step that its device was told to stop. Its cause is the device's. After a run timeout,
 * that is the cause and the step has failed.
 */
export async function endStopped(
  change: Change,
  step: StepRow,
  outcome: 'CANCELLED' | 'LOST',
  transition: 'fail' | 'requeue',
  cause: Cause,
  columns: Partial<StepRow> = {},
): Promise<{ step: StepRow; job: JobRow }> {
  const isLate = hasTimedOut(await lockedJob(change, step.jobId));
  const ended = isLate
    ? await endAttempt(change, step, outcome === 'LOST' ? 'LOST' : 'FAILED', 'timeOut', { ...cause, ...runTimeout }, columns)
    : await endAttempt(change, step, outcome, transition, cause, columns);
  return { step: ended, job: await finishCancel(change, await lockedJob(change, step.jobId)) };
}

/**
 * After a device gave back a step of a job that is being cancelled: the job becomes CANCELLED if no
 * other device holds a step.
 */
export async function finishCancel(change: Change, job: JobRow): Promise<JobRow> {
  // Its round stopped the step, and the job continues.
  if (job.status !== 'CANCELLING') return job;
  const steps = await change.tx.run(lockUnfinishedSteps, { jobId: job.id });
  if (steps.some((step) => isHeldStep(step.status))) return job;
  if (hasTimedOut(job)) return endJob(change, job, 'fail', runTimeout);
  return endJob(change, job, 'cancel', { reason: 'USER_REQUESTED', description: job.cancelReason ?? '' });
}

/** Ends a job, its unfinished steps, and the keys that belong to it alone. */
export async function endJob(change: Change, job: JobRow, transition: JobTransition, cause: Cause): Promise<JobRow> {
  const { tx, now } = change;
  // Devices of a federated job may still train for a round that has enough models.
  if (transition !== 'succeed' || job.isFederated) {
    for (const step of await tx.run(lockUnfinishedSteps, { jobId: job.id })) await endStep(change, step, transition, cause);
  }
  // After the end of a job, only late models may follow.
  await endRounds(change, job, transition);
  const result = transition === 'succeed' ? await recordResult(change, job) : {};
  const ended = await moveJob(change, { ...job, ...result }, transition, cause, { finishedAt: now, deadlineAt: null });
  await tx.runLater(endJobKeys, { jobId: job.id, now }, (keys) => {
    for (const { id } of keys) tx.touch(topics.key(id));
  });
  const next = await handOn(change, ended);
  if (next) await endJob(change, next.job, 'fail', next.cause);
  return ended;
}

/**
 * Tells a device that still trains to stop, and keeps its lease for some time: a late model is
 * stored and marked as late. When the device gives the step back or the lease expires, the step
 * ends like any other that was told to stop.
 */
async function awaitLateModel(change: Change, step: StepRow, cause: Cause): Promise<void> {
  const { tx, domain, now } = change;
  if (step.status === 'RUNNING') await moveStep(change, step, 'requestCancel', cause);
  if (step.leaseDeviceId) tx.touch(topics.device(step.leaseDeviceId));
  const latest = new Date(now.getTime() + domain.limits.lateModelSeconds * 1_000);
  if (step.leaseExpiresAt === null || step.leaseExpiresAt <= latest) return;
  await tx.runLater(extendLease, { id: step.id, leaseExpiresAt: latest, leaseSeconds: step.leaseSeconds ?? 0 });
  await tx.runLater(extendAttempt, { stepId: step.id, number: step.attemptCount, leaseExpiresAt: latest });
}

/** Ends a step because its job ends. */
async function endStep(change: Change, step: StepRow, transition: JobTransition, cause: Cause): Promise<void> {
  if (isHeldStep(step.status) && transition === 'succeed' && step.part === 'TRAIN') {
    await awaitLateModel(change, step, cause);
    return;
  }
  if (isHeldStep(step.status)) {
    const isTold = step.status === 'CANCELLING';
    if (transition === 'fail' && !(isTold && cause.reason !== runTimeout.reason))
      await endAttempt(change, step, 'FAILED', isTold ? 'timeOut' : 'fail', cause);
    else await endAttempt(change, step, 'CANCELLED', 'cancel', cause);
    return;
  }
  const wasTried = step.attemptCount > 0;
  const description = cause.description ?? '';
  await moveStep(change, step, wasTried ? 'cancel' : 'skip', { reason: 'JOB_ENDED', description }, { finishedAt: change.now });
}
