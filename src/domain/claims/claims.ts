/**
 * Claiming: a device takes a step under a lease.
 *
 * A claim first expires overdue leases, so that their steps do not wait for the sweep. Then it
 * looks at the head of each queue that the device can serve and takes the best step: by priority
 * first, then by age. Concurrent claims skip rows that another transaction has locked.
 */

import {
  anyQueuedStep,
  expiredLeases,
  headOfQueue,
  insertAttempt,
  lockHeadOfQueue,
  lockQueuedStep,
  lockStep,
  lockStepByNumber,
  queueById,
} from '../../store/changes/steps.ts';
import type { Optional } from '../../store/optional.ts';
import type { QueueRow, StepRow } from '../../store/schema/tables.ts';
import { insertRows } from '../../store/statements/inserts.ts';
import { endOf } from '../access/key-ends.ts';
import type { Principal } from '../access/principal.ts';
import { requireRight } from '../access/rights.ts';
import { hashOf, newLeaseToken } from '../access/secrets.ts';
import { visibleJob } from '../access/visible.ts';
import { type Change, change, topics } from '../core/change.ts';
import { Checks } from '../core/checks.ts';
import type { Domain } from '../core/domain.ts';
import { stepStatusesThatAllow } from '../core/lifecycle.ts';
import { InvalidInput, NotFound, wrongState } from '../core/refusals.ts';
import { moveJob, moveStep } from '../core/transitions.ts';
import type { Waker } from '../core/waker.ts';
import { describeEvictions } from '../preemption/preemption.ts';
import { noteTraining } from '../rounds/rounds.ts';
import { noteSeen, statusOf, visibleDevice } from '../steps/devices.ts';
import { lockedJob } from '../steps/lock-order.ts';
import { byTurn, type Claimant, claimantOf, fits, servedQueues, slotsLeft, unmetBy } from '../steps/matching.ts';
import { expiryOf } from './expiry.ts';
import { startWaiting } from './waiting.ts';

export interface Lease {
  readonly token: string;
  readonly attempt: number;
  readonly expiresAt: Date;
}
export interface Claim {
  readonly step: StepRow;
  readonly lease: Lease;
}

/**
 * Expired leases that one claim handles: more than one device holds, and too few to delay the
 * claim.
 */
const EXPIRED_AT_ONCE = 20;
/** Wakes a waiting claim whose wake-up was lost. */
const SAFETY_POLL_MS = 5_000;
/**
 * The first pause of a claim that found its step locked by another transaction. Each pause is twice
 * as long as the one before.
 */
const SHORTEST_PAUSE_MS = 20;

/** Takes one named step. */
export async function claimStep(
  domain: Domain,
  principal: Principal,
  input: { jobId: string; stepNumber: number; deviceId?: Optional<string>; leaseSeconds: number },
): Promise<Claim> {
  requireRight(principal, 'claimSteps');
  checkLeaseSeconds(domain, input.leaseSeconds);
  return afterExpiry(domain, principal, async (change) => {
    await visibleJob(change, principal, input.jobId);
    const claimant = await claimantFor(change, principal, input.deviceId);
    const [step] = await change.tx.run(lockStepByNumber, { jobId: input.jobId, number: input.stepNumber });
    if (!step) throw new NotFound('step', `${input.jobId} ${input.stepNumber}`);
    if (step.status !== 'QUEUED') throw wrongState.step(step, stepStatusesThatAllow('claim'));
    await requireFit(change, claimant, step);
    return take(change, claimant, step, input.leaseSeconds);
  });
}

async function requireFit({ tx, domain }: Change, claimant: Claimant, step: StepRow): Promise<void> {
  const [queue] = await tx.run(queueById, { id: step.queueId });
  const issues = queue ? unmetBy(claimant, queue).map(({ explanation }) => explanation) : [];
  if (queue && issues.length === 0 && slotsLeft(claimant) > 0 && !fits(claimant, step, queue))
    issues.push('The free capacity of the device is reserved for another step.');
  if (claimant.device && slotsLeft(claimant) === 0) issues.push(`All ${claimant.device.slots} slots of the device are taken.`);
  if (claimant.device && statusOf(domain, claimant.device) === 'DRAINING')
    issues.push('The device is draining, so it may not claim steps. Set its isDraining to false first.');
  if (issues.length > 0) throw new InvalidInput(issues.map((message) => ({ path: ['deviceId'], message })));
}

export interface ClaimNextStepsInput {
  deviceId?: Optional<string>;
  projectId?: Optional<string>;
  limit: number;
  leaseSeconds: number;
  waitSeconds: number;
}

/**
 * Takes the first steps that the device may run, in claim order. If there is none, waits for one.
 * Returns an empty list if none came.
 */
