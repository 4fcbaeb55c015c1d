/** What time brings to rounds: deadlines, the end of a job's duration, and devices that were invited and have gone. */
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

/** For the sweep: what is due of rounds, in this order. */
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
    await failRound(change, jobId, `Round ${number} did not have its ${round.quorum} models by its deadline.`);
}

/** Ends the job when the duration that was asked for is over: with what it has by then. Answers whether it is over. */
async function endDuration(change: Change, { jobId, terminationCriteria }: FederationRow): Promise<boolean> {
  const first = await firstRoundOf(change, jobId);
  const end = first ? durationEnd(terminationCriteria, first.startedAt) : null;
  if (end === null || end > change.now) return false;
  const job = await lockedJob(change, jobId);
  if (isTerminalJob(job.status) || job.status === 'CANCELLING') return true;
  await endJob(change, job, 'succeed', { reason: 'TERMINATION_CRITERION', description: 'The duration that was asked for is over.' });
  return true;
}

/** Takes a step away from a device that will not come for it. */
async function abandon(change: Change, stepId: string): Promise<void> {
  const { tx, now } = change;
  const [seen] = await tx.run(stepById, { id: stepId });
  if (!seen) return;
  await lockRounds(change, seen);
  const [step] = await tx.run(lockStep, { id: stepId });
  if (step?.status !== 'QUEUED') return;
  const cause = {
    reason: 'LEASE_EXPIRED',
    description: 'Its device was not seen within its heartbeat interval, or takes no more work.',
  } as const;
  const failed = await moveStep(change, step, 'fail', cause, { finishedAt: now });
  await moveParticipant(change, stepId, 'drop');
  await dropStep(change, failed, cause);
}
