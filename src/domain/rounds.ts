/**
 * How a federated job goes on: submissions come in, the quorum is reached, the models are aggregated, the next round starts or the job ends.
 *
 * Many steps of such a job run at once, so its changes lock the federation's row first, then the steps of the round by number, then the job:
 * two devices that hand in at the same moment take turns instead of waiting for one another.
 */
import {
  abandonedSteps,
  keepAggregate,
  lockFederation,
  lockStepsOfRound,
  modelOfAttempt,
  overdueRounds,
  participantsOfRound,
  roundByNumber,
  saveParticipant,
} from '../store/changes/federations.ts';
import { saveJobFields } from '../store/changes/jobs.ts';
import { lockStep } from '../store/changes/steps.ts';
import { stepById } from '../store/queries/rows.ts';
import type { FederationRow, JobRow, ParticipantRow, RoundRow, StepRow } from '../store/tables.ts';
import { type Change, change, topics } from './change.ts';
import type { Domain } from './domain.ts';
import { addAggregation, tryRound } from './federation.ts';
import { isTerminalJob } from './lifecycle.ts';
import { endJob, finishCancel, lockedJob } from './progression.ts';
import { InvalidInput } from './refusals.ts';
import { moveRound } from './roundEnds.ts';
import { durationEnd, isMet } from './termination.ts';
import { type Cause, moveStep } from './transitions.ts';

const AT_ONCE = 100;

async function federationOf({ tx }: Change, jobId: string): Promise<FederationRow> {
  const [federation] = await tx.run(lockFederation, { jobId });
  if (!federation) throw new Error(`A step of a round is of a federated job: ${jobId}`);
  return federation;
}

/** To be called before the step is locked, wherever an attempt may end. */
export async function lockRounds({ tx }: Change, step: Pick<StepRow, 'jobId' | 'part'>): Promise<void> {
  if (step.part !== null) await tx.run(lockFederation, { jobId: step.jobId });
}

/** A device has claimed its step of the round. */
export async function noteTraining(change: Change, step: StepRow): Promise<void> {
  if (step.part === 'TRAIN') await saveParticipant(change.tx, step.id, { status: 'TRAINING' });
}

export interface Submission {
  readonly numSamples: number | null;
  readonly metrics: Readonly<Record<string, number>>;
}

/** After a step of a round was completed: its model is handed in, or the aggregate is. Answers the job. */
export async function advanceRound(change: Change, step: StepRow, submission: Submission): Promise<JobRow> {
  const [model] = await change.tx.run(modelOfAttempt, { jobId: step.jobId, stepId: step.id, attempt: step.attemptCount });
  if (!model) {
    const message = `The attempt has handed in no model: announce one with createFragment (type MODEL, with the leaseToken), upload it, then complete the step.`;
    throw new InvalidInput([{ path: ['leaseToken'], message }]);
  }
  return step.part === 'AGGREGATE' ? takeAggregate(change, step, model.id, submission) : takeModel(change, step, model.id, submission);
}

async function takeModel(change: Change, step: StepRow, fragmentId: string, submission: Submission): Promise<JobRow> {
  const { tx } = change;
  const federation = await federationOf(change, step.jobId);
  const number = step.round ?? 0;
  const [round] = await tx.run(roundByNumber, { jobId: step.jobId, number });
  const isLate = round?.status !== 'TRAINING';
  await saveParticipant(change.tx, step.id, { status: isLate ? 'LATE' : 'SUBMITTED', fragmentId, ...submission });
  if (isLate) {
    const job = await lockedJob(change, step.jobId);
    return job.status === 'CANCELLING' ? finishCancel(change, job) : job;
  }
  const participants = await tx.run(participantsOfRound, { jobId: step.jobId, round: number });
  const submitted = participants.filter(({ status }) => status === 'SUBMITTED').length;
  if (submitted < round.quorum) return lockedJob(change, step.jobId);
  await stopOthers(change, step.jobId, number, {
    reason: 'QUORUM_REACHED',
    description: `Round ${number} has its ${round.quorum} models.`,
  });
  const job = await lockedJob(change, step.jobId);
  if (job.status === 'CANCELLING') return finishCancel(change, job);
  await moveRound(change, job, round, 'AGGREGATING', {});
  await addAggregation(change, job, federation, number);
  return lockedJob(change, step.jobId);
}

