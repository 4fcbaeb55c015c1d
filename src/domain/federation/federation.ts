/** Federated jobs: their input, and the start of their rounds. */
import { insertFederation, insertParticipant, insertRound, onlineEdgeDevices, roundByNumber } from '../../store/changes/federations.ts';
import type { Optional } from '../../store/optional.ts';
import type { FederationRow, JobRow, ParticipantRow, RoundRow, StepRow } from '../../store/schema/tables.ts';
import { insertRows } from '../../store/statements/inserts.ts';
import { type Change, record, recordNow } from '../core/change.ts';
import { type Checks, type ContainerInput, containerOf, noResources } from '../core/checks.ts';
import { wrongInput } from '../core/refusals.ts';
import { type Cause, later, setJobFields } from '../core/transitions.ts';
import type { Container, DeviceSelectionStrategy, StepTemplate, TerminationCriterion } from '../core/vocabulary.ts';
import { aggregatorLabel } from '../steps/aggregator.ts';
import { couldServe } from '../steps/matching.ts';
import { makeSteps } from '../steps/planning.ts';
import { needOf } from '../steps/queues.ts';
import { selectDevices } from './selection.ts';
import { checkCriteria, durationEnd, type TerminationCriterionInput } from './termination.ts';

export interface FederationInput {
  deviceSelectionStrategy?: Optional<DeviceSelectionStrategy>;
  numDevices: number;
  numBufferDevices?: Optional<number>;
  selectionSeed?: Optional<string>;
  terminationCriteria?: Optional<readonly TerminationCriterionInput[]>;
  roundDeadlineSeconds?: Optional<number>;
  startModelFragmentId?: Optional<string>;
  trainContainer?: Optional<ContainerInput>;
  /**
   * A worker claims the aggregation and runs this container. Null: the gateway's own aggregator
   * averages.
   */
  aggregateContainer?: Optional<ContainerInput>;
}

/** Devices in one round: more would make the transaction too long. */
const MOST_DEVICES = 1_000;
/** A failed aggregation is tried again: the submitted models are still there. */
const AGGREGATE_ATTEMPTS = 3;

export function checkFederation(checks: Checks, input: FederationInput): { criteria: TerminationCriterion[] } {
  const path = ['federation'];
  checks.range([...path, 'numDevices'], input.numDevices, 1, MOST_DEVICES);
  checks.range([...path, 'numBufferDevices'], input.numBufferDevices, 0, MOST_DEVICES - Math.min(input.numDevices, MOST_DEVICES));
  checks.text([...path, 'selectionSeed'], input.selectionSeed, checks.limits.textAtMost);
  checks.seconds([...path, 'roundDeadlineSeconds'], input.roundDeadlineSeconds);
  checks.container([...path, 'trainContainer'], input.trainContainer);
  checks.container([...path, 'aggregateContainer'], input.aggregateContainer);
  return { criteria: checkCriteria(checks, [...path, 'terminationCriteria'], input.terminationCriteria) };
}

async function addFederation(
  change: Change,
  job: JobRow,
  input: FederationInput,
  { criteria, container }: { criteria: readonly TerminationCriterion[]; container: Container | null },
): Promise<FederationRow> {
  const federation: FederationRow = {
    jobId: job.id,
    deviceSelectionStrategy: input.deviceSelectionStrategy ?? 'RANDOM',
    numDevices: input.numDevices,
    numBufferDevices: input.numBufferDevices ?? 0,
    selectionSeed: input.selectionSeed ?? change.domain.random(8).toString('hex'),
    terminationCriteria: criteria,
    roundDeadlineSeconds: input.roundDeadlineSeconds ?? null,
    trainContainer: containerOf(input.trainContainer) ?? container,
    aggregateContainer: containerOf(input.aggregateContainer),
    aggregateModelId: null,
  };
  await insertRows(change.tx, insertFederation, [federation]);
  return federation;
}

/**
 * Selects the devices of a round: the requested number, or all that are online and match the
 * requirements of the training.
 */
async function chooseDevices({ tx, domain, now }: Change, job: JobRow, federation: FederationRow, round: number): Promise<string[]> {
  const since = new Date(now.getTime() - domain.limits.heartbeatSeconds * 1_000);
  const online = await tx.run(onlineEdgeDevices, { projectId: job.projectId, since });
  const resources = federation.trainContainer?.resources ?? noResources;
  const need = needOf(trainTemplate(federation, round, ''), 'TRAIN');
  const able = online.filter((device) =>
    couldServe(device, { projectId: job.projectId, pinnedDeviceId: device.id, resources, requiredLabels: [], need }),
  );
  return selectDevices(
    able.map(({ id }) => id),
    federation.numDevices + federation.numBufferDevices,
    federation.selectionSeed,
    round,
  );
}

/** Selects the devices when a job is created. Too few devices are then an error of the input. */
async function requireDevices(change: Change, job: JobRow, federation: FederationRow): Promise<string[]> {
  const chosen = await chooseDevices(change, job, federation, 1);
  const wanted = federation.numDevices + federation.numBufferDevices;
  if (chosen.length === wanted) return chosen;
  throw wrongInput.tooFewDevices(wanted, chosen.length);
}

/** The start of the job's maximum duration. Undefined while the job waits in its experiment. */
export async function firstRoundOf({ tx }: Change, jobId: string): Promise<RoundRow | undefined> {
  const [first] = await tx.run(roundByNumber, { jobId, number: 1 });
  return first;
}

