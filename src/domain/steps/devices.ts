/** Devices: the machines that run steps. */
import { anyHeldStep, insertDevice, lockDevice, noteDeviceSeen, removeDevices, saveDeviceFields } from '../../store/changes/devices.ts';
import { forgetReservations } from '../../store/changes/reservations.ts';
import type { Optional } from '../../store/optional.ts';
import { deviceByName } from '../../store/queries/rows.ts';
import type { DeviceRow } from '../../store/schema/tables.ts';
import { insertRows } from '../../store/statements/inserts.ts';
import { type AuditSubject, audit, changedBetween, madeWith } from '../access/audit.ts';
import { keyFields, subjectOf as keySubjectOf } from '../access/key-changes.ts';
import { giveNewKey } from '../access/key-rotation.ts';
import { addKey } from '../access/keys.ts';
import type { Principal } from '../access/principal.ts';
import { requireAllProjects, requireRight, sees } from '../access/rights.ts';
import { visibleProject } from '../access/visible.ts';
import { type Change, change, topics } from '../core/change.ts';
import { Checks } from '../core/checks.ts';
import type { Domain } from '../core/domain.ts';
import { NotFound, wrongInput, wrongState } from '../core/refusals.ts';
import { later } from '../core/transitions.ts';
import { recordDevices } from './device-changes.ts';
import {
  auditedFields,
  type ChangedDeviceFields,
  changedDeviceFields,
  checkDeviceFields,
  type NewDeviceFields,
  newDeviceFields,
} from './device-fields.ts';

export type DeviceStatus = 'ONLINE' | 'OFFLINE' | 'DRAINING';

export interface RegisterDeviceInput extends NewDeviceFields {
  projectId?: Optional<string>;
  rotateKey?: Optional<boolean>;
}

const subjectOf = ({ id, name, projectId }: DeviceRow): AuditSubject => ({ type: 'DEVICE', id, name, projectId });

/** The current status of the device. Every claim, renewal and report keeps it ONLINE. */
export function statusOf({ clock, limits }: Domain, { isDraining, lastSeenAt }: DeviceRow): DeviceStatus {
  if (isDraining) return 'DRAINING';
  const since = lastSeenAt === null ? Number.POSITIVE_INFINITY : clock.now().getTime() - lastSeenAt.getTime();
  return since <= limits.heartbeatSeconds * 1_000 ? 'ONLINE' : 'OFFLINE';
}

/**
 * Records that the device was seen, at most once per quarter of the heartbeat interval: most
 * requests write nothing.
 */
export async function noteSeen({ tx, domain, now }: Change, device: DeviceRow | null): Promise<void> {
  if (!device) return;
  const before = new Date(now.getTime() - domain.limits.heartbeatSeconds * 250);
  if (device.lastSeenAt === null || device.lastSeenAt < before) await tx.run(noteDeviceSeen, { id: device.id, now, before });
}

/** The same outside a change, for a device that listens for work without sending requests. */
export async function recordSeen(domain: Domain, deviceId: string): Promise<void> {
  const now = domain.clock.now();
  const before = new Date(now.getTime() - domain.limits.heartbeatSeconds * 250);
  await domain.store.write((tx) => tx.run(noteDeviceSeen, { id: deviceId, now, before }));
}

/**
 * Registers a device. If the project has one of this name, that device gets the new values and
 * keeps its key unless `rotateKey` asks for another. A device that registers with its own key
 * always keeps it; rotateApiKey makes another.
 */
export async function registerDevice(
  domain: Domain,
  principal: Principal,
  input: RegisterDeviceInput,
): Promise<{ device: DeviceRow; apiKey: string | null }> {
  requireRight(principal, 'registerDevice');
  checkDevice(domain, input);
  return change(domain, principal, async (change) => {
    const projectId = input.projectId ?? principal.projectId;
    if (projectId === null) requireAllProjects(principal, 'registerDevice');
    else await visibleProject(change, principal, projectId);
    const { tx, now } = change;
    const [known] = await tx.run(deviceByName, { projectKey: projectId ?? '', name: input.name });
    if (principal.kind === 'DEVICE' && known?.id !== principal.deviceId) {
      throw wrongInput.nameOfOtherDevice();
    }
    if (!known) return addDevice(change, projectId, input, now);
    const device = await saveDevice(change, known, { ...newDeviceFields(input, known), lastSeenAt: change.now });
    return { device, apiKey: input.rotateKey && principal.kind !== 'DEVICE' ? await giveNewKey(change, device) : null };
  });
}

/**
 * Makes a new key for the device of this name that serves all projects, for the agent inside the
 * gateway's process. Creates the device if there is none.
 */
