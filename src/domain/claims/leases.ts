/** Renewing leases and giving them back. */
import { extendAttempt, extendLease } from '../../store/changes/steps.ts';
import { jobById } from '../../store/queries/rows.ts';
import type { StepRow } from '../../store/schema/tables.ts';
import type { Principal } from '../access/principal.ts';
import type { Change } from '../core/change.ts';
import { Checks } from '../core/checks.ts';
import type { Domain } from '../core/domain.ts';
import { endAttempt, endStopped, stopReasonOf } from '../jobs/progression.ts';
import { evict } from '../preemption/preemption.ts';
import { type Directives, directivesOf, type Held, underLease } from '../steps/held.ts';
import { checkLeaseSeconds, type Lease } from './claims.ts';

/**
 * Extends the lease to this many seconds from now, but not beyond the time limit for a late model.
 */
export async function extend(change: Change, step: StepRow, token: string, leaseSeconds: number): Promise<Lease> {
  const { tx, now, domain } = change;
  const wanted = now.getTime() + leaseSeconds * 1_000;
  const [job] = step.status === 'CANCELLING' ? await tx.run(jobById, { id: step.jobId }) : [];
  const latest = job?.finishedAt ? job.finishedAt.getTime() + domain.limits.lateModelSeconds * 1_000 : wanted;
  const expiresAt = new Date(Math.min(wanted, latest));
  await tx.runLater(extendLease, { id: step.id, leaseExpiresAt: expiresAt, leaseSeconds });
  await tx.runLater(extendAttempt, { stepId: step.id, number: step.attemptCount, leaseExpiresAt: expiresAt });
  return { token, attempt: step.attemptCount, expiresAt };
}

/** Renews the lease and tells the device whether to stop. */
export async function renewLease(
  domain: Domain,
  principal: Principal,
  { leaseToken, leaseSeconds }: { leaseToken: string; leaseSeconds: number },
): Promise<Directives & { lease: Lease; cancelReason: string | null }> {
  checkLeaseSeconds(domain, leaseSeconds);
  return underLease(domain, principal, leaseToken, async (change, held) => {
    const lease = await extend(change, held.step, leaseToken, leaseSeconds);
    change.count(() => domain.instruments.renewedLeases.add());
    const directives = directivesOf(held);
    const [job] = directives.isCancelRequested ? await change.tx.run(jobById, { id: held.step.jobId }) : [];
    return { lease, ...directives, cancelReason: job ? stopReasonOf(job) : null };
  });
}

/**
 * Gives the step back unfinished. It is queued again, and the attempt does not count. A step that
 * was being cancelled becomes CANCELLED.
 */
export async function releaseStep(
  domain: Domain,
  principal: Principal,
  { leaseToken, description }: { leaseToken: string; description?: string | null | undefined },
): Promise<{ step: StepRow }> {
  const checks = new Checks(domain);
  checks.text(['description'], description);
  checks.done();
  const release = async (change: Change, { step, mask }: Held) => {
    const cause = { reason: 'RELEASED', description: mask.text(description ?? '') } as const;
    if (step.status === 'RUNNING' && step.preemptedForId !== null) return { step: (await evict(change, step, cause.description)).step };
    if (step.status === 'CANCELLING') return endStopped(change, step, 'CANCELLED', 'requeue', cause);
    return { step: await endAttempt(change, step, 'RELEASED', 'requeue', cause) };
  };
  return underLease(domain, principal, leaseToken, release, { mayEnd: true });
}
