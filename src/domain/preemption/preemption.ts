/**
 * Preemption: a step that is not preemptible and fits nowhere evicts preemptible steps of lower or
 * equal priority.
 *
 * It has three phases. First, a pass finds the queued steps that fit nowhere, chooses evictions for
 * each, and records them. Second, the device of an evicted step learns of it with its next renewal
 * or report, and gives the step back. The step is queued again behind those of its priority. Its
 * job becomes SUSPENDED if nothing else of it runs. Third, the capacity stays reserved for the step
 * that others were evicted for, against steps of the same or lower priority. The reservation ends
 * when that step is claimed, on this device or another, or when it times out (see
 * core/reservations.ts). After a time-out the step looks for another device. A device that does not
 * give its step back keeps the lease.
 *
 * A pass decides on what it has read. Each decision is checked again under the locks of its steps,
 * and dropped if anything has changed; the next pass decides anew. So any number of gateways may
 * run passes at the same time.
 */
import { devicesFor } from '../../store/changes/devices.ts';
import {
  allReservations,
  anyHeldStepOfJob,
  anyPreemptibleStep,
  anyReservation,
  requestEviction,
  reserve,
  stepsOnDevices,
  waitingInQueue,
} from '../../store/changes/reservations.ts';
import { allQueues, lockStep } from '../../store/changes/steps.ts';
import { jobById, stepById } from '../../store/queries/rows.ts';
import type { DeviceRow, JobRow, StepRow } from '../../store/schema/tables.ts';
import { anyTopic, type Topic } from '../../store/store.ts';
import { type Change, topics } from '../core/change.ts';
import type { Domain } from '../core/domain.ts';
import { runTasks, throwFailures } from '../core/retries.ts';
import { moveJob } from '../core/transitions.ts';
import { endAttempt } from '../jobs/progression.ts';
import { statusOf } from '../steps/devices.ts';
import { lockedJob } from '../steps/lock-order.ts';
import { byTurn, type Reservation } from '../steps/matching.ts';
import { chooseEvictions, couldRunAt, type DeviceLoad, fitsAt, type HeldStep, type Waiting } from './candidates.ts';

/** Steps per queue that one pass considers. The next pass considers more. */
const AT_ONCE = 20;
/** The pause between two passes. It keeps their cost small however many steps are queued. */
const PAUSE_MS = 100;

/**
 * Runs a pass whenever a step is queued, until it is stopped. Of several gateways, only the elected
 * one does.
 */
export function startPreemption(domain: Domain, onError: (error: unknown) => void): () => Promise<void> {
  let isStopped = false;
  let isAsked = false;
  let running: Promise<void> | null = null;
  let stopTimer = () => {};
  const run = () => {
    isAsked = false;
    running = preempt(domain)
      .then(throwFailures)
      .catch(onError)
      .then(() => {
        stopTimer = domain.clock.after(PAUSE_MS, () => {
          running = null;
          if (isAsked && !isStopped) run();
        });
      });
  };
  const onCommit = (touched: ReadonlySet<Topic>) => {
    if (isStopped || !domain.store.isElected || !(touched.has(topics.anyQueue) || touched.has(anyTopic))) return;
    isAsked = true;
    if (running === null) run();
  };
  // What other gateways queue need not be told: the sweep runs a pass as well.
  const stopListening = domain.store.onCommit(onCommit, []);
  return async () => {
    isStopped = true;
    stopListening();
    await running;
    stopTimer();
  };
}

/** A step, the device reserved for it, and the steps to evict there. */
interface Decision {
  readonly step: WaitingStep;
  /** Null: the step's reservation ends. */
  readonly deviceId: string | null;
  readonly evictions: readonly HeldStep[];
}

interface WaitingStep extends Waiting {
  readonly projectId: string;
  readonly queuedAt: Date | null;
  readonly reservedDeviceId: string | null;
}

/**
 * Runs one pass over the waiting steps, in claim order. Returns the errors of tasks that failed for
 * the first time.
 */
export async function preempt(domain: Domain): Promise<Error[]> {
  const { read } = domain.store;
  const [anyone] = await read.run(anyPreemptibleStep, {});
  if (!anyone && (await read.run(anyReservation, {})).length === 0) return [];
  const waiting: WaitingStep[] = [];
  for (const queue of await read.run(allQueues, {})) {
    for (const step of await read.run(waitingInQueue, { queueId: queue.id, limit: AT_ONCE })) waiting.push({ ...step, queue });
  }
  if (waiting.length === 0) return [];
  const decisions = await decide(domain, waiting.sort(byTurn));
  return runTasks(
    domain,
    decisions.map((decision) => ({ name: `The evictions for ${decision.step.id}`, work: (change) => carryOut(change, decision) })),
  );
}

async function decide(domain: Domain, waiting: readonly WaitingStep[]): Promise<Decision[]> {
  const loads = await readLoads(domain, new Set(waiting.map(({ projectId }) => projectId)));
  const { reservations, limits } = domain;
  const now = domain.clock.now();
  reservations.forgetOld(now, limits.reservationSeconds);
  const decisions: Decision[] = [];
  for (const step of waiting) {
    if (step.reservedDeviceId !== null) reservations.note(step.id, step.reservedDeviceId, now);
    const isOver = (deviceId: string) => reservations.isOver(step.id, deviceId, limits.reservationSeconds);
    const within = loads.of(step.projectId).filter((load) => couldRunAt(load, step) && !isOver(load.device.id));
    // The step has a reservation on a device that is online, and no step of a higher priority has
    // taken the capacity.
    if (within.some((load) => load.device.id === step.reservedDeviceId && fitsAt(load, step))) continue;
    const free = within.find((load) => fitsAt(load, step));
    const chosen = free ? { load: free, evictions: [] } : chooseEvictions(within, step);
    const hasGivenUp = step.reservedDeviceId !== null && isOver(step.reservedDeviceId);
    if (hasGivenUp && (chosen?.evictions.length ?? 0) === 0) decisions.push({ step, deviceId: null, evictions: [] });
    if (!chosen) continue;
    if (free) reservations.note(step.id, free.device.id, now);
    loads.give(chosen.load, step, chosen.evictions);
    if (chosen.evictions.length > 0) decisions.push({ step, deviceId: chosen.load.device.id, evictions: chosen.evictions });
  }
  return decisions;
}

