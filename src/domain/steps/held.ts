/** Checking a lease: every change by an attempt goes through this fence. */
import { holderOfStep } from '../../store/changes/devices.ts';
import { lockStep, lockStepOutsideRounds } from '../../store/changes/steps.ts';
import { stepById } from '../../store/queries/rows.ts';
import type { DeviceRow, StepRow } from '../../store/schema/tables.ts';
import type { Mask } from '../../text/mask.ts';
import { holds } from '../access/keys.ts';
import { maskOf } from '../access/masking.ts';
import type { Principal } from '../access/principal.ts';
import { requireRight, sees } from '../access/rights.ts';
import { parseLeaseToken } from '../access/secrets.ts';
import { type Change, change } from '../core/change.ts';
import type { Domain } from '../core/domain.ts';
import { StaleLease, wrongInput } from '../core/refusals.ts';
import { noteSeen } from './devices.ts';
import { lockedJob, lockRounds } from './lock-order.ts';

export interface Held {
  readonly step: StepRow;
  readonly device: DeviceRow | null;
  /** Masks the secrets of the attempt in texts that others may read. */
  readonly mask: Mask;
}

/**
 * Runs a change on behalf of an attempt, with its step locked. Throws StaleLease and changes
 * nothing if the token no longer holds the step. This is the fence (P3): every change by an attempt
 * goes through it.
 */
export async function underLease<T>(
  domain: Domain,
  principal: Principal,
  token: string,
  work: (change: Change, held: Held) => Promise<T>,
  { mayEnd = false }: { mayEnd?: boolean } = {},
): Promise<T> {
  requireRight(principal, 'useLease');
  return change(domain, principal, async (change) => {
    const held = await requireLease(change, principal, token, { mayEnd });
    return work(change, held);
  });
}

/**
 * Locks the step that this token holds, and everything else that changes if the attempt may end.
 * See lock-order.ts for the order.
 */
export async function requireLease(
  change: Change,
  principal: Principal,
  token: string,
  { mayEnd = false }: { mayEnd?: boolean } = {},
): Promise<Held> {
  const { tx, domain } = change;
  const name = parseLeaseToken(token);
  // As in a claim, the device is locked first.
  const [device = null] = name ? await tx.run(holderOfStep, { stepId: name.stepId }) : [];
  await noteSeen(change, device);
  const [step] = name ? await lockHeld(change, name.stepId, mayEnd) : [];
  if (!name || !step || !sees(principal, step)) throw wrongInput.foreignLease();
  if (step.attemptCount !== name.attempt || !holds(step, token, domain.clockGuard.dueBy())) throw new StaleLease(step, name.attempt);
  // Other steps of the round write to the streams of the same job at the same time.
  if (step.part !== null && !mayEnd) await lockedJob(change, step.jobId);
  return { step, device, mask: maskOf(step, token) };
}

/** If its step may end, a round is locked before it. Other steps belong to no round. */
async function lockHeld(change: Change, id: string, mayEnd: boolean): Promise<StepRow[]> {
  const { tx } = change;
  if (!mayEnd) return tx.run(lockStep, { id });
  const [outsideRounds] = await tx.run(lockStepOutsideRounds, { id });
  if (outsideRounds) {
    change.jobs.set(outsideRounds.job.id, outsideRounds.job);
    return [outsideRounds.step];
  }
  const [seen] = await tx.run(stepById, { id });
  if (!seen) return [];
  await lockRounds(change, seen);
  return tx.run(lockStep, { id });
}

/**
 * Returns the job of this token if the principal sees it. It does not check that the lease is
 * current: `requireLease` does.
 */
export async function jobOfLease({ store }: Domain, principal: Principal, token: string): Promise<string | null> {
  const name = parseLeaseToken(token);
  const [step] = name ? await store.read.run(stepById, { id: name.stepId }) : [];
  return step && sees(principal, step) ? step.jobId : null;
}

/** What a device is told whenever it reports. */
export interface Directives {
  /** Stop, then complete or fail the step. */
  readonly isCancelRequested: boolean;
  /** Stop, then release the step. */
  readonly isPreempted: boolean;
  /** Do not claim any more. */
  readonly isDraining: boolean;
}

export const directivesOf = ({ step, device }: Held): Directives => ({
  isCancelRequested: step.status === 'CANCELLING',
  isPreempted: step.preemptedForId !== null,
  isDraining: device?.isDraining ?? false,
});
