/** Proving a lease: the fence that everything which an attempt does goes through. */
import { lockStep } from '../../store/changes/steps.ts';
import { deviceById, stepById } from '../../store/queries/rows.ts';
import type { DeviceRow, StepRow } from '../../store/schema/tables.ts';
import type { Mask } from '../../text/mask.ts';
import { holds } from '../access/keys.ts';
import { maskOf } from '../access/masking.ts';
import type { Principal } from '../access/principal.ts';
import { requireRight, sees } from '../access/rights.ts';
import { parseLeaseToken } from '../access/secrets.ts';
import { type Change, change } from '../core/change.ts';
import type { Domain } from '../core/domain.ts';
import { InvalidInput, StaleLease } from '../core/refusals.ts';
import { noteSeen } from './devices.ts';
import { lockedJob, lockRounds } from './lock-order.ts';

export interface Held {
  readonly step: StepRow;
  readonly device: DeviceRow | null;
  /** Hides what the attempt knows and nobody is to read. */
  readonly mask: Mask;
}

/**
 * Runs a change on behalf of an attempt, with its step under lock. Throws StaleLease, and changes nothing, when the token is no longer the one that
 * holds the step: this is the fence (P3), and everything that an attempt does goes through it.
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

/** The step that this token holds, under its lock; with what may change along, when the attempt may end. See lock-order.ts on the order of locks. */
export async function requireLease(
  change: Change,
  principal: Principal,
  token: string,
  { mayEnd = false }: { mayEnd?: boolean } = {},
): Promise<Held> {
  const { tx, domain } = change;
  const name = parseLeaseToken(token);
  const [seen] = name ? await tx.run(stepById, { id: name.stepId }) : [];
  // As in a claim, the device comes before all else.
  const [device = null] = seen?.leaseDeviceId ? await tx.run(deviceById, { id: seen.leaseDeviceId }) : [];
  await noteSeen(change, device);
  if (seen && mayEnd) await lockRounds(change, seen);
  const [step] = seen ? await tx.run(lockStep, { id: seen.id }) : [];
  if (!name || !step || !sees(principal, step))
    throw new InvalidInput([{ path: ['leaseToken'], message: 'is not a token that a claim here answered.' }]);
  if (step.attemptCount !== name.attempt || !holds(step, token, domain.clockGuard.dueBy())) throw new StaleLease(step, name.attempt);
  // Other steps of a round write to the streams of the same job at the same time.
  if (step.part !== null && !mayEnd) await lockedJob(change, step.jobId);
  return { step, device, mask: maskOf(step, token) };
}

/** The job that this token speaks of, if the principal sees it. Proves nothing: `requireLease` does. */
export async function jobOfLease({ store }: Domain, principal: Principal, token: string): Promise<string | null> {
  const name = parseLeaseToken(token);
  const [step] = name ? await store.read.run(stepById, { id: name.stepId }) : [];
  return step && sees(principal, step) ? step.jobId : null;
}

/** What a device learns whenever it speaks of a step. */
export interface Directives {
  /** Stop, and end the step. */
  readonly isCancelRequested: boolean;
  /** Stop, and release the step. */
  readonly isPreempted: boolean;
  /** Claim nothing more. */
  readonly isDraining: boolean;
}

export const directivesOf = ({ step, device }: Held): Directives => ({
  isCancelRequested: step.status === 'CANCELLING',
  isPreempted: step.preemptedForId !== null,
  isDraining: device?.isDraining ?? false,
});
