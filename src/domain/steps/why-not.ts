/**
 * Why steps are not claimed. What is the same for all steps of one answer is read once: their
 * queues, the devices of their projects, and what these hold.
 */

import { devicesByIds, devicesSeenLast, heldByDevices, MOST_JUDGED, reservedOnDevices } from '../../store/queries/devices.ts';
import { queuesById } from '../../store/queries/steps.ts';
import type { DeviceRow, QueueRow, StepRow } from '../../store/schema/tables.ts';
import type { Queries } from '../../store/store.ts';
import type { Principal } from '../access/principal.ts';
import { may, sees } from '../access/rights.ts';
import type { Domain } from '../core/domain.ts';
import { isForAggregator } from './aggregator.ts';
import { statusOf } from './devices.ts';
import { type Claimant, fits, slotsLeft, type Unmet, unmetBy } from './matching.ts';

export interface WhyNot extends Unmet {
  readonly device: DeviceRow | null;
}

export interface Asked {
  readonly step: Pick<StepRow, 'id' | 'status' | 'number' | 'priority' | 'queueId' | 'projectId'>;
  /** Null: all devices that the principal may see. */
  readonly deviceId: string | null;
}

/**
 * Called before each part of the work, with how much it is: one for each device, and for each step
 * on it that is looked at. Throws to end the work.
 */
export type Spend = (work: number) => Promise<void>;

/** Reading a device and its load is about as much work as judging it this often. */
const WORK_OF_READING = 16;
/** So many are read with one statement, before other work gets its turn. */
const PROJECTS_AT_ONCE = 8;
const DEVICES_AT_ONCE = 64;

/**
 * Explains why each step is not claimed now: unmet requirements by device, or what the step itself
 * waits for. Empty if the step is held or has ended. Of the devices, judges the `MOST_JUDGED` that
 * were seen last.
 */
export async function whyNot(domain: Domain, principal: Principal, asked: readonly Asked[], spend: Spend): Promise<WhyNot[][]> {
  // Explanations name devices and reveal what else they run.
  const maySee = may(principal, 'readDevices');
  const { read } = domain.store;
  const queued = maySee ? asked.filter(({ step }) => step.status === 'QUEUED') : [];
  const queues = new Map((await queuesById(read, distinct(queued.map(({ step }) => step.queueId)))).map((queue) => [queue.id, queue]));
  const candidatesOf = await readCandidates(read, principal, queued, spend);
  const devicesOf = (one: Asked, queue: QueueRow) => {
    // The gateway's own device would be listed in every answer without being a reason.
    const isInPlay = ({ labels }: DeviceRow) => one.deviceId !== null || !isForAggregator(labels) || isForAggregator(queue.requiredLabels);
    return candidatesOf(one).filter(isInPlay).slice(0, MOST_JUDGED);
  };
  const needed = new Set<DeviceRow>();
  for (const one of queued) {
    const queue = queues.get(one.step.queueId);
    if (queue) for (const device of devicesOf(one, queue)) needed.add(device);
  }
  const claimants = await readClaimants(read, [...needed], spend);
  const explain = async (one: Asked): Promise<WhyNot[]> => {
    const { step, deviceId } = one;
    if (step.status === 'BLOCKED') return [about('earlierStep', `Step ${step.number} waits for an earlier step of its job to succeed.`)];
    if (step.status !== 'QUEUED') return [];
    if (!maySee) return [about('device', 'No device has claimed it yet; this key may not read devices.')];
    const queue = queues.get(step.queueId);
    if (!queue) return [];
    const those = devicesOf(one, queue).flatMap((device) => claimants.get(device) ?? []);
    if (those.length === 0)
      return [about('device', deviceId ? `There is no device ${deviceId} in its project.` : 'Its project has no device.')];
    await spend(those.reduce((work, { held, reserved }) => work + 1 + held.length + reserved.length, 0));
    return those.flatMap((claimant) => judge(domain, claimant, step, queue));
  };
  const answers: WhyNot[][] = [];
  for (const one of asked) answers.push(await explain(one));
  return answers;
}