export async function renewDeviceKey(domain: Domain, { name, slots }: { name: string; slots: number }): Promise<string> {
  return change(domain, null, async (change) => {
    const [known] = await change.tx.run(deviceByName, { projectKey: '', name });
    return known ? giveNewKey(change, known) : (await addDevice(change, null, { name, slots }, change.now)).apiKey;
  });
}

/** Makes a device with a key. */
export async function addDevice(change: Change, projectId: string | null, input: RegisterDeviceInput, now: Date) {
  const { tx, domain } = change;
  const device: DeviceRow = {
    id: domain.ids.next('Device'),
    projectId,
    projectKey: projectId ?? '',
    ...newDeviceFields(input),
    lastSeenAt: now,
    createdAt: now,
    updatedAt: now,
  };
  await insertRows(tx, insertDevice, [device]);
  const { apiKey, secret } = await addKey(change, { name: device.name, kind: 'DEVICE', projectId, deviceId: device.id });
  await audit(change, 'DEVICE_REGISTERED', subjectOf(device), madeWith(device, auditedFields));
  await audit(change, 'KEY_CREATED', keySubjectOf(apiKey), madeWith(apiKey, keyFields));
  tx.touch(topics.device(device.id));
  await recordDevices(change, [device]);
  return { device, apiKey: secret };
}

async function saveDevice(change: Change, before: DeviceRow, columns: Partial<DeviceRow>): Promise<DeviceRow> {
  const { tx, now } = change;
  const fields = { ...columns, updatedAt: later(now, before.updatedAt) };
  await saveDeviceFields(tx, before.id, fields);
  await tx.run(forgetReservations, { deviceId: before.id });
  tx.touch(topics.device(before.id));
  const after = { ...before, ...fields };
  const changes = changedBetween(before, after, auditedFields);
  // An agent registers at every start, mostly without changes.
  if (Object.keys(changes).length > 0) await audit(change, 'DEVICE_CHANGED', subjectOf(after), changes);
  await recordDevices(change, [after]);
  return after;
}

export interface UpdateDeviceInput extends ChangedDeviceFields {
  deviceId: string;
  isLeaving?: Optional<boolean>;
}

/** Changes the given fields. Null leaves a field as it is. */
export async function updateDevice(domain: Domain, principal: Principal, input: UpdateDeviceInput): Promise<{ device: DeviceRow }> {
  requireRight(principal, 'updateDevice');
  checkDevice(domain, input);
  return change(domain, principal, async (change) => {
    const device = await visibleDevice(change, principal, input.deviceId);
    const name = input.name ?? device.name;
    const [sameName] = await change.tx.run(deviceByName, { projectKey: device.projectKey, name });
    if (sameName && sameName.id !== device.id) throw wrongInput.deviceName(sameName);
    return {
      device: await saveDevice(change, device, {
        ...changedDeviceFields(input),
        // A device that is leaving counts as offline until it sends another request.
        ...(input.isLeaving && { lastSeenAt: null }),
      }),
    };
  });
}

/** Deletes a device that holds no step, and its keys. Its attempts stay, without a device. */
export async function deleteDevice(
  domain: Domain,
  principal: Principal,
  { deviceId }: { deviceId: string },
): Promise<{ deletedDeviceId: string }> {
  requireRight(principal, 'deleteDevice');
  return change(domain, principal, async (change) => {
    const device = await visibleDevice(change, principal, deviceId);
    const { tx } = change;
    const [held] = await tx.run(anyHeldStep, { deviceId });
    if (held) throw wrongState.deviceHoldsStep(statusOf(domain, device));
    for (const keyId of await removeDevices(tx, [deviceId])) tx.touch(topics.key(keyId));
    tx.touch(topics.device(deviceId));
    await audit(change, 'DEVICE_DELETED', subjectOf(device));
    await recordDevices(change, [device]);
    return { deletedDeviceId: deviceId };
  });
}

/**
 * Returns the device under its lock if the principal sees it. A DEVICE key sees only its own
 * device.
 */
export async function visibleDevice({ tx }: Change, principal: Principal, id: string): Promise<DeviceRow> {
  const [device] = await tx.run(lockDevice, { id });
  const isOther = principal.kind === 'DEVICE' && principal.deviceId !== id;
  if (!device || isOther || !sees(principal, device)) throw new NotFound('device', id);
  return device;
}

function checkDevice(domain: Domain, input: ChangedDeviceFields | NewDeviceFields): void {
  const checks = new Checks(domain);
  checkDeviceFields(checks, input);
  checks.done();
}
