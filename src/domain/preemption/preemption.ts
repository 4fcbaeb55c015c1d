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
  anyHeldStepOfJob,
  anyPreemptibleStep,
  reservations,
  reserveRoom,
  stepsOnDevices,
  tellToMakeRoom,
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
import { chooseVictims, couldRunAt, type HeldStep, hasRoomAt, type Place, type Waiting } from './candidates.ts';

/** Steps of one queue that a pass makes room for: the next pass sees to more. */
const AT_ONCE = 20;
/** Between two passes: however many steps are queued, passes stay a small part of what the gateway does. */
const PAUSE_MS = 100;

/** Makes room whenever a step is queued, until it is ended. */
export function keepMakingRoom(domain: Domain, onError: (error: unknown) => void): () => Promise<void> {
  let isStopped = false;
  let isAsked = false;
  let running: Promise<void> | null = null;
  let stopTimer = () => {};
  const run = () => {
    isAsked = false;
    running = makeRoom(domain)
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
  readonly victims: readonly HeldStep[];
}

interface WaitingStep extends Waiting {
  readonly projectId: string;
  readonly queuedAt: Date | null;
  readonly reservedDeviceId: string | null;
}

/** One pass: for each step that waits, in the order of claims. Answers what failed for the first time. */
export async function makeRoom(domain: Domain): Promise<Error[]> {
  const { read } = domain.store;
  const [anyone] = await read.run(anyPreemptibleStep, {});
  if (!anyone && (await reservations(read)).length === 0) return [];
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
  const places = await readPlaces(domain, new Set(waiting.map(({ projectId }) => projectId)));
  const { patience, limits } = domain;
  const now = domain.clock.now();
  patience.forgetOld(now, limits.roomSeconds);
  const decisions: Decision[] = [];
  for (const step of waiting) {
    if (step.reservedDeviceId !== null) patience.note(step.id, step.reservedDeviceId, now);
    const isOver = (deviceId: string) => patience.isOver(step.id, deviceId, limits.roomSeconds);
    const within = places.of(step.projectId).filter((place) => couldRunAt(place, step) && !isOver(place.device.id));
    // Room is being made for it already, on a device that is there to take it, and no one of a higher priority has taken it instead.
    if (within.some((place) => place.device.id === step.reservedDeviceId && hasRoomAt(place, step))) continue;
    const free = within.find((place) => hasRoomAt(place, step));
    const chosen = free ? { place: free, victims: [] } : chooseVictims(within, step);
    const hasGivenUp = step.reservedDeviceId !== null && isOver(step.reservedDeviceId);
    if (hasGivenUp && (chosen?.victims.length ?? 0) === 0) decisions.push({ step, deviceId: null, victims: [] });
    if (!chosen) continue;
    if (free) patience.note(step.id, free.device.id, now);
    places.give(chosen.place, step, chosen.victims);
    if (chosen.victims.length > 0) decisions.push({ step, deviceId: chosen.place.device.id, victims: chosen.victims });
  }
  return decisions;
}

/** The devices that can be counted on, each as it will be when those that were told to leave have left. */
async function readPlaces(domain: Domain, projectIds: ReadonlySet<string>) {
  const { read } = domain.store;
  const held = Map.groupBy(await stepsOnDevices(read), ({ deviceId }) => deviceId);
  const reserved = Map.groupBy(await reservations(read), ({ deviceId }) => deviceId);
  const placeOf = (device: DeviceRow): Place => ({
    device,
    held: (held.get(device.id) ?? []).filter(({ status, preemptedForId }) => status === 'RUNNING' && preemptedForId === null),
    reserved: reserved.get(device.id) ?? [],
  });
  const places = new Map<string, Place>();
  const idsOf = new Map<string, string[]>();
  for (const projectId of projectIds) {
    const devices = (await devicesFor(read, projectId)).filter((device) => statusOf(domain, device) === 'ONLINE');
    // In a fixed order: several gateways that look at the same moment come to the same.
    idsOf.set(projectId, devices.map(({ id }) => id).sort());
    for (const device of devices) if (!places.has(device.id)) places.set(device.id, placeOf(device));
  }
  return {
    of: (projectId: string): Place[] => (idsOf.get(projectId) ?? []).flatMap((id) => places.get(id) ?? []),
    /** For the rest of the pass: the step is there, and these are not. */
    give(place: Place, { id, priority, queuedAt, queue }: WaitingStep, victims: readonly HeldStep[]): void {
      const own: Reservation = { id, priority, queuedAt, queueId: queue.id, resources: queue.resources };
      for (const [deviceId, { reserved, ...other }] of places)
        if (reserved.some((one) => one.id === id)) places.set(deviceId, { ...other, reserved: reserved.filter((one) => one.id !== id) });
      const { device, held, reserved } = places.get(place.device.id) ?? place;
      places.set(device.id, { device, held: held.filter((step) => !victims.includes(step)), reserved: [...reserved, own] });
    },
  };
}

async function carryOut({ tx }: Change, { step, deviceId, victims }: Decision): Promise<void> {
  // By id, which within a job is by number: the order in which everyone locks steps.
  for (const id of [step.id, ...victims.map((victim) => victim.id)].sort()) {
    const [now] = await tx.run(lockStep, { id });
    const victim = victims.find((one) => one.id === id);
    const isAsSeen = victim
      ? now?.status === 'RUNNING' && now.leaseDeviceId === deviceId && now.attemptCount === victim.attempt && now.preemptedForId === null
      : now?.status === 'QUEUED' && now.reservedDeviceId === step.reservedDeviceId;
    if (!isAsSeen) return;
  }
  for (const { id } of victims) await tx.run(tellToMakeRoom, { id, forId: step.id });
  await tx.run(reserveRoom, { id: step.id, deviceId, displacedIds: deviceId === null ? null : victims.map(({ id }) => id) });
  // What was kept there for it is anyone's.
  if (step.reservedDeviceId !== null) tx.touch(topics.device(step.reservedDeviceId));
}

/**
 * Lets go of a step that was told to make room: neither failed nor lost. It stands behind those of its priority, so that it does not take its own place
 * back; its job is SUSPENDED when nothing else of it runs.
 */
export async function leavePlace(change: Change, step: StepRow, said = ''): Promise<{ step: StepRow; job: JobRow }> {
  const taker = await nameOf(change, step.preemptedForId ?? '', step.projectId);
  const cause = { reason: 'PREEMPTED', description: `It made room for ${taker}.${said && ` ${said}`}` } as const;
  const left = await endAttempt(change, step, 'PREEMPTED', 'requeue', cause, { queuedAt: change.now });
  const job = await lockedJob(change, step.jobId);
  const [other] = await change.tx.run(anyHeldStepOfJob, { jobId: job.id });
  if (other || job.status !== 'RUNNING') return { step: left, job };
  return { step: left, job: await moveJob(change, job, 'suspend', cause) };
}

/** Whose place a step takes that is claimed where room was made for it: the end of a sentence, or nothing. */
export async function tellPlace(change: Change, step: StepRow, device: DeviceRow | null): Promise<string> {
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
