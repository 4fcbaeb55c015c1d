/**
 * The changes of devices, numbered for the live list of them (realtime/device-list.ts).
 *
 * Each device has one row, with the number of its newest change. The row stays when the device is
 * deleted. Registrations, updates and deletions are recorded in their own transaction. That a
 * device is online or offline follows from the time when it was last seen, so the sweep records it.
 */
import { saveDeviceChange } from '../../store/changes/device-changes.ts';
import { takeNumbers } from '../../store/changes/streams.ts';
import { silentOrBack } from '../../store/queries/devices.ts';
import { deviceChanges } from '../../store/schema/streams.ts';
import type { DeviceRow } from '../../store/schema/tables.ts';
import { type Change, topics } from '../core/change.ts';
import type { Domain } from '../core/domain.ts';
import type { Task } from '../core/retries.ts';

/** Devices whose presence one sweep records. */
const AT_ONCE = 500;

/** A device was seen since this time, or it is offline. */
export const onlineSince = ({ clock, limits }: Pick<Domain, 'clock' | 'limits'>): Date =>
  new Date(clock.now().getTime() - limits.heartbeatSeconds * 1_000);

/**
 * Records that devices were registered, changed or deleted, as the last thing in a change: the
 * numbers stay locked until its end.
 */
export async function recordDevices(
  { tx, domain }: Change,
  devices: readonly Pick<DeviceRow, 'id' | 'projectId' | 'lastSeenAt'>[],
): Promise<void> {
  if (devices.length === 0) return;
  const since = onlineSince(domain);
  const first = await takeNumbers(tx, deviceChanges, 'event', devices.length);
  for (const [i, { id, projectId, lastSeenAt }] of devices.entries()) {
    const isOnline = lastSeenAt !== null && lastSeenAt >= since;
    await tx.run(saveDeviceChange, { deviceId: id, projectId, number: first + i, isOnline });
  }
  tx.touch(topics.devices);
}

/** Records which devices came online or went offline. Empty if none has. */
export async function presenceTasks(domain: Domain): Promise<Task[]> {
  const devices = await domain.store.read.run(silentOrBack, { since: onlineSince(domain), limit: AT_ONCE });
  return devices.length === 0 ? [] : [{ name: 'The presence of devices', work: (change) => recordDevices(change, devices) }];
}
