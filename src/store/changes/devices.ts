import { and, eq, gte, isNull, lt, or } from 'drizzle-orm';
import type { DeviceRow } from '../schema/tables.ts';
import { insertOf } from '../statements/inserts.ts';
import { type Placeholder, type Queries, statement, type Tx } from '../store.ts';

export const insertDevice = insertOf('devices');

/** The devices that could serve a project: its own, and those of no project. */
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

/** Notes that a device was seen, if the last note is older than `before`. */
export const noteDeviceSeen = statement('note device seen', (db, t, $: Placeholder<{ id: string; now: Date; before: Date }>) =>
  db
    .update(t.devices)
    .set({ lastSeenAt: $('now', t.devices.lastSeenAt) })
    .where(and(eq(t.devices.id, $('id')), or(isNull(t.devices.lastSeenAt), lt(t.devices.lastSeenAt, $('before', t.devices.lastSeenAt))))),
);

/** Takes for seen now the devices that had been seen since then. */
export const seeDevices = ({ db, t }: Tx, { now, since }: { now: Date; since: Date }): Promise<unknown> =>
  db.update(t.devices).set({ lastSeenAt: now }).where(gte(t.devices.lastSeenAt, since));

/** A step that the device holds, if it holds any. */
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

/** Removes the device, its keys with it; answers the ids of those keys. */
export async function removeDevice({ db, t }: Tx, id: string): Promise<string[]> {
  const keys = await db.select({ id: t.apiKeys.id }).from(t.apiKeys).where(eq(t.apiKeys.deviceId, id));
  await db.delete(t.devices).where(eq(t.devices.id, id));
  return keys.map((key) => key.id);
}
