/**
 * Cancelling a job. It always ends: when its devices give its steps back, or at the cancel timeout
 * (P10).
 */
import { lockUnfinishedSteps } from '../../store/changes/steps.ts';
import type { JobRow, StepRow } from '../../store/schema/tables.ts';
import type { Principal } from '../access/principal.ts';
import { requireRight } from '../access/rights.ts';
import { visibleJob } from '../access/visible.ts';
import { type Change, change, topics } from '../core/change.ts';
import { Checks } from '../core/checks.ts';
import type { Domain } from '../core/domain.ts';
import { isHeldStep, jobStatusesThatAllow, nextJobStatus } from '../core/lifecycle.ts';
import { wrongState } from '../core/refusals.ts';
import { type Cause, moveJob, moveStep } from '../core/transitions.ts';
import { lockedJob, lockRounds } from '../steps/lock-order.ts';
import { lockQueueOf } from './experiments.ts';
import { endJob } from './progression.ts';

export interface CancelJobInput {
  jobId: string;
  reason?: string | null | undefined;
  cancelTimeoutSeconds: number;
}

/**
 * A job that no device holds becomes CANCELLED at once. Otherwise it becomes CANCELLING, and its
 * devices are told to stop. Cancelling again may shorten the timeout.
 */
export async function cancelJob(domain: Domain, principal: Principal, input: CancelJobInput): Promise<{ job: JobRow }> {
  requireRight(principal, 'cancelJob');
  const checks = new Checks(domain);
  checks.text(['reason'], input.reason);
  checks.range(['cancelTimeoutSeconds'], input.cancelTimeoutSeconds, 0, 86_400);
  // CancelJobResult has no InvalidInput: the schema returns this one as a top-level error.
  checks.done();
  return change(domain, principal, async (change) => {
    const seen = await visibleJob(change, principal, input.jobId);
    if (seen.status === 'BLOCKED') await lockQueueOf(change, seen);
    await lockRounds(change, { jobId: input.jobId, part: 'TRAIN' });
    const steps = await change.tx.run(lockUnfinishedSteps, { jobId: input.jobId });
    const job = await lockedJob(change, input.jobId);
    const cause = { reason: 'USER_REQUESTED', description: input.reason ?? '' } as const;
    if (!steps.some((step) => isHeldStep(step.status)) || (input.cancelTimeoutSeconds === 0 && nextJobStatus(job.status, 'cancel'))) {
      return { job: await endJob(change, job, 'cancel', cause) };
    }
    if (nextJobStatus(job.status, 'requestCancel') === null) {
      throw wrongState.job(job, jobStatusesThatAllow('requestCancel'));
    }
    return { job: await requestStop(change, job, steps, cause, input.cancelTimeoutSeconds) };
  });
}

/**
 * Tells the devices that hold steps of a job to stop within this time. Steps without a lease end at
 * once.
 */
export async function requestStop(
  change: Change,
  job: JobRow,
  unfinished: readonly StepRow[],
  cause: Cause,
  seconds: number,
): Promise<JobRow> {
  for (const step of unfinished) {
    if (step.status === 'RUNNING') {
      await moveStep(change, step, 'requestCancel', cause);
      if (step.leaseDeviceId) change.tx.touch(topics.device(step.leaseDeviceId));
    } else if (!isHeldStep(step.status)) {
      const ended = { reason: 'JOB_ENDED', description: cause.description ?? '' } as const;
      await moveStep(change, step, step.attemptCount > 0 ? 'cancel' : 'skip', ended, { finishedAt: change.now });
    }
  }
  const deadlineAt = new Date(change.now.getTime() + seconds * 1_000);
  const isSooner = job.status !== 'CANCELLING' || job.deadlineAt === null || deadlineAt < job.deadlineAt;
  return moveJob(change, job, 'requestCancel', cause, {
    ...(cause.reason === 'USER_REQUESTED' && cause.description && { cancelReason: cause.description }),
    deadlineAt: isSooner ? deadlineAt : job.deadlineAt,
  });
}
