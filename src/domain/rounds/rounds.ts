/**
 * How a federated job goes on: models come in, the quorum is reached, they are aggregated, the next round starts or the job ends. All of it under
 * the locks of lock-order.ts.
 */
import {
  lockFederation,
  metricsOfAttempt,
  modelOfAttempt,
  participantsOfRound,
  recordAggregate,
  roundByNumber,
} from '../../store/changes/federations.ts';
import { saveJobFields } from '../../store/changes/jobs.ts';
import { lockUnfinishedSteps } from '../../store/changes/steps.ts';
import type { FederationRow, JobRow, ParticipantRow, RoundRow, StepRow } from '../../store/schema/tables.ts';
import { type Change, topics } from '../core/change.ts';
import { isTerminalJob } from '../core/lifecycle.ts';
import { InvalidInput } from '../core/refusals.ts';
import { type Cause, moveParticipant, moveRound, moveStep } from '../core/transitions.ts';
import { addAggregation, firstRoundOf, tryRound } from '../federation/federation.ts';
import { durationEnd, isMet } from '../federation/termination.ts';
import { endJob, finishCancel } from '../jobs/progression.ts';
import { lockedJob } from '../steps/lock-order.ts';

export async function federationOf({ tx }: Change, jobId: string): Promise<FederationRow> {
  const [federation] = await tx.run(lockFederation, { jobId });
  if (!federation) throw new Error(`A step of a round is of a federated job: ${jobId}`);
  return federation;
}

async function roundOf({ tx }: Change, step: StepRow): Promise<RoundRow> {
  const [round] = await tx.run(roundByNumber, { jobId: step.jobId, number: step.round ?? 0 });
  if (!round) throw new Error(`A step of a round has a round: ${step.id}`);
  return round;
}

/** A device has claimed its step of the round. */
export async function noteTraining(change: Change, step: StepRow): Promise<void> {
  if (step.part === 'TRAIN') await moveParticipant(change, step.id, 'train');
}

export interface Submission {
  /** The fragment that was looked at and found to be as it should be: see submissions.ts. */
  readonly inspectedId: string | null;
  readonly numSamples: number | null;
}

/** What an attempt hands in. */
interface HandedIn {
  readonly fragmentId: string;
  readonly numSamples: number | null;
  readonly metrics: Readonly<Record<string, number>>;
}

/** After a step of a round was completed: its model is handed in, or the aggregate is. Answers the job. */
export async function advanceRound(change: Change, step: StepRow, { inspectedId, numSamples }: Submission): Promise<JobRow> {
  const { tx } = change;
  const attempt = { jobId: step.jobId, attempt: step.attemptCount };
  const [model] = await tx.run(modelOfAttempt, { ...attempt, stepId: step.id });
  const refuse = (message: string) => new InvalidInput([{ path: ['leaseToken'], message }]);
  if (!model) {
    throw refuse(
      'The attempt has handed in no model: announce one with createFragment (type MODEL, with the leaseToken), upload it, then complete the step.',
    );
  }
  if (model.id !== inspectedId) throw refuse('Another model came in while this one was looked at: complete the step again.');
  const reported = await tx.run(metricsOfAttempt, { ...attempt, stepNumber: step.number });
  const metrics = Object.fromEntries(reported.map(({ name, value }) => [name, value]));
  const handedIn = { fragmentId: model.id, numSamples, metrics };
  return step.part === 'AGGREGATE' ? takeAggregate(change, step, handedIn) : takeModel(change, step, handedIn);
}

async function takeModel(change: Change, step: StepRow, handedIn: HandedIn): Promise<JobRow> {
  const { jobId } = step;
  const federation = await federationOf(change, jobId);
  const round = await roundOf(change, step);
  const job = await lockedJob(change, jobId);
  const isLate = round.status !== 'TRAINING';
  await moveParticipant(change, step.id, isLate ? 'submitLate' : 'submit', handedIn);
  if (job.status === 'CANCELLING') return finishCancel(change, job);
  if (isLate || (await submittedIn(change, round)).length < round.quorum) return job;
  await stopOthers(change, round);
  await moveRound(change, job, round, 'aggregate', {
    // Its models are here in time. What may still end it is the duration of the job.
    deadlineAt: durationEnd(federation.terminationCriteria, (await firstRoundOf(change, jobId))?.startedAt ?? round.startedAt),
  });
  await addAggregation(change, job, federation, round.number);
  return lockedJob(change, jobId);
}

async function submittedIn({ tx }: Change, { jobId, number }: RoundRow): Promise<ParticipantRow[]> {
  return (await tx.run(participantsOfRound, { jobId, round: number })).filter(({ status }) => status === 'SUBMITTED');
}

