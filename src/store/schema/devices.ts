/** Devices. */
import { type Capabilities, deviceKinds, type Label, type Resources } from '../../domain/core/vocabulary.ts';
import { isOneOf, type Kit } from './columns.ts';
import type { ProjectTables } from './projects.ts';

export type DeviceTables = ReturnType<typeof deviceTables>;

export function deviceTables(kit: Kit, { projects }: ProjectTables) {
  const { table, text, oneOf, int, long, bool, instant, json, index, unique, check } = kit;
  const cascade = { onDelete: 'cascade' } as const;

  const devices = table(
    'devices',
    {
      id: text().primaryKey(),
      projectId: text().references(() => projects.id, cascade),
      /** '' if there is no project, because NULLs would not be unique. */
      projectKey: text().notNull(),
      name: text().notNull(),
      kind: oneOf(deviceKinds).notNull(),
      labels: json<readonly Label[]>().notNull(),
      resources: json<Resources>().notNull(),
      slots: int().notNull(),
      isDraining: bool().notNull(),
      /** Null: the device declared none, and can run everything. */
      capabilities: json<Capabilities>(),
      /** Written at most every few seconds: see `noteSeen`. */
      lastSeenAt: instant(),
      createdAt: instant().notNull(),
      updatedAt: instant().notNull(),
    },
    (t) => [
      unique('devices_name').on(t.projectKey, t.name),
      index('devices_project').on(t.projectId, t.id),
      check('devices_kind', isOneOf(t.kind, deviceKinds)),
    ],
  );

  /** The newest change of each device, deleted ones too: see domain/steps/device-changes.ts. */
  const deviceChanges = table(
    'device_changes',
    {
      deviceId: text().primaryKey(),
      projectId: text(),
      number: long().notNull(),
      /** As it was then. */
      isOnline: bool().notNull(),
    },
    (t) => [index('device_changes_number').on(t.number)],
  );

  return { devices, deviceChanges };
}
