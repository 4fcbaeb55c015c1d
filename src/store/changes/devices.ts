import { and, eq, gte, inArray, isNull, lt, or } from 'drizzle-orm';
import type { DeviceRow } from '../schema/tables.ts';
import { insertOf } from '../statements/inserts.ts';
import { type Placeholder, type Queries, statement, type Tx } from '../store.ts';

export const insertDevice = insertOf('devices');

/** The devices that could serve a project: its own, and those that serve all projects. */
export const devicesFor = async ({ db, t }: Queries, projectId: string): Promise<DeviceRow[]> =>
  db
    .select()
    .from(t.devices)
    .where(or(eq(t.devices.projectId, projectId), isNull(t.devices.projectId)))
    .limit(1_000);

export const lockDevice = statement('lock device', (db, t, $: Placeholder<{ id: string }>, { lock }) =>
  lock(
    db
      .select()
      .from(t.devices)
      .where(eq(t.devices.id, $('id'))),
    'wait',
  ),
);

/** The device that holds a step. */
export const holderOfStep = statement('holder of step', (db, t, $: Placeholder<{ stepId: string }>) =>
  db
    .select()
    .from(t.devices)
    .where(
      eq(
        t.devices.id,
        db
          .select({ id: t.steps.leaseDeviceId })
          .from(t.steps)
          .where(eq(t.steps.id, $('stepId'))),
      ),
    ),
);

/** Records that a device was seen, if the last record is older than `before`. */
export const noteDeviceSeen = statement('note device seen', (db, t, $: Placeholder<{ id: string; now: Date; before: Date }>) =>
  db
    .update(t.devices)
    .set({ lastSeenAt: $('now', t.devices.lastSeenAt) })
    .where(and(eq(t.devices.id, $('id')), or(isNull(t.devices.lastSeenAt), lt(t.devices.lastSeenAt, $('before', t.devices.lastSeenAt))))),
);

/** Marks devices as seen now if they were seen since the given time. */
export const seeDevices = ({ db, t }: Tx, { now, since }: { now: Date; since: Date }): Promise<unknown> =>
  db.update(t.devices).set({ lastSeenAt: now }).where(gte(t.devices.lastSeenAt, since));

/** Returns a step that the device holds, if any. */
export const anyHeldStep = statement('any held step', (db, t, $: Placeholder<{ deviceId: string }>) =>
  db
    .select({ id: t.steps.id })
    .from(t.steps)
    .where(eq(t.steps.leaseDeviceId, $('deviceId')))
    .limit(1),
);

export async function saveDeviceFields({ db, t }: Tx, id: string, fields: Partial<DeviceRow>): Promise<void> {
  await db.update(t.devices).set(fields).where(eq(t.devices.id, id));
}

/**
 * Removes devices and their keys. Returns the ids of those keys. Their samples are deleted later, a
 * little at a time, like those of a deleted job.
 */
export async function removeDevices({ db, t }: Tx, ids: readonly string[]): Promise<string[]> {
  if (ids.length === 0) return [];
  const keys = await db.select({ id: t.apiKeys.id }).from(t.apiKeys).where(inArray(t.apiKeys.deviceId, ids));
  // Before the streams: a report under way holds the device.
  await db.delete(t.devices).where(inArray(t.devices.id, ids));
  await db.update(t.streams).set({ isDeleted: true }).where(inArray(t.streams.jobId, ids));
  return keys.map((key) => key.id);
}