export async function claimNextSteps(
  domain: Domain,
  principal: Principal,
  input: ClaimNextStepsInput,
  { signal, wakeups }: { signal?: AbortSignal | undefined; wakeups: Waker },
): Promise<{ claims: Claim[] }> {
  requireRight(principal, 'claimSteps');
  checkClaim(domain, input);
  // Monotonic time: if the wall clock were set back an hour, the claim would wait an hour longer.
  const until = domain.clock.elapsed() + input.waitSeconds * 1_000;
  const deviceId = input.deviceId ?? principal.deviceId;
  const wait = input.waitSeconds > 0 ? startWaiting(domain, wakeups, deviceId, signal) : null;
  let pause = SHORTEST_PAUSE_MS;
  // Each look notes that the device was seen, as often as its status needs.
  const lookAgainAfterMs = domain.limits.heartbeatSeconds * 250;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let isPoll = false;
  try {
    for (;;) {
      if (signal?.aborted || wakeups.isStopping) return { claims: [] };
      // The wait starts listening before the look, so that a step queued in between wakes it.
      wait?.ticket.startLook();
      const isRecent = domain.clock.elapsed() - lookedAt < lookAgainAfterMs;
      const isIdle: boolean = isPoll && isRecent && (await isNothingQueued(domain));
      if (!isIdle) lookedAt = domain.clock.elapsed();
      const { claims, inHand }: Claimed = isIdle ? nothing : await claimNow(domain, principal, input);
      await wait?.ticket.finishLook(
        async (queueId) => (await domain.store.read.run(headOfQueue, { queueId, limit: 1 })).length > 0,
        inHand,
      );
      const left = until - domain.clock.elapsed();
      if (!wait || claims.length > 0 || left <= 0) return { claims };
      pause = inHand.size > 0 ? Math.min(pause * 2, SAFETY_POLL_MS) : SHORTEST_PAUSE_MS;
      domain.instruments.waitingClaims.value += 1;
      const isWoken: boolean = await wait.sleep(Math.min(left, inHand.size > 0 ? pause : SAFETY_POLL_MS)).finally(() => {
        domain.instruments.waitingClaims.value -= 1;
      });
      isPoll = !isWoken && inHand.size === 0;
      // A client that gave up would never learn of its lease. The key may have ended during the
      // wait.
      if (signal?.aborted || (await endOf(domain, principal)) !== null) return { claims: [] };
    }
  } finally {
    wait?.end();
  }
}

interface Claimed {
  readonly claims: Claim[];
  /**
   * Queues with a step for the claimant that another transaction has locked. Empty if this claim
   * took steps.
   */
  readonly inHand: ReadonlySet<string>;
}

const nothing: Claimed = { claims: [], inHand: new Set() };

/** Whether no step is queued anywhere: at rest, every waiting device asks every few seconds. */
export const isNothingQueued = async ({ store }: Domain): Promise<boolean> => (await store.read.run(anyQueuedStep, {})).length === 0;

async function claimNow(domain: Domain, principal: Principal, input: ClaimNextStepsInput): Promise<Claimed> {
  return afterExpiry(domain, principal, async (change) => {
    const claimant = await claimantFor(change, principal, input.deviceId);
    if (claimant.device?.isDraining) return { claims: [], inHand: new Set() };
    const claims: Claim[] = [];
    const wanted = Math.min(input.limit, slotsLeft(claimant));
    let now = claimant;
    let inHand: ReadonlySet<string> = new Set();
    while (claims.length < wanted) {
      const best = await takeBest(change, now, input.projectId ?? null);
      if (best instanceof Set) {
        if (claims.length === 0) inHand = best;
        break;
      }
      claims.push(await take(change, now, best.step, input.leaseSeconds));
      const reserved = now.reserved.filter(({ id }) => id !== best.step.id);
      now = { ...now, held: [...now.held, { resources: best.resources }], reserved };
    }
    return { claims, inHand };
  });
}

/**
 * Takes and locks the best step in the queues that the claimant may serve with its free capacity.
 * If another transaction has every such step locked, returns the queues they stand in: that
 * transaction may take them, or not.
 */
async function takeBest({ tx }: Change, claimant: Claimant, projectId: string | null) {
  const queues = (await servedQueues(tx, claimant)).filter((queue) => projectId === null || queue.projectId === projectId);
  const isFree = (step: Pick<StepRow, 'id' | 'priority'>, queue: QueueRow) => claimant.reserved.length === 0 || fits(claimant, step, queue);
  const [only, ...others] = queues;
  // Nothing to compare: the head is locked at once.
  if (only && others.length === 0 && claimant.reserved.length === 0) {
    const [step] = await tx.run(lockHeadOfQueue, { queueId: only.id, limit: 1 });
    if (step) return { step, resources: only.resources };
  }
  const heads = [];
  for (const queue of queues) {
    // A step with a reservation goes first on its device, even if others stand before it in its
    // queue.
    for (const kept of claimant.reserved) if (kept.queueId === queue.id) heads.push({ ...kept, part: null, queue, isKept: true });
    const [head] = await tx.run(headOfQueue, { queueId: queue.id, limit: 1 });
    if (head) heads.push({ ...head, queue, isKept: false });
  }
  const free = heads.filter((head) => isFree(head, head.queue)).sort(byTurn);
  for (const { queue, isKept, id } of free) {
    const [step] = isKept ? await tx.run(lockQueuedStep, { id }) : await tx.run(lockHeadOfQueue, { queueId: queue.id, limit: 1 });
    if (step && isFree(step, queue)) return { step, resources: queue.resources };
    // The head changed since it was read, and the new one is not for this claimant. Its lock makes
    // other claims skip it until this transaction ends, so wake them then.
    if (step) tx.touch(topics.work(queue.id));
  }
  // A step of a round is also locked while another step of its job ends. No other claim takes it
  // then, so wait for the lock.
  for (const { queue, part, id } of free) {
    const [step] = part === null ? [] : await tx.run(lockStep, { id });
    if (step?.status === 'QUEUED' && isFree(step, queue)) return { step, resources: queue.resources };
  }
  return new Set(free.map(({ queue }) => queue.id));
}

