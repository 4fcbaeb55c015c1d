/**
 * What a step asks of a device, and what a device has free. Claims and why-not.ts decide by it.
 */

import { allQueues, headOfQueue, loadOfDevice, queuesOfProject } from '../../store/changes/steps.ts';
import { deviceById } from '../../store/queries/rows.ts';
import type { DeviceRow, QueueRow, StepRow } from '../../store/schema/tables.ts';
import type { Queries } from '../../store/store.ts';
import type { Domain } from '../core/domain.ts';
import type { Capabilities, Need, Resources } from '../core/vocabulary.ts';
import { isForAggregator } from './aggregator.ts';

export interface Unmet {
  /** The unmet requirement: `gpu`, `label`, `slots` … */
  readonly requirement: string;
  readonly explanation: string;
}

/** A queued step for which capacity of a device is reserved, or being freed: see preemption.ts. */
export interface Reservation {
  readonly id: string;
  readonly priority: number;
  readonly queuedAt: Date | null;
  readonly queueId: string;
  readonly resources: Resources;
}

/**
 * The claimant: a device with its free capacity, or a person, who may claim any step that is not
 * pinned to a device.
 */
export interface Claimant {
  readonly device: DeviceRow | null;
  readonly projectId: string | null;
  /** The resources that its steps hold now. */
  readonly held: readonly { readonly resources: Resources }[];
  readonly reserved: readonly Reservation[];
}

/** The claim order: by priority, then by age. */
export function byTurn(a: Pick<Reservation, 'id' | 'priority' | 'queuedAt'>, b: Pick<Reservation, 'id' | 'priority' | 'queuedAt'>): number {
  return b.priority - a.priority || (a.queuedAt?.getTime() ?? 0) - (b.queuedAt?.getTime() ?? 0) || (a.id < b.id ? -1 : 1);
}

/** What the steps of a queue ask for. */
export type Demand = Pick<QueueRow, 'projectId' | 'pinnedDeviceId' | 'resources' | 'requiredLabels' | 'need'>;

/** Whether the device could run the step if it held nothing else. */
export const couldServe = (device: DeviceRow, demand: Demand): boolean =>
  unmetBy({ device, projectId: device.projectId, held: [] }, demand).length === 0;

const amounts = ['memoryMb', 'cpu', 'gpu'] as const;
const units = { memoryMb: 'MB of memory', cpu: 'cores', gpu: 'GPUs' } as const;

/** Everything that keeps this claimant from the steps of this queue. Empty if it may take them. */
export function unmetBy({ device, projectId, held }: Omit<Claimant, 'reserved'>, queue: Demand): Unmet[] {
  const unmet: Unmet[] = [];
  const add = (requirement: string, explanation: string) => unmet.push({ requirement, explanation });
  if (projectId !== null && projectId !== queue.projectId) add('project', 'The device belongs to another project.');
  if (queue.pinnedDeviceId !== null && queue.pinnedDeviceId !== device?.id)
    add('pinnedDevice', `The step is pinned to device ${queue.pinnedDeviceId}.`);
  if (!device) return unmet;
  if (device.kind === 'EDGE' && queue.pinnedDeviceId !== device.id)
    add('kind', 'The device is an edge device: it may claim steps of rounds that it was selected for, and steps pinned to it.');
  if (isForAggregator(device.labels) && !isForAggregator(queue.requiredLabels))
    add('aggregation', "The device is the gateway's own aggregator, which only runs aggregations.");
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

/**
 * Explains why a device with these capabilities cannot run such a step. Null if it can. A device
 * that declares no capabilities can run everything.
 */
function inabilityOf(can: Capabilities | null, need: Need | null): string | null {
  if (can === null || need === null) return null;
  if ('stepName' in need) {
    const isKnown = can.stepNames.includes(need.stepName);
    return isKnown ? null : `It has neither a command nor an image, and the device does not know steps named ${need.stepName}.`;
  }
  if (can.runs.includes(need.runs)) return null;
  return need.runs === 'CONTAINER'
    ? 'It runs in a container; the device runs none. Its agent may lack a working Docker engine.'
    : 'It runs as a process of its device; the device runs none.';
}

export const slotsLeft = ({ device, held }: Pick<Claimant, 'device' | 'held'>): number =>
  device ? Math.max(0, device.slots - held.length) : Number.POSITIVE_INFINITY;

/**
 * Whether the claimant may take this step now. Capacity reserved for steps of the same or a higher
 * priority is not free for it.
 */
export function fits(claimant: Claimant, step: Pick<StepRow, 'id' | 'priority'>, queue: QueueRow): boolean {
  const isFor = claimant.reserved.some(({ id }) => id === step.id);
  const keeps = ({ id, priority }: Reservation) => id !== step.id && (isFor ? priority > step.priority : priority >= step.priority);
  const taken = { ...claimant, held: [...claimant.held, ...claimant.reserved.filter(keeps)] };
  return slotsLeft(taken) > 0 && unmetBy(taken, queue).length === 0;
}

/** The device as a claimant, with what it holds now. */
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

/** The steps that the device could claim now, at most `atMost` of each queue. */
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