/** The online devices, each as it will be when all evictions requested so far are done. */
async function readLoads(domain: Domain, projectIds: ReadonlySet<string>) {
  const { read } = domain.store;
  const held = Map.groupBy(await stepsOnDevices(read), ({ deviceId }) => deviceId);
  const reserved = Map.groupBy(await allReservations(read), ({ deviceId }) => deviceId);
  const loadOf = (device: DeviceRow): DeviceLoad => ({
    device,
    held: (held.get(device.id) ?? []).filter(({ status, preemptedForId }) => status === 'RUNNING' && preemptedForId === null),
    reserved: reserved.get(device.id) ?? [],
  });
  const loads = new Map<string, DeviceLoad>();
  const idsOf = new Map<string, string[]>();
  for (const projectId of projectIds) {
    const devices = (await devicesFor(read, projectId)).filter((device) => statusOf(domain, device) === 'ONLINE');
    // In a fixed order, so that several gateways that decide at the same time decide the same.
    idsOf.set(projectId, devices.map(({ id }) => id).sort());
    for (const device of devices) if (!loads.has(device.id)) loads.set(device.id, loadOf(device));
  }
  return {
    of: (projectId: string): DeviceLoad[] => (idsOf.get(projectId) ?? []).flatMap((id) => loads.get(id) ?? []),
    /**
     * For the rest of the pass, counts the step as placed on the device and the evicted steps as
     * gone.
     */
    give(load: DeviceLoad, { id, priority, queuedAt, queue }: WaitingStep, evictions: readonly HeldStep[]): void {
      const own: Reservation = { id, priority, queuedAt, queueId: queue.id, resources: queue.resources };
      for (const [deviceId, { reserved, ...other }] of loads)
        if (reserved.some((one) => one.id === id)) loads.set(deviceId, { ...other, reserved: reserved.filter((one) => one.id !== id) });
      const { device, held, reserved } = loads.get(load.device.id) ?? load;
      loads.set(device.id, { device, held: held.filter((step) => !evictions.includes(step)), reserved: [...reserved, own] });
    },
  };
}

async function carryOut({ tx }: Change, { step, deviceId, evictions }: Decision): Promise<void> {
  // Sorted by id, which within a job is by number: every transaction locks steps in this order.
  for (const id of [step.id, ...evictions.map((eviction) => eviction.id)].sort()) {
    const [now] = await tx.run(lockStep, { id });
    const eviction = evictions.find((one) => one.id === id);
    const isAsSeen = eviction
      ? now?.status === 'RUNNING' && now.leaseDeviceId === deviceId && now.attemptCount === eviction.attempt && now.preemptedForId === null
      : now?.status === 'QUEUED' && now.reservedDeviceId === step.reservedDeviceId;
    if (!isAsSeen) return;
  }
  for (const { id } of evictions) await tx.run(requestEviction, { id, forId: step.id });
  await tx.run(reserve, { id: step.id, deviceId, displacedIds: deviceId === null ? null : evictions.map(({ id }) => id) });
  // The capacity that was reserved there is free for all again.
  if (step.reservedDeviceId !== null) tx.touch(topics.device(step.reservedDeviceId));
}

/**
 * Ends the attempt of an evicted step. It counts as neither failed nor lost. The step is queued
 * behind those of its priority, so that it does not take its old slot back. Its job becomes
 * SUSPENDED if nothing else of it runs.
 */
export async function evict(change: Change, step: StepRow, said = ''): Promise<{ step: StepRow; job: JobRow }> {
  const taker = await nameOf(change, step.preemptedForId ?? '', step.projectId);
  const cause = { reason: 'PREEMPTED', description: `Evicted for ${taker}.${said && ` ${said}`}` } as const;
  const left = await endAttempt(change, step, 'PREEMPTED', 'requeue', cause, { queuedAt: change.now });
  const job = await lockedJob(change, step.jobId);
  const [other] = await change.tx.run(anyHeldStepOfJob, { jobId: job.id });
  if (other || job.status !== 'RUNNING') return { step: left, job };
  return { step: left, job: await moveJob(change, job, 'suspend', cause) };
}

/**
 * Names the steps that were evicted for this one, as the end of a sentence. Empty if the step is
 * claimed elsewhere than on its reserved device, or none was evicted.
 */
export async function describeEvictions(change: Change, step: StepRow, device: DeviceRow | null): Promise<string> {
  if (device === null || step.reservedDeviceId !== device.id || step.displacedIds === null) return '';
  const names = [];
  for (const id of step.displacedIds) names.push(await nameOf(change, id, step.projectId));
  return `, in place of ${names.join(' and ')}`;
}

/**
 * Names a step in the history of another. Steps of other projects are not named: readers of this
 * project must not see them.
 */
async function nameOf({ tx }: Change, stepId: string, projectId: string): Promise<string> {
  const [step] = await tx.run(stepById, { id: stepId });
  if (!step) return 'a step that is gone';
  if (step.projectId !== projectId) return 'a step of another project';
  const [job] = await tx.run(jobById, { id: step.jobId });
  return `step ${step.number} of ${job?.name ?? 'a job'} (${step.jobId})`;
}
