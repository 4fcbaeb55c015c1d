/**
 * Deadlines of rounds, the end of a job's maximum duration, and devices that went away after they
 * were selected.
 */
import { abandonedSteps, overdueRounds, roundByNumber } from '../../store/changes/federations.ts';
import { lockStep } from '../../store/changes/steps.ts';
import { stepById } from '../../store/queries/rows.ts';
import type { FederationRow, RoundRow } from '../../store/schema/tables.ts';
import type { Change } from '../core/change.ts';
import type { Domain } from '../core/domain.ts';
import { isTerminalJob } from '../core/lifecycle.ts';
import type { Task } from '../core/retries.ts';
import { moveParticipant, moveStep } from '../core/transitions.ts';
import { firstRoundOf } from '../federation/federation.ts';
import { durationEnd } from '../federation/termination.ts';
import { endJob } from '../jobs/progression.ts';
import { lockedJob, lockRounds } from '../steps/lock-order.ts';
import { dropStep, failRound, federationOf } from './rounds.ts';

const AT_ONCE = 100;

/** The tasks of the sweep for rounds, in this order. */
export const roundsDue: readonly ((domain: Domain) => Promise<Task[]>)[] = [deadlinesDue, devicesGone];

async function deadlinesDue({ store, clockGuard, retries }: Domain): Promise<Task[]> {
  const rounds = await store.read.run(overdueRounds, { now: clockGuard.dueBy(), limit: AT_ONCE + retries.size });
  return rounds.map((round) => ({
    name: `The deadline of round ${round.number} of ${round.jobId}`,
    work: (change) => endOverdue(change, round),
  }));
}

async function devicesGone({ store, clockGuard, limits, retries }: Domain): Promise<Task[]> {
  const since = new Date(clockGuard.dueBy().getTime() - limits.heartbeatSeconds * 1_000);
  const steps = await store.read.run(abandonedSteps, { since, limit: AT_ONCE + retries.size });
  return steps.map(({ id }) => ({ name: `The device of ${id}`, work: (change) => abandon(change, id) }));
}

async function endOverdue(change: Change, { jobId, number }: Pick<RoundRow, 'jobId' | 'number'>): Promise<void> {
  await lockRounds(change, { jobId, part: 'TRAIN' });
  const [round] = await change.tx.run(roundByNumber, { jobId, number });
  if (!round || round.finishedAt !== null || round.deadlineAt === null || round.deadlineAt > change.now) return;
  if (await endDuration(change, await federationOf(change, jobId))) return;
  if (round.status === 'TRAINING')
    await failRound(change, jobId, `Round ${number} did not get its ${round.quorum} models by its deadline.`);
}

/**
 * Ends the job if its maximum duration is over, with the models it has. Returns whether it was
 * over.
 */
async function endDuration(change: Change, { jobId, terminationCriteria }: FederationRow): Promise<boolean> {
  const first = await firstRoundOf(change, jobId);
  const end = first ? durationEnd(terminationCriteria, first.startedAt) : null;
  if (end === null || end > change.now) return false;
  const job = await lockedJob(change, jobId);
  if (isTerminalJob(job.status) || job.status === 'CANCELLING') return true;
  await endJob(change, job, 'succeed', { reason: 'TERMINATION_CRITERION', description: 'The job has reached its maxDurationSeconds.' });
  return true;
}

/** Drops a device that will not claim its step. */
async function abandon(change: Change, stepId: string): Promise<void> {
  const { tx, now } = change;
  const [seen] = await tx.run(stepById, { id: stepId });
  if (!seen) return;
  await lockRounds(change, seen);
  const [step] = await tx.run(lockStep, { id: stepId });
  if (step?.status !== 'QUEUED') return;
  const cause = {
    reason: 'LEASE_EXPIRED',
    description: 'The device was not seen within its heartbeat interval, or is draining.',
  } as const;
  const failed = await moveStep(change, step, 'fail', cause, { finishedAt: now });
  await moveParticipant(change, stepId, 'drop');
  await dropStep(change, failed, cause);
}