const about = (requirement: string, explanation: string): WhyNot => ({ device: null, requirement, explanation });

const distinct = (ids: readonly (string | null)[]): string[] => [...new Set(ids)].filter((id) => id !== null);

const bySeen = (a: DeviceRow, b: DeviceRow): number =>
  (b.lastSeenAt?.getTime() ?? 0) - (a.lastSeenAt?.getTime() ?? 0) || (a.id < b.id ? -1 : 1);

/** Returns what finds the devices that are asked about, those seen last first. */
async function readCandidates(
  read: Queries,
  principal: Principal,
  asked: readonly Asked[],
  spend: Spend,
): Promise<(one: Asked) => readonly DeviceRow[]> {
  const found = new Map<string, DeviceRow>();
  const keep = (devices: readonly DeviceRow[]) => {
    for (const device of devices) if (sees(principal, device) && !found.has(device.id)) found.set(device.id, device);
  };
  const projectIds = distinct(asked.map(({ step, deviceId }) => (deviceId === null ? step.projectId : null)));
  for (let from = 0; from < projectIds.length; from += PROJECTS_AT_ONCE) {
    const some = projectIds.slice(from, from + PROJECTS_AT_ONCE);
    await spend(some.length * WORK_OF_READING);
    keep(await devicesSeenLast(read, some));
  }
  const byProject = Map.groupBy(found.values(), ({ projectId }) => projectId);
  const ofProjects = new Map(
    projectIds.map((id) => [id, [...(byProject.get(id) ?? []), ...(byProject.get(null) ?? [])].sort(bySeen)] as const),
  );
  keep(await devicesByIds(read, distinct(asked.map(({ deviceId }) => deviceId))));
  return ({ step, deviceId }) => {
    if (deviceId === null) return ofProjects.get(step.projectId) ?? [];
    const device = found.get(deviceId);
    return device && (device.projectId === null || device.projectId === step.projectId) ? [device] : [];
  };
}

/** The devices as claimants, with what they hold now. */
async function readClaimants(read: Queries, devices: readonly DeviceRow[], spend: Spend): Promise<ReadonlyMap<DeviceRow, Claimant>> {
  const claimants = new Map<DeviceRow, Claimant>();
  for (let from = 0; from < devices.length; from += DEVICES_AT_ONCE) {
    const some = devices.slice(from, from + DEVICES_AT_ONCE);
    await spend(some.length * WORK_OF_READING);
    const ids = some.map(({ id }) => id);
    const held = Map.groupBy(await heldByDevices(read, ids), ({ deviceId }) => deviceId);
    const reserved = Map.groupBy(await reservedOnDevices(read, ids), ({ deviceId }) => deviceId);
    for (const device of some) {
      const { id, projectId } = device;
      claimants.set(device, { device, projectId, held: held.get(id) ?? [], reserved: reserved.get(id) ?? [] });
    }
  }
  return claimants;
}

function judge(domain: Domain, claimant: Claimant, step: Asked['step'], queue: QueueRow): WhyNot[] {
  const { device } = claimant;
  if (!device) return [];
  const reasons: WhyNot[] = [];
  const status = statusOf(domain, device);
  const add = (requirement: string, explanation: string) => reasons.push({ device, requirement, explanation });
  if (status === 'OFFLINE') add('online', 'The device is offline: it was not seen within its heartbeat interval.');
  if (status === 'DRAINING') add('draining', 'The device is draining, so it may not claim steps.');
  if (slotsLeft(claimant) === 0) add('slots', `All ${device.slots} slots of the device are taken.`);
  const unmet = unmetBy(claimant, queue);
  reasons.push(...unmet.map((one) => ({ device, ...one })));
  if (claimant.reserved.some(({ id }) => id === step.id) && !fits(claimant, step, queue))
    add('preemption', 'Steps on the device are being evicted for this step and still run.');
  else if (slotsLeft(claimant) > 0 && unmet.length === 0 && !fits(claimant, step, queue))
    add('reserved', 'The free capacity of the device is reserved for another step.');
  return reasons;
}