/** Tells the devices that still train to stop, and those that have not started that they need not. */
async function stopOthers(change: Change, jobId: string, number: number, cause: Cause): Promise<void> {
  for (const step of await change.tx.run(lockStepsOfRound, { jobId, round: number })) {
    if (step.part !== 'TRAIN') continue;
    if (step.status === 'RUNNING') {
      await moveStep(change, step, 'requestCancel', cause);
      if (step.leaseDeviceId) change.tx.touch(topics.device(step.leaseDeviceId));
    } else if (step.status === 'QUEUED') {
      await moveStep(change, step, step.attemptCount > 0 ? 'cancel' : 'skip', cause, { finishedAt: change.now });
      await saveParticipant(change.tx, step.id, { status: 'DROPPED' });
    }
  }
}

async function takeAggregate(change: Change, step: StepRow, fragmentId: string, { metrics }: Submission): Promise<JobRow> {
  const { tx, now } = change;
  const federation = await federationOf(change, step.jobId);
  const number = step.round ?? 0;
  const [round] = await tx.run(roundByNumber, { jobId: step.jobId, number });
  const job = await lockedJob(change, step.jobId);
  if (!round || isTerminalJob(job.status)) return job;
  if (job.status === 'CANCELLING') return finishCancel(change, job);
  const submitted = (await tx.run(participantsOfRound, { jobId: job.id, round: number })).filter(({ status }) => status === 'SUBMITTED');
  const isWeighted = submitted.every(({ numSamples }) => numSamples !== null);
  const all = { ...meanOf(submitted, isWeighted), ...metrics };
  await moveRound(change, job, round, 'SUCCEEDED', { aggregateModelId: fragmentId, metrics: all, isWeighted, finishedAt: now });
  await tx.run(keepAggregate, { jobId: job.id, fragmentId });
  await saveJobFields(tx, job.id, { resultModelId: fragmentId });
  const grown: JobRow = { ...job, resultModelId: fragmentId };
  return goOn(change, grown, { ...federation, aggregateModelId: fragmentId }, { number, metrics: all });
}

/** The mean of each metric that all of them reported. */
function meanOf(submitted: readonly ParticipantRow[], isWeighted: boolean): Record<string, number> {
  const [first, ...others] = submitted;
  const names = Object.keys(first?.metrics ?? {}).filter((name) => others.every(({ metrics }) => name in metrics));
  const weightOf = ({ numSamples }: ParticipantRow) => (isWeighted ? (numSamples ?? 0) : 1);
  const total = submitted.reduce((sum, participant) => sum + weightOf(participant), 0);
  if (total === 0) return {};
  return Object.fromEntries(
    names.map((name) => [name, submitted.reduce((sum, one) => sum + (one.metrics[name] ?? 0) * weightOf(one), 0) / total]),
  );
}

/** After a round succeeded: the job has, when a criterion holds or none was asked for; else the next round starts on a new selection. */
async function goOn(
  change: Change,
  job: JobRow,
  federation: FederationRow,
  last: { number: number; metrics: Readonly<Record<string, number>> },
): Promise<JobRow> {
  const { terminationCriteria: criteria } = federation;
  if (criteria.length === 0) return endJob(change, job, 'succeed', { reason: 'COMPLETED' });
  const progress = { startedAt: job.createdAt, now: change.now, rounds: last.number, metrics: last.metrics };
  if (criteria.some((criterion) => isMet(criterion, progress))) {
    return endJob(change, job, 'succeed', {
      reason: 'TERMINATION_CRITERION',
      description: `A termination criterion held after round ${last.number}.`,
    });
  }
  return nextRound(change, job, federation, last.number + 1);
}

