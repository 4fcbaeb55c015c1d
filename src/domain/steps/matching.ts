/** What a step asks of a device, and what a device has left: the one judgement behind claims and `whyNot` alike. */

import { devicesFor } from '../../store/changes/devices.ts';
import { allQueues, headOfQueue, loadOfDevice, queueById, queuesOfProject } from '../../store/changes/steps.ts';
import { deviceById } from '../../store/queries/rows.ts';
import type { DeviceRow, QueueRow, StepRow } from '../../store/schema/tables.ts';
import type { Queries } from '../../store/store.ts';
import type { Principal } from '../access/principal.ts';
import { may, sees } from '../access/rights.ts';
import type { Domain } from '../core/domain.ts';
import type { Capabilities, Need, Resources } from '../core/vocabulary.ts';
import { isForAggregator } from './aggregator.ts';
import { statusOf } from './devices.ts';

export interface Unmet {
  /** What is asked for: `gpu`, `label`, `slots` … */
  readonly requirement: string;
  readonly explanation: string;
}

/** A queued step for which others make room on a device, or have made it: see preemption.ts. */
export interface Reservation {
  readonly id: string;
  readonly priority: number;
  readonly queuedAt: Date | null;
  readonly queueId: string;
  readonly resources: Resources;
}

/** Who wants to claim: a device with what it has left, or a person, whom nothing but a pinned device keeps out. */
export interface Claimant {
  readonly device: DeviceRow | null;
  readonly projectId: string | null;
  /** What its steps hold now. */
  readonly held: readonly { readonly resources: Resources }[];
  readonly reserved: readonly Reservation[];
}

/** The order of claims: priority first, then age. */
export function byTurn(a: Pick<Reservation, 'id' | 'priority' | 'queuedAt'>, b: Pick<Reservation, 'id' | 'priority' | 'queuedAt'>): number {
  return b.priority - a.priority || (a.queuedAt?.getTime() ?? 0) - (b.queuedAt?.getTime() ?? 0) || (a.id < b.id ? -1 : 1);
}

/** What the steps of a queue ask for. */
export type Demand = Pick<QueueRow, 'projectId' | 'pinnedDeviceId' | 'resources' | 'requiredLabels' | 'need'>;

/** Whether the device could run it, were nothing else there. */
export const couldServe = (device: DeviceRow, demand: Demand): boolean =>
  unmetBy({ device, projectId: device.projectId, held: [] }, demand).length === 0;

const amounts = ['memoryMb', 'cpu', 'gpu'] as const;
const units = { memoryMb: 'MB of memory', cpu: 'cores', gpu: 'GPUs' } as const;

/** All that keeps this claimant from the steps of this queue; empty when it may take them. */
export function unmetBy({ device, projectId, held }: Omit<Claimant, 'reserved'>, queue: Demand): Unmet[] {
  const unmet: Unmet[] = [];
  const add = (requirement: string, explanation: string) => unmet.push({ requirement, explanation });
  if (projectId !== null && projectId !== queue.projectId) add('project', 'The device belongs to another project.');
  if (queue.pinnedDeviceId !== null && queue.pinnedDeviceId !== device?.id)
    add('pinnedDevice', `Only device ${queue.pinnedDeviceId} may claim it.`);
  if (!device) return unmet;
  if (device.kind === 'EDGE' && queue.pinnedDeviceId !== device.id)
    add('kind', 'The device is an edge device: it takes the steps of rounds that it was selected for, and others only when pinned to it.');
  if (isForAggregator(device.labels) && !isForAggregator(queue.requiredLabels))
    add('aggregation', "The device is the gateway's own, which runs nothing but aggregations.");
  const inability = inabilityOf(device.capabilities, queue.need);
  if (inability !== null) add('capability', inability);
  for (const amount of amounts) {
    const asked = queue.resources[amount];
    if (asked === null || asked === 0) continue;
    const has = device.resources[amount] ?? 0;
    const used = held.reduce((sum, { resources }) => sum + (resources[amount] ?? 0), 0);
    if (has < asked) add(amount, `It needs ${asked} ${units[amount]}; the device has ${has}.`);
    else if (has - used < asked) add(amount, `It needs ${asked} ${units[amount]}; the device has ${has}, and ${used} of them are in use.`);
  }
  const { gpuModel, shm } = queue.resources;
  if (gpuModel !== null && gpuModel !== device.resources.gpuModel) {
    add('gpuModel', `It needs a GPU of model ${gpuModel}; the device has ${device.resources.gpuModel ?? 'none'}.`);
  }
  if (shm && !device.resources.shm) add('shm', 'It needs shared memory; the device has none.');
  for (const { key, value } of queue.requiredLabels) {
    const label = device.labels.find((own) => own.key === key);
    if (label?.value !== value)
      add('label', `It needs the label ${key}=${value}; the device has ${label ? `${key}=${label.value}` : `no label ${key}`}.`);
  }
  return unmet;
}

/** Why what can run this much cannot run that. A device that has not said what it can run is taken to run all. */
function inabilityOf(can: Capabilities | null, need: Need | null): string | null {
  if (can === null || need === null) return null;
  if ('stepName' in need) {
    const isKnown = can.stepNames.includes(need.stepName);
    return isKnown ? null : `It has neither a command nor an image, and the device does not know steps named ${need.stepName}.`;
  }
  if (can.runs.includes(need.runs)) return null;
  return need.runs === 'CONTAINER'
    ? 'It runs in a container; the device runs none: an agent without a working Docker engine, say.'
    : 'It runs as a process of its device; the device runs none.';
}