/** Gives the step to the claimant: a new attempt under a new lease. */
async function take(change: Change, { device }: Claimant, step: StepRow, leaseSeconds: number): Promise<Claim> {
  const { tx, domain, now } = change;
  const attempt = step.attemptCount + 1;
  const queuedSeconds = step.queuedAt ? (now.getTime() - step.queuedAt.getTime()) / 1_000 : 0;
  change.count(() => domain.instruments.queuedSeconds.note(Math.max(0, queuedSeconds)));
  const token = newLeaseToken(domain, { stepId: step.id, attempt });
  const expiresAt = new Date(now.getTime() + leaseSeconds * 1_000);
  const description = `Claimed by ${device?.name ?? change.actor}${await describeEvictions(change, step, device)}.`;
  const job = await lockedJob(change, step.jobId);
  const taken = await moveStep(
    change,
    step,
    'claim',
    { reason: 'CLAIMED', description },
    {
      attemptCount: attempt,
      startedAt: step.startedAt ?? now,
      leaseHash: hashOf(token),
      leaseDeviceId: device?.id ?? null,
      leaseExpiresAt: expiresAt,
      leaseSeconds,
      reservedDeviceId: null,
      displacedIds: null,
      logSize: 0,
    },
  );
  await insertRows(tx, insertAttempt, [
    {
      stepId: step.id,
      number: attempt,
      jobId: step.jobId,
      deviceId: device?.id ?? null,
      outcome: 'RUNNING',
      reason: null,
      description: '',
      exitCode: null,
      claimedAt: now,
      leaseExpiresAt: expiresAt,
      finishedAt: null,
    },
  ]);
  await noteTraining(change, step);
  const starts = job.startedAt === null;
  await moveJob(
    change,
    job,
    'start',
    { reason: 'CLAIMED', description },
    {
      startedAt: job.startedAt ?? now,
      deviceId: device?.id ?? null,
      deadlineAt: starts
        ? job.runTimeoutSeconds === null
          ? null
          : new Date(now.getTime() + job.runTimeoutSeconds * 1_000)
        : job.deadlineAt,
    },
  );
  return { step: taken, lease: { token, attempt, expiresAt } };
}

/**
 * Runs a claim when no lease is overdue. The claim looks in its own transaction; if there are any,
 * they are expired first, each in its own. One that fails is left to the sweep, which retries and
 * reports it: it must not hold up a claim.
 */
async function afterExpiry<T>(domain: Domain, principal: Principal, claim: (change: Change) => Promise<T>): Promise<T> {
  const { clock, retries, clockGuard } = domain;
  const limit = EXPIRED_AT_ONCE + retries.size;
  const looked = await change(domain, principal, async (change) => {
    const expired = await change.tx.run(expiredLeases, { now: clockGuard.dueBy(), limit });
    const tasks = expired.map(({ id }) => expiryOf(id)).filter(({ name }) => !retries.isBackingOff(name, clock.now()));
    return tasks.length > 0 ? { tasks } : { claimed: await claim(change) };
  });
  if ('claimed' in looked) return looked.claimed;
  for (const { work } of looked.tasks) await change(domain, null, work).catch(() => {});
  return change(domain, principal, claim);
}

/**
 * Returns the claimant: the device named in the input, the device that the key belongs to, or a
 * person.
 */
async function claimantFor(change: Change, principal: Principal, deviceId: Optional<string>): Promise<Claimant> {
  const id = deviceId ?? principal.deviceId;
  if (id === null) return { device: null, projectId: principal.projectId, held: [], reserved: [] };
  const device = await visibleDevice(change, principal, id);
  await noteSeen(change, device);
  return claimantOf(change.tx, device);
}

export function checkLeaseSeconds(domain: Domain, leaseSeconds: number): void {
  const checks = new Checks(domain);
  checks.range(['leaseSeconds'], leaseSeconds, domain.limits.leaseSecondsAtLeast, domain.limits.leaseSecondsAtMost);
  checks.done();
}

function checkClaim(domain: Domain, input: ClaimNextStepsInput): void {
  const checks = new Checks(domain);
  checks.range(['leaseSeconds'], input.leaseSeconds, domain.limits.leaseSecondsAtLeast, domain.limits.leaseSecondsAtMost);
  checks.range(['waitSeconds'], input.waitSeconds, 0, domain.limits.waitSecondsAtMost);
  checks.range(['limit'], input.limit, 1, domain.limits.claimsAtMost);
  checks.done();
}
