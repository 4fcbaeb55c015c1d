import { requireRight } from '../domain/access/rights.ts';
import { deviceList } from '../realtime/device-list.ts';
import type { Frame } from '../realtime/frames.ts';
import type { ListChange } from '../realtime/job-list.ts';
import { builder } from './core/builder.ts';
import { viewerOf } from './core/context.ts';
import { type FrameHead, StreamFrame } from './core/frames.ts';
import { Device } from './core/nouns.ts';
import { A_FRAME } from './core/sizes.ts';
import { DeviceFilter, deviceById, devicesOf } from './devices.ts';

interface FrameOfList extends FrameHead {
  readonly changes: readonly ListChange[];
}

const DeviceListFrame = builder.objectRef<FrameOfList>('DeviceListFrame').implement({
  description: 'What came into a live list of devices, changed in it, or left it. Each device is named once.',
  interfaces: [StreamFrame],
  fields: (t) => ({
    devices: t.field({
      type: [Device],
      size: A_FRAME,
      description: 'The devices that are new in the list or have changed, as they are now.',
      resolve: async ({ changes }, _, context) => {
        const listed = changes.filter(({ isListed }) => isListed);
        const devices = await Promise.all(listed.map(({ id }) => deviceById.load(context, id)));
        // A device that was deleted in the meantime is told of by a later frame.
        return devices.filter((device) => device !== null);
      },
    }),
    removedIds: t.field({
      type: ['ID'],
      description:
        'The ids of devices that no longer match the filter or were deleted. May name devices that were not in the list, which can be ' +
        'ignored.',
      resolve: ({ changes }) => changes.flatMap(({ id, isListed }) => (isListed ? [] : id)),
    }),
  }),
});

builder.subscriptionField('deviceList', (t) =>
  t.field({
    type: DeviceListFrame,
    description:
      'A live list of the devices that the filter matches and this key may see: all of them first, then every device that was ' +
      'registered or changed, came online or went offline, and the ids of those that left the list or were deleted. To follow it, keep ' +
      'a map by id: put `devices` in, then take `removedIds` out. Attempts and telemetry are no changes of a device.',
    args: {
      filter: t.arg({ type: DeviceFilter, description: 'Selects entries. Default: all.' }),
      after: t.arg({
        type: 'Cursor',
        description: 'Continue after this cursor, with the same filter. Default: begin with the whole list.',
      }),
    },
    subscribe: (_, { filter, after }, context): Promise<AsyncIterable<Frame<ListChange>>> => {
      const principal = viewerOf(context);
      requireRight(principal, 'readDevices');
      return deviceList(context.domain, context.wakeups, principal, { filter: devicesOf(principal, filter), after });
    },
    resolve: ({ cursor, state, missed, rows }) => ({ cursor, state, missed, changes: rows }),
  }),
);
