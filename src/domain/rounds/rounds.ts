/**
 * How a federated job advances. Models are submitted, the quorum is reached, the models are
 * aggregated, then the next round starts or the job ends. All of it happens under the locks of
 * steps/lock-order.ts.
 */
import {
  lockFederation,
  metricsOfAttempt,
  modelOfAttempt,
  participantsOfRound,
  recordAggregate,
  roundByNumber,
} from '../../store/changes/federations.ts';
import { lockUnfinishedSteps } from '../../store/changes/steps.ts';
import type { FederationRow, JobRow, ParticipantRow, RoundRow, StepRow } from '../../store/schema/tables.ts';
import { type Change, topics } from '../core/change.ts';
import { isTerminalJob } from '../core/lifecycle.ts';
import { wrongInput } from '../core/refusals.ts';
import { type Cause, moveParticipant, moveRound, moveStep, setJobFields } from '../core/transitions.ts';
import { addAggregation, firstRoundOf, tryRound } from '../federation/federation.ts';
import { durationEnd, isMet } from '../federation/termination.ts';
import { endJob, finishCancel } from '../jobs/progression.ts';
import { lockedJob } from '../steps/lock-order.ts';

export async function federationOf({ tx }: Change, jobId: string): Promise<FederationRow> {
  const [federation] = await tx.run(lockFederation, { jobId });
  if (!federation) throw new Error(`Job ${jobId} has a step with a round, but no federation.`);
  return federation;
}

async function roundOf({ tx }: Change, step: StepRow): Promise<RoundRow> {
  const [round] = await tx.run(roundByNumber, { jobId: step.jobId, number: step.round ?? 0 });
  if (!round) throw new Error(`Step ${step.id} belongs to a round that does not exist.`);
  return round;
}

/** Records that a device has claimed its training step. */
export async function noteTraining(change: Change, step: StepRow): Promise<void> {
  if (step.part === 'TRAIN') await moveParticipant(change, step.id, 'train');
}

export interface Submission {
  /** The fragment that was inspected and accepted: see submissions.ts. */
  readonly inspectedId: string | null;
  readonly numSamples: number | null;
}

/** The output of an attempt. */
interface Output {
  readonly fragmentId: string;
  readonly numSamples: number | null;
  readonly metrics: Readonly<Record<string, number>>;
}

/**
 * Advances the round after a step of it was completed: takes the submitted model, or the aggregate.
 * Returns the job.
 */
export async function advanceRound(change: Change, step: StepRow, { inspectedId, numSamples }: Submission): Promise<JobRow> {
  const { tx } = change;
  const attempt = { jobId: step.jobId, attempt: step.attemptCount };
  const [model] = await tx.run(modelOfAttempt, { ...attempt, stepId: step.id });
  if (!model) throw wrongInput.noSubmission();
  if (model.id !== inspectedId) throw wrongInput.submissionReplaced();
  const reported = await tx.run(metricsOfAttempt, { ...attempt, stepNumber: step.number });
  const metrics = Object.fromEntries(reported.map(({ name, value }) => [name, value]));
  const output = { fragmentId: model.id, numSamples, metrics };
  return step.part === 'AGGREGATE' ? takeAggregate(change, step, output) : takeModel(change, step, output);
}

async function takeModel(change: Change, step: StepRow, output: Output): Promise<JobRow> {
  const { jobId } = step;
  const federation = await federationOf(change, jobId);
  const round = await roundOf(change, step);
  const job = await lockedJob(change, jobId);
  const isLate = round.status !== 'TRAINING';
  await moveParticipant(change, step.id, isLate ? 'submitLate' : 'submit', output);
  if (job.status === 'CANCELLING') return finishCancel(change, job);
  if (isLate || (await submittedIn(change, round)).length < round.quorum) return job;
  await stopOthers(change, round);
  await moveRound(change, job, round, 'aggregate', {
    // The models came in time. Only the maximum duration of the job may still end it.
    deadlineAt: durationEnd(federation.terminationCriteria, (await firstRoundOf(change, jobId))?.startedAt ?? round.startedAt),
  });
  await addAggregation(change, job, federation, round.number);
  return lockedJob(change, jobId);
}

async function submittedIn({ tx }: Change, { jobId, number }: RoundRow): Promise<ParticipantRow[]> {
  return (await tx.run(participantsOfRound, { jobId, round: number })).filter(({ status }) => status === 'SUBMITTED');
}

/** Stops devices that still train, and cancels steps that were not claimed. */
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

async function takeAggregate(change: Change, step: StepRow, { fragmentId, metrics }: Output): Promise<JobRow> {
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
  await setJobFields(change, job.id, { resultModelId: fragmentId });
  return goOn(change, { ...job, resultModelId: fragmentId }, { ...federation, aggregateModelId: fragmentId }, ended);
}

/** The mean of each metric that all participants reported. */
function meanOf(submitted: readonly ParticipantRow[], isWeighted: boolean): Record<string, number> {
  const [first, ...others] = submitted;
  const names = Object.keys(first?.metrics ?? {}).filter((name) => others.every(({ metrics }) => Object.hasOwn(metrics, name)));
  const weightOf = ({ numSamples }: ParticipantRow) => (isWeighted ? (numSamples ?? 0) : 1);
  const total = submitted.reduce((sum, participant) => sum + weightOf(participant), 0);
  return Object.fromEntries(
    names.map((name) => [name, submitted.reduce((sum, one) => sum + ((one.metrics[name] ?? 0) * weightOf(one)) / total, 0)]),
  );
}

/**
 * After a round succeeded: the job succeeds if a termination criterion holds or there is none.
 * Otherwise the next round starts with a new selection of devices.
 */
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

/**
 * After a step of a round failed for good and its device was dropped. The round fails if fewer
 * devices than the quorum remain. Returns the job.
 */
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

/** Fails the job because a round cannot get enough models any more. */
export async function failRound(change: Change, jobId: string, description: string): Promise<JobRow> {
  const job = await lockedJob(change, jobId);
  if (isTerminalJob(job.status) || job.status === 'CANCELLING') return job;
  return endJob(change, job, 'fail', { reason: 'QUORUM_UNREACHABLE', description });
}
