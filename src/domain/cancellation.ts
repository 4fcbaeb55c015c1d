/** Cancelling a job. It always ends: when its devices let go, or at the cancel timeout (P10). */
import { lockUnfinishedSteps } from '../store/changes/steps.ts';
import type { JobRow } from '../store/tables.ts';
import { change, topics } from './change.ts';
import { Checks } from './checks.ts';
import type { Domain } from './domain.ts';
import { lockQueueOf } from './experiments.ts';
import { isHeldStep, jobStatusesThatAllow, nextJobStatus } from './lifecycle.ts';
import type { Principal } from './principal.ts';
import { endJob, lockedJob } from './progression.ts';
import { InvalidState } from './refusals.ts';
import { requireRight } from './rights.ts';
import { lockRounds } from './round-locks.ts';
import { moveJob, moveStep } from './transitions.ts';
import { visibleJob } from './visible.ts';

export interface CancelJobInput {
  jobId: string;
  reason?: string | null | undefined;
  cancelTimeoutSeconds: number;
}

/** A job that no device holds is CANCELLED at once; else it is CANCELLING, and its devices are told to stop. Asking again may shorten the timeout. */
export async function cancelJob(domain: Domain, principal: Principal, input: CancelJobInput): Promise<{ job: JobRow }> {
  requireRight(principal, 'cancelJob');
  const checks = new Checks(domain);
  checks.text(['reason'], input.reason);
  checks.range(['cancelTimeoutSeconds'], input.cancelTimeoutSeconds, 0, 86_400);
  // CancelJobResult knows no InvalidInput: the schema answers this one at the top.
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
      throw new InvalidState(`The job is ${job.status}.`, job.status, jobStatusesThatAllow('requestCancel'));
    }
    const deadlineAt = new Date(change.now.getTime() + input.cancelTimeoutSeconds * 1_000);
    const isSooner = job.status !== 'CANCELLING' || job.deadlineAt === null || deadlineAt < job.deadlineAt;
    for (const step of steps) {
      if (step.status === 'RUNNING') {
        await moveStep(change, step, 'requestCancel', cause);
        if (step.leaseDeviceId) change.tx.touch(topics.device(step.leaseDeviceId));
      } else if (!isHeldStep(step.status)) {
        await moveStep(
          change,
          step,
          step.attemptCount > 0 ? 'cancel' : 'skip',
          { reason: 'JOB_ENDED', description: cause.description },
          { finishedAt: change.now },
        );
      }
    }
    return {
      job: await moveJob(change, job, 'requestCancel', cause, {
        cancelReason: input.reason ?? job.cancelReason,
        deadlineAt: isSooner ? deadlineAt : job.deadlineAt,
      }),
    };
  });
}
