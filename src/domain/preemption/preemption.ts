/**
 * Preemption: a step that may not be preempted and has nowhere to run takes the place of one that may, of lower or equal priority.
 *
 * It goes in three acts. A pass finds the steps that wait and who is to make room for each; it notes both, and that is all. The device of a step that is to
 * leave is told when it renews its lease or reports, and lets go; the step is queued again, behind those of its priority, and its job is SUSPENDED
 * when nothing else of it runs. Room that was made is kept on that device for the step that it was made for, against all of the same or lower priority,
 * until that step is claimed, there or elsewhere, or has waited for it as long as one waits (see reservations.ts): then it looks for another place, and the
 * room is anyone's. A device that does not let go keeps its lease.
 *
 * A pass decides on what it has read; each decision is then looked at again under the locks of its steps, and dropped when anything has changed: the
 * next pass sees. So any number of gateways may do this at once.
 */
import { devicesFor } from '../../store/changes/devices.ts';
import {
  allReservations,
  anyHeldStepOfJob,
  anyPreemptibleStep,
  requestEviction,
  reserve,
  stepsOnDevices,
  waitingInQueue,
} from '../../store/changes/reservations.ts';
import { allQueues, lockStep } from '../../store/changes/steps.ts';
import { jobById, stepById } from '../../store/queries/rows.ts';
import type { DeviceRow, JobRow, StepRow } from '../../store/schema/tables.ts';
import { anyTopic } from '../../store/store.ts';
import { type Change, topics } from '../core/change.ts';
import type { Domain } from '../core/domain.ts';
import { runTasks, throwFailures } from '../core/retries.ts';
import { moveJob } from '../core/transitions.ts';
import { endAttempt } from '../jobs/progression.ts';
import { statusOf } from '../steps/devices.ts';
import { lockedJob } from '../steps/lock-order.ts';
import { byTurn, type Reservation } from '../steps/matching.ts';
import { chooseEvictions, couldRunAt, type DeviceLoad, fitsAt, type HeldStep, type Waiting } from './candidates.ts';

/** Steps of one queue that a pass makes room for: the next pass sees to more. */
const AT_ONCE = 20;
/** Between two passes: however many steps are queued, passes stay a small part of what the gateway does. */
const PAUSE_MS = 100;

/** Makes room whenever a step is queued, until it is ended. */
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
  const stopListening = domain.store.onCommit((touched) => {
    if (isStopped || !(touched.has(topics.anyQueue) || touched.has(anyTopic))) return;
    isAsked = true;
    if (running === null) run();
  });
  return async () => {
    isStopped = true;
    stopListening();
    await running;
    stopTimer();
  };
}

/** One who waits is to have the place of others. */
interface Decision {
  readonly step: WaitingStep;
  /** Where; null is that no room is made for it any more. */
  readonly deviceId: string | null;
  readonly evictions: readonly HeldStep[];
}

interface WaitingStep extends Waiting {
  readonly projectId: string;
  readonly queuedAt: Date | null;
  readonly reservedDeviceId: string | null;
}

/** One pass: for each step that waits, in the order of claims. Answers what failed for the first time. */
export async function preempt(domain: Domain): Promise<Error[]> {
  const { read } = domain.store;
  const [anyone] = await read.run(anyPreemptibleStep, {});
  if (!anyone && (await allReservations(read)).length === 0) return [];
  const waiting: WaitingStep[] = [];
  for (const queue of await read.run(allQueues, {})) {
    for (const step of await read.run(waitingInQueue, { queueId: queue.id, limit: AT_ONCE })) waiting.push({ ...step, queue });
  }
  if (waiting.length === 0) return [];
  const decisions = await decide(domain, waiting.sort(byTurn));
  return runTasks(
    domain,
    decisions.map((decision) => ({ name: `Room for ${decision.step.id}`, work: (change) => carryOut(change, decision) })),
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
    // Room is being made for it already, on a device that is there to take it, and no one of a higher priority has taken it instead.
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

/** The devices that can be counted on, each as it will be when those that were told to leave have left. */
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
    // In a fixed order: several gateways that look at the same moment come to the same.
    idsOf.set(projectId, devices.map(({ id }) => id).sort());
    for (const device of devices) if (!loads.has(device.id)) loads.set(device.id, loadOf(device));
  }
  return {
    of: (projectId: string): DeviceLoad[] => (idsOf.get(projectId) ?? []).flatMap((id) => loads.get(id) ?? []),
    /** For the rest of the pass: the step is there, and these are not. */
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
  // By id, which within a job is by number: the order in which everyone locks steps.
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
  // What was kept there for it is anyone's.
  if (step.reservedDeviceId !== null) tx.touch(topics.device(step.reservedDeviceId));
}

/**
 * Lets go of a step that was told to make room: neither failed nor lost. It stands behind those of its priority, so that it does not take its own place
 * back; its job is SUSPENDED when nothing else of it runs.
 */
export async function evict(change: Change, step: StepRow, said = ''): Promise<{ step: StepRow; job: JobRow }> {
  const taker = await nameOf(change, step.preemptedForId ?? '', step.projectId);
  const cause = { reason: 'PREEMPTED', description: `It made room for ${taker}.${said && ` ${said}`}` } as const;
  const left = await endAttempt(change, step, 'PREEMPTED', 'requeue', cause, { queuedAt: change.now });
  const job = await lockedJob(change, step.jobId);
  const [other] = await change.tx.run(anyHeldStepOfJob, { jobId: job.id });
  if (other || job.status !== 'RUNNING') return { step: left, job };
  return { step: left, job: await moveJob(change, job, 'suspend', cause) };
}

/** Whose place a step takes that is claimed where room was made for it: the end of a sentence, or nothing. */
export async function describeEvictions(change: Change, step: StepRow, device: DeviceRow | null): Promise<string> {
  if (device === null || step.reservedDeviceId !== device.id || step.displacedIds === null) return '';
  const names = [];
  for (const id of step.displacedIds) names.push(await nameOf(change, id, step.projectId));
  return `, in place of ${names.join(' and ')}`;
}

/** A step as the history of another one names it. What belongs to another project is not for everyone who reads that. */
async function nameOf({ tx }: Change, stepId: string, projectId: string): Promise<string> {
  const [step] = await tx.run(stepById, { id: stepId });
  if (!step) return 'a step that is gone';
  if (step.projectId !== projectId) return 'a step of another project';
  const [job] = await tx.run(jobById, { id: step.jobId });
  return `step ${step.number} of ${job?.name ?? 'a job'} (${step.jobId})`;
}