/**
 * Creates the federation of a new job and starts its first round. For a job that waits in its
 * experiment, the round starts when its turn comes. Returns the number of steps.
 */
export async function beginFederation(
  change: Change,
  job: JobRow,
  input: FederationInput,
  { seq, isBlocked, ...asked }: { criteria: readonly TerminationCriterion[]; container: Container | null; seq: number; isBlocked: boolean },
): Promise<number> {
  const federation = await addFederation(change, job, input, asked);
  if (isBlocked) return 0;
  const deviceIds = await requireDevices(change, job, federation);
  await setJobFields(change, job.id, { stepCount: deviceIds.length });
  await startRound(change, job, federation, { number: 1, deviceIds, from: 0, seq });
  return deviceIds.length;
}

interface RoundStart {
  readonly number: number;
  readonly deviceIds: readonly string[];
  /** The number of its first step. */
  readonly from: number;
  /** The event that reports the new steps. */
  readonly seq: number;
}

/**
 * Starts a round: one training step per device. All can be claimed at once, each only by its own
 * device.
 */
async function startRound(
  change: Change,
  job: JobRow,
  federation: FederationRow,
  { number, deviceIds, from, seq }: RoundStart,
): Promise<RoundRow> {
  const { tx, now } = change;
  const first = await firstRoundOf(change, job.id);
  const round: RoundRow = {
    jobId: job.id,
    number,
    status: 'TRAINING',
    quorum: federation.numDevices,
    startModelId: federation.aggregateModelId ?? job.startModelId,
    aggregateModelId: null,
    metrics: {},
    isWeighted: null,
    startedAt: now,
    deadlineAt: earlier(
      federation.roundDeadlineSeconds === null ? null : new Date(now.getTime() + federation.roundDeadlineSeconds * 1_000),
      durationEnd(federation.terminationCriteria, first?.startedAt ?? now),
    ),
    finishedAt: null,
  };
  await insertRows(tx, insertRound, [round]);
  const templates = deviceIds.map((deviceId) => trainTemplate(federation, number, deviceId));
  const steps = await makeSteps(change, { job, templates, from, isFirstReady: true, areAllReady: true, seq, round: number, part: 'TRAIN' });
  const participants = steps.map(
    (step, position): ParticipantRow => ({
      jobId: job.id,
      round: number,
      deviceId: deviceIds[position] ?? '',
      stepId: step.id,
      status: 'INVITED',
      fragmentId: null,
      numSamples: null,
      metrics: {},
      position,
    }),
  );
  await insertRows(tx, insertParticipant, participants);
  record(change, job, { type: 'ROUND_CHANGED', from: null, to: 'TRAINING', details: [String(number)] });
  return round;
}

const earlier = (a: Date | null, b: Date | null): Date | null => (a === null || (b !== null && b < a) ? b : a);

function trainTemplate({ trainContainer }: FederationRow, round: number, deviceId: string): StepTemplate {
  const resources = trainContainer?.resources ?? noResources;
  return {
    name: `Train, round ${round}`,
    container: trainContainer,
    resources,
    pinnedDeviceId: deviceId,
    requiredLabels: [],
    maxAttempts: 1,
  };
}

/**
 * Starts a round with a new selection of devices. Returns the reason if too few devices are online.
 * Devices beyond the quorum are spares: a job that has begun continues without those that are gone.
 */
export async function tryRound(change: Change, job: JobRow, federation: FederationRow, number: number): Promise<Cause | null> {
  const deviceIds = await chooseDevices(change, job, federation, number);
  const { numDevices } = federation;
  if (deviceIds.length < numDevices) {
    const description = `Round ${number} needs ${numDevices} edge devices; online, with what it asks for: ${deviceIds.length}.`;
    return { reason: 'QUORUM_UNREACHABLE', description };
  }
  const seq = await growJob(change, job, deviceIds.length);
  await startRound(change, job, federation, { number, deviceIds, from: job.stepCount, seq });
  return null;
}

/** Adds the step that aggregates the submitted models. */
export async function addAggregation(change: Change, job: JobRow, federation: FederationRow, round: number): Promise<StepRow> {
  const { aggregateContainer: container } = federation;
  const template: StepTemplate = {
    name: `Aggregate, round ${round}`,
    container,
    resources: container?.resources ?? noResources,
    pinnedDeviceId: null,
    requiredLabels: container ? [] : [aggregatorLabel],
    maxAttempts: AGGREGATE_ATTEMPTS,
  };
  const seq = await growJob(change, job, 1);
  const steps = await makeSteps(change, {
    job,
    templates: [template],
    from: job.stepCount,
    isFirstReady: true,
    seq,
    round,
    part: 'AGGREGATE',
  });
  const [step] = steps;
  if (!step) throw new Error('One template makes one step.');
  return step;
}

/** Adds this many steps to the job. Returns the event that reports them. */
async function growJob(change: Change, job: JobRow, count: number): Promise<number> {
  const fields = { stepCount: job.stepCount + count, updatedAt: later(change.now, job.updatedAt) };
  await setJobFields(change, job.id, fields);
  return recordNow(change, job, { type: 'STEPS_ADDED', details: Array.from({ length: count }, (_, i) => String(job.stepCount + i)) });
}