export const slotsLeft = ({ device, held }: Pick<Claimant, 'device' | 'held'>): number =>
  device ? Math.max(0, device.slots - held.length) : Number.POSITIVE_INFINITY;

/** Whether the claimant may take this step now: room that is kept for others of its priority or a higher one is not for it. */
export function fits(claimant: Claimant, step: Pick<StepRow, 'id' | 'priority'>, queue: QueueRow): boolean {
  const isFor = claimant.reserved.some(({ id }) => id === step.id);
  const keeps = ({ id, priority }: Reservation) => id !== step.id && (isFor ? priority > step.priority : priority >= step.priority);
  const taken = { ...claimant, held: [...claimant.held, ...claimant.reserved.filter(keeps)] };
  return slotsLeft(taken) > 0 && unmetBy(taken, queue).length === 0;
}

/** The claimant that a device is now. */
export async function claimantOf(queries: Queries, device: DeviceRow): Promise<Claimant> {
  const load = await queries.run(loadOfDevice, { deviceId: device.id });
  const isQueued = ({ status }: { status: string }) => status === 'QUEUED';
  return { device, projectId: device.projectId, held: load.filter((step) => !isQueued(step)), reserved: load.filter(isQueued) };
}

/** The queues that the claimant may take steps from. */
export async function servedQueues(queries: Queries, claimant: Claimant): Promise<QueueRow[]> {
  const { projectId } = claimant;
  const queues = projectId === null ? await queries.run(allQueues, {}) : await queries.run(queuesOfProject, { projectId });
  return queues.filter((queue) => unmetBy(claimant, queue).length === 0);
}

/** The steps that the device could claim now, were it to claim one; of each queue at most `atMost`. */
export async function claimableBy(domain: Domain, deviceId: string, atMost = 100): Promise<{ id: string; queuedAt: Date | null }[]> {
  const { read } = domain.store;
  const [device] = await read.run(deviceById, { id: deviceId });
  if (!device || device.isDraining) return [];
  const claimant = await claimantOf(read, device);
  if (slotsLeft(claimant) === 0) return [];
  const steps = [];
  for (const queue of await servedQueues(read, claimant)) {
    const heads = await read.run(headOfQueue, { queueId: queue.id, limit: atMost });
    steps.push(...(claimant.reserved.length === 0 ? heads : heads.filter((step) => fits(claimant, step, queue))));
  }
  return steps;
}

export interface WhyNot extends Unmet {
  readonly device: DeviceRow | null;
}

/** Why a step is not claimed now: what is unmet, by device, or what the step itself waits for. Empty for a step that is held or has ended. */
export async function whyNot(
  domain: Domain,
  principal: Principal,
  step: Pick<StepRow, 'id' | 'status' | 'number' | 'priority' | 'queueId' | 'projectId'>,
  deviceId: string | null,
): Promise<WhyNot[]> {
  if (step.status === 'BLOCKED') {
    return [
      { device: null, requirement: 'earlierStep', explanation: `Step ${step.number} waits for an earlier step of its job to succeed.` },
    ];
  }
  if (step.status !== 'QUEUED') return [];
  // What devices lack is told by their names, and says what else they run.
  if (!may(principal, 'readDevices'))
    return [{ device: null, requirement: 'device', explanation: 'No device has claimed it yet; this key may not read devices.' }];
  const { read } = domain.store;
  const [queue] = await read.run(queueById, { id: step.queueId });
  if (!queue) return [];
  // The gateway's own device would stand in every answer, and is the reason for nothing.
  const isInPlay = (device: DeviceRow) => !isForAggregator(device.labels) || isForAggregator(queue.requiredLabels);
  const devices = (await devicesFor(read, step.projectId)).filter(
    (device) => sees(principal, device) && (deviceId === null ? isInPlay(device) : device.id === deviceId),
  );
  if (devices.length === 0) {
    return [
      {
        device: null,
        requirement: 'device',
        explanation: deviceId ? `There is no device ${deviceId} in its project.` : 'Its project has no device.',
      },
    ];
  }
  const reasons: WhyNot[] = [];
  for (const device of devices) {
    const claimant = await claimantOf(read, device);
    const status = statusOf(domain, device);
    const add = (requirement: string, explanation: string) => reasons.push({ device, requirement, explanation });
    if (status === 'OFFLINE') add('online', 'The device is offline: it was not seen within its heartbeat interval.');
    if (status === 'DRAINING') add('draining', 'The device is draining: it claims nothing more.');
    if (slotsLeft(claimant) === 0) add('slots', `All ${device.slots} slots of the device are taken.`);
    const unmet = unmetBy(claimant, queue);
    reasons.push(...unmet.map((one) => ({ device, ...one })));
    if (claimant.reserved.some(({ id }) => id === step.id) && !fits(claimant, step, queue))
      add('preemption', 'What it runs was told to make room for this step, and has not let go yet.');
    else if (slotsLeft(claimant) > 0 && unmet.length === 0 && !fits(claimant, step, queue))
      add('reserved', 'What room it has is kept for a step that others made room for.');
  }
  return reasons;
}
