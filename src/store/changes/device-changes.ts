/** The newest change of each device. */
import type { DeviceChangeRow } from '../schema/tables.ts';
import { type Placeholder, statement } from '../store.ts';

export const saveDeviceChange = statement('save device change', (db, t, $: Placeholder<DeviceChangeRow>) =>
  db
    .insert(t.deviceChanges)
    .values({ deviceId: $('deviceId'), projectId: $('projectId'), number: $('number'), isOnline: $('isOnline') })
    .onConflictDoUpdate({
      target: t.deviceChanges.deviceId,
      set: { number: $('number', t.deviceChanges.number), isOnline: $('isOnline', t.deviceChanges.isOnline) },
    }),
);
