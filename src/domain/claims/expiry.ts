/** An expired lease: its device counts as lost, and its step can be claimed again. */
import { extendLease, heldByDevice, lockStep } from '../../store/changes/steps.ts';
import { stepById } from '../../store/queries/rows.ts';
import { type Change, change } from '../core/change.ts';
import type { Domain } from '../core/domain.ts';
import type { Task } from '../core/retries.ts';
import { endAttempt, endJob, endStopped } from '../jobs/progression.ts';
import { evict } from '../preemption/preemption.ts';
import { dropStep } from '../rounds/rounds.ts';
import { lockedJob, lockRounds } from '../steps/lock-order.ts';

/** The expiry of one lease as a task of the sweep. */
export const expiryOf = (stepId: string): Task => ({ name: `The lease of ${stepId}`, work: (change) => expireLease(change, stepId) });

/**
 * Ends the attempt of a step whose lease has expired. Does nothing if the lease was renewed or
 * given back meanwhile.
 */
async function expireLease(change: Change, stepId: string): Promise<void> {
  const { tx, domain, now } = change;
  const [seen] = await tx.run(stepById, { id: stepId });
  if (seen) await lockRounds(change, seen);
  const [step] = await tx.run(lockStep, { id: stepId });
  if (!step || step.leaseExpiresAt === null || step.leaseExpiresAt > now) return;
  change.count(() => domain.instruments.expiredLeases.add());
  const lostCount = step.lostCount + 1;
  const lost = { reason: 'LEASE_EXPIRED', description: `Attempt ${step.attemptCount} was not renewed within its lease.` } as const;
  if (step.status === 'CANCELLING') {
    await endStopped(change, step, 'LOST', 'requeue', lost, { lostCount });
    return;
  }
  if (step.preemptedForId !== null) {
    await evict(change, step, lost.description);
    return;
  }
  if (lostCount < domain.limits.lostAttemptsAtMost) {
    await endAttempt(change, step, 'LOST', 'requeue', lost, { lostCount });
    return;
  }
  const exhausted = { reason: 'ATTEMPTS_EXHAUSTED', description: `Step ${step.number} lost its device ${lostCount} times.` } as const;
  const failed = await endAttempt(change, step, 'LOST', 'fail', exhausted, { lostCount });
  if (step.part !== null) await dropStep(change, failed, exhausted);
  else await endJob(change, await lockedJob(change, step.jobId), 'fail', exhausted);
}

/** Ends every attempt of a device at once, for a device that is known to hold nothing any more. */
export async function loseDevice(domain: Domain, deviceId: string): Promise<void> {
  for (const { stepId } of await domain.store.read.run(heldByDevice, { deviceId })) {
    await change(domain, null, async (change) => {
      const { tx, now } = change;
      const [seen] = await tx.run(stepById, { id: stepId });
      if (seen) await lockRounds(change, seen);
      const [step] = await tx.run(lockStep, { id: stepId });
      if (step?.leaseDeviceId !== deviceId) return;
      await tx.run(extendLease, { id: stepId, leaseExpiresAt: now, leaseSeconds: step.leaseSeconds ?? 0 });
      await expireLease(change, stepId);
    });
  }
}