async function nextRound(change: Change, job: JobRow, federation: FederationRow, number: number): Promise<JobRow> {
  const tooFew = await tryRound(change, job, federation, number);
  return tooFew ? endJob(change, job, 'fail', tooFew) : lockedJob(change, job.id);
}

/** After a step of a round failed for good: its device is out, and the round with it when too few remain. Answers the job. */
export async function dropStep(change: Change, step: StepRow, cause: Cause): Promise<JobRow> {
  const { tx } = change;
  await federationOf(change, step.jobId);
  const number = step.round ?? 0;
  const [round] = await tx.run(roundByNumber, { jobId: step.jobId, number });
  if (step.part === 'AGGREGATE') {
    const job = await lockedJob(change, step.jobId);
    return endJob(change, job, 'fail', { ...cause, description: cause.description || `Round ${number} could not be aggregated.` });
  }
  await saveParticipant(change.tx, step.id, { status: 'DROPPED' });
  const participants = await tx.run(participantsOfRound, { jobId: step.jobId, round: number });
  const remaining = participants.filter(({ status }) => status !== 'DROPPED').length;
  if (round?.status !== 'TRAINING' || remaining >= round.quorum) return lockedJob(change, step.jobId);
  return failRound(change, step.jobId, round, `Round ${number} needs ${round.quorum} models; ${remaining} devices remain.`);
}

async function failRound(change: Change, jobId: string, round: RoundRow, description: string): Promise<JobRow> {
  await change.tx.run(lockStepsOfRound, { jobId, round: round.number });
  const job = await lockedJob(change, jobId);
  if (isTerminalJob(job.status) || job.status === 'CANCELLING') return job;
  return endJob(change, job, 'fail', { reason: 'QUORUM_UNREACHABLE', description });
}

/** What time brings to rounds: deadlines, and devices that were invited and have gone. For the sweep. */
export async function sweepRounds(domain: Domain): Promise<void> {
  const { read } = domain.store;
  const now = domain.clock.now();
  for (const { jobId, number } of await read.run(overdueRounds, { now, limit: AT_ONCE })) {
    await change(domain, null, async (change) => {
      const federation = await federationOf(change, jobId);
      const [round] = await change.tx.run(roundByNumber, { jobId, number });
      if (!round || round.finishedAt !== null || round.deadlineAt === null || round.deadlineAt > change.now) return;
      if (await endDuration(change, federation, round)) return;
      if (round.status === 'TRAINING')
        await failRound(change, jobId, round, `Round ${number} did not have its ${round.quorum} models by its deadline.`);
    });
  }
  const since = new Date(now.getTime() - domain.limits.heartbeatSeconds * 1_000);
  for (const { id } of await read.run(abandonedSteps, { since, limit: AT_ONCE })) {
    await change(domain, null, (change) => abandon(change, id));
  }
}

/** Ends the job when the duration that was asked for is over: with what it has by then. */
async function endDuration(change: Change, { jobId, terminationCriteria }: FederationRow, round: RoundRow): Promise<boolean> {
  await change.tx.run(lockStepsOfRound, { jobId, round: round.number });
  const job = await lockedJob(change, jobId);
  const end = durationEnd(terminationCriteria, job.createdAt);
  if (end === null || end > change.now) return false;
  if (isTerminalJob(job.status) || job.status === 'CANCELLING') return true;
  await endJob(change, job, 'succeed', { reason: 'TERMINATION_CRITERION', description: 'The duration that was asked for is over.' });
  return true;
}

async function abandon(change: Change, stepId: string): Promise<void> {
  const { tx, now } = change;
  const [seen] = await tx.run(stepById, { id: stepId });
  if (seen) await lockRounds(change, seen);
  const [step] = await tx.run(lockStep, { id: stepId });
  if (step?.status !== 'QUEUED') return;
  const cause = { reason: 'LEASE_EXPIRED', description: 'Its device was not seen within its heartbeat interval.' } as const;
  const gone = await moveStep(change, step, 'fail', cause, { finishedAt: now });
  await dropStep(change, gone, cause);
}