/** Tells the devices that still train to stop, and those that have not started that they need not. */
async function stopOthers(change: Change, { jobId, number, quorum }: RoundRow): Promise<void> {
  const { tx, now } = change;
  const cause = { reason: 'QUORUM_REACHED', description: `Round ${number} has its ${quorum} models.` } as const;
  for (const step of await tx.run(lockUnfinishedSteps, { jobId })) {
    if (step.part !== 'TRAIN' || step.round !== number) continue;
    if (step.status === 'RUNNING') {
      await moveStep(change, step, 'requestCancel', cause);
      if (step.leaseDeviceId) tx.touch(topics.device(step.leaseDeviceId));
    } else if (step.status === 'QUEUED') {
      await moveStep(change, step, step.attemptCount > 0 ? 'cancel' : 'skip', cause, { finishedAt: now });
      await moveParticipant(change, step.id, 'drop');
    }
  }
}

async function takeAggregate(change: Change, step: StepRow, { fragmentId, metrics }: HandedIn): Promise<JobRow> {
  const { tx, now } = change;
  const federation = await federationOf(change, step.jobId);
  const round = await roundOf(change, step);
  const job = await lockedJob(change, step.jobId);
  if (job.status === 'CANCELLING') return finishCancel(change, job);
  const submitted = await submittedIn(change, round);
  const isWeighted = submitted.every(({ numSamples }) => numSamples !== null);
  const ended = await moveRound(change, job, round, 'succeed', {
    aggregateModelId: fragmentId,
    metrics: { ...meanOf(submitted, isWeighted), ...metrics },
    isWeighted,
    finishedAt: now,
  });
  await tx.run(recordAggregate, { jobId: job.id, fragmentId });
  await saveJobFields(tx, job.id, { resultModelId: fragmentId });
  return goOn(change, { ...job, resultModelId: fragmentId }, { ...federation, aggregateModelId: fragmentId }, ended);
}

/** The mean of each metric that all of them reported. */
function meanOf(submitted: readonly ParticipantRow[], isWeighted: boolean): Record<string, number> {
  const [first, ...others] = submitted;
  const names = Object.keys(first?.metrics ?? {}).filter((name) => others.every(({ metrics }) => Object.hasOwn(metrics, name)));
  const weightOf = ({ numSamples }: ParticipantRow) => (isWeighted ? (numSamples ?? 0) : 1);
  const total = submitted.reduce((sum, participant) => sum + weightOf(participant), 0);
  return Object.fromEntries(
    names.map((name) => [name, submitted.reduce((sum, one) => sum + ((one.metrics[name] ?? 0) * weightOf(one)) / total, 0)]),
  );
}

/** After a round succeeded: the job has, when a criterion holds or none was asked for; else the next round starts on a new selection. */
async function goOn(change: Change, job: JobRow, federation: FederationRow, last: RoundRow): Promise<JobRow> {
  const { terminationCriteria: criteria } = federation;
  if (criteria.length === 0) return endJob(change, job, 'succeed', { reason: 'COMPLETED' });
  const startedAt = (await firstRoundOf(change, job.id))?.startedAt ?? last.startedAt;
  const progress = { startedAt, now: change.now, rounds: last.number, metrics: last.metrics };
  if (criteria.some((criterion) => isMet(criterion, progress))) {
    return endJob(change, job, 'succeed', {
      reason: 'TERMINATION_CRITERION',
      description: `A termination criterion held after round ${last.number}.`,
    });
  }
  const tooFew = await tryRound(change, job, federation, last.number + 1);
  return tooFew ? endJob(change, job, 'fail', tooFew) : lockedJob(change, job.id);
}

/** After a step of a round failed for good, and its device was dropped: the round is over too when too few remain. Answers the job. */
export async function dropStep(change: Change, step: StepRow, cause: Cause): Promise<JobRow> {
  const { tx } = change;
  const { jobId } = step;
  await federationOf(change, jobId);
  const round = await roundOf(change, step);
  const { number, quorum } = round;
  if (step.part === 'AGGREGATE') {
    const description = `Round ${number} could not be aggregated${cause.description ? `: ${cause.description}` : '.'}`;
    return endJob(change, await lockedJob(change, jobId), 'fail', { ...cause, description });
  }
  const participants = await tx.run(participantsOfRound, { jobId, round: number });
  const remaining = participants.filter(({ status }) => status !== 'DROPPED').length;
  if (round.status !== 'TRAINING' || remaining >= quorum) return lockedJob(change, jobId);
  return failRound(change, jobId, `Round ${number} needs ${quorum} models; devices that remain: ${remaining}.`);
}

/** Ends the job, since a round of it cannot have its models any more. */
export async function failRound(change: Change, jobId: string, description: string): Promise<JobRow> {
  const job = await lockedJob(change, jobId);
  if (isTerminalJob(job.status) || job.status === 'CANCELLING') return job;
  return endJob(change, job, 'fail', { reason: 'QUORUM_UNREACHABLE', description });
}
