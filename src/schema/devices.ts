import { rightToRead } from '../domain/access/operations.ts';
import type { Principal } from '../domain/access/principal.ts';
import { may, requireRight, scopeOf, sees } from '../domain/access/rights.ts';
import { typeOfId } from '../domain/core/ids.ts';
import { InvalidInput, InvalidState, NotFound } from '../domain/core/refusals.ts';
import { onlineSince } from '../domain/steps/device-changes.ts';
import { deleteDevice, registerDevice, statusOf, updateDevice } from '../domain/steps/devices.ts';
import {
  type AttemptsOf,
  countAttempts,
  countDevices,
  type DevicesOf,
  devicesByIds,
  listAttempts,
  listDevices,
  type RunningAttempt,
  runningAttemptsOfDevices,
} from '../store/queries/devices.ts';
import type { AttemptRow, DeviceRow, ProjectRow } from '../store/schema/tables.ts';
import { builder } from './core/builder.ts';
import { reads } from './core/chosen-columns.ts';
import { connect, defineConnection, emptyList, type List, pageArgs } from './core/connections.ts';
import { type Context, viewerOf } from './core/context.ts';
import { DeviceKind, DeviceStatus } from './core/enums.ts';
import { defineMutation } from './core/errors.ts';
import { LabelInput } from './core/labels.ts';
import { byId, defineLoader, grouped } from './core/loaders.ts';
import { Node, readNodes } from './core/node.ts';
import { Attempt, Device, Project } from './core/nouns.ts';
import { FEW } from './core/sizes.ts';
import { changedDeviceInput, newDeviceInput, shownDeviceFields } from './device-fields.ts';
import { StepTemplate } from './jobs/templates.ts';
import { shownProject } from './projects.ts';

/** Null when there is none or the caller may not see it. */
export const deviceById = defineLoader<string, DeviceRow | null>(async (context, ids) => {
  const principal = viewerOf(context);
  if (!may(principal, rightToRead.Device)) return ids.map(() => null);
  const rows = await devicesByIds(context.read, ids);
  return byId(
    ids,
    rows.filter((row) => sees(principal, row)),
  );
});
readNodes('Device', deviceById);

/** The device of a nullable field. */
export const pinnedDeviceOf = (context: Context, deviceId: string | null) =>
  deviceId === null ? null : deviceById.load(context, deviceId);

const runningAttemptsOf = defineLoader<string, RunningAttempt[]>(async (context, ids) => {
  const principal = viewerOf(context);
  const rows = await runningAttemptsOfDevices(context.read, ids);
  return grouped(
    ids,
    rows.filter((row) => sees(principal, row)),
    ({ deviceId }) => deviceId ?? '',
  );
});

const DeviceAttemptConnection = defineConnection('DeviceAttempt', Attempt, 'attempts of a device');

Device.implement({
  description:
    'A machine that runs steps. It registers under a name and claims the steps that it can run. Registering the same name again ' +
    'takes over the device.',
  interfaces: [Node],
  fields: (t) => ({
    ...shownDeviceFields(t),
    status: t.field({
      type: DeviceStatus,
      description: 'Whether it is available at the time of the request.',
      resolve: (device, _, { domain }) => statusOf(domain, device),
    }),
    project: t.field({
      type: Project,
      nullable: true,
      description: 'The only project whose steps it may claim. Null: it serves all projects.',
      resolve: ({ projectId }, _, context, info) => shownProject(context, projectId, info),
    }),
    lastSeenAt: t.expose('lastSeenAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it last asked for work or reported on a step, accurate to a few seconds. Null: never, or it has left since.',
    }),
    attempts: t.field({
      type: DeviceAttemptConnection,
      description: 'Its attempts at steps, newest first.',
      args: pageArgs,
      resolve: (device, args, context) => connect(args, attemptsOf(context, device)),
    }),
    runningAttempts: t.field({
      type: [Attempt],
      size: FEW,
      description: 'Its attempts at the steps that it holds now, the oldest first.',
      extensions: reads<DeviceRow>('id'),
      resolve: ({ id }, _, context) => runningAttemptsOf.load(context, id),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it first registered.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When its description of itself last changed.' }),
  }),
});

function attemptsOf(context: Context, device: DeviceRow): List<AttemptRow> {
  const { read } = context;
  const of: AttemptsOf = { deviceId: device.id, ...scopeOf(viewerOf(context)) };
  return {
    positionOf: ({ claimedAt, stepId, number }) => [claimedAt.toISOString(), stepId, number],
    read: (slice) => listAttempts(read, of, slice),
    count: () => countAttempts(read, of),
  };
}

export const DeviceFilter = builder.inputType('DeviceFilter', {
  description: 'Selects devices that meet every given condition. A field that is left out or null is no condition.',
  fields: (t) => ({
    projectId: t.id({ description: 'Only those in this project.' }),
    kinds: t.field({ type: [DeviceKind], description: 'Only those with one of these kinds.' }),
    statuses: t.field({ type: [DeviceStatus], description: 'Only those in one of these statuses.' }),
    labels: t.field({ type: [LabelInput], description: 'Only those with all of these labels.' }),
  }),
});

const DeviceConnection = defineConnection('Device', Device, 'devices');

/** What the filter asks for, within what the caller sees. */
export function devicesOf(
  principal: Principal,
  filter: typeof DeviceFilter.$inferInput | null | undefined,
): Omit<DevicesOf, 'onlineSince'> {
  const ownId = scopeOf(principal).projectId;
  const askedId = filter?.projectId ?? null;
  // This key sees no devices of other projects, and an id that is no project has none.
  const isNone = askedId !== null && (typeOfId(askedId) !== 'Project' || (ownId ?? askedId) !== askedId);
  return {
    projectId: isNone ? NO_PROJECT : (askedId ?? ownId),
    kinds: filter?.kinds ?? null,
    statuses: filter?.statuses ?? null,
    labels: filter?.labels ?? null,
  };
}
const NO_PROJECT = '';

function devicesLike(context: Context, filter: typeof DeviceFilter.$inferInput | null | undefined): List<DeviceRow> {
  const principal = viewerOf(context);
  requireRight(principal, 'readDevices');
  const { domain, read } = context;
  const asked = devicesOf(principal, filter);
  if (asked.projectId === NO_PROJECT) return emptyList;
  const of: DevicesOf = { ...asked, onlineSince: onlineSince(domain) };
  return {
    positionOf: ({ id }) => [id],
    read: (slice) => listDevices(read, of, slice),
    count: () => countDevices(read, of),
  };
}

const filterArg = builder.args((t) => ({ filter: t.field({ type: DeviceFilter, description: 'Selects entries. Default: all.' }) }));

builder.queryFields((t) => ({
  device: t.field({
    type: Device,
    nullable: true,
    description: 'The device with this id. Null when there is none or this key may not see it.',
    args: { id: t.arg.id({ required: true, description: 'Its id: `dev_…`.' }) },
    resolve: (_, { id }, context) => deviceById.load(context, id),
  }),
  devices: t.field({
    type: DeviceConnection,
    description: 'The devices that this key may see, newest first.',
    args: { ...filterArg, ...pageArgs },
    resolve: (_, { filter, ...args }, context) => connect(args, devicesLike(context, filter)),
  }),
}));

builder.objectField(StepTemplate, 'pinnedDevice', (t) =>
  t.field({
    type: Device,
    nullable: true,
    description: 'The only device that may claim it. Null: any device that fits, the device was deleted, or this key may not see it.',
    resolve: ({ pinnedDeviceId }, _, context) => pinnedDeviceOf(context, pinnedDeviceId),
  }),
);

builder.objectField(Project, 'devices', (t) =>
  t.field({
    type: DeviceConnection,
    description: 'The devices that serve only this project, newest first.',
    args: { ...filterArg, ...pageArgs },
    extensions: reads<ProjectRow>('id'),
    resolve: ({ id }, { filter, ...args }, context) => {
      if (filter?.projectId && filter.projectId !== id) return connect(args, emptyList);
      return connect(args, devicesLike(context, { ...filter, projectId: id }));
    },
  }),
);

defineMutation('registerDevice', {
  description: 'Registers a device. If the project already has a device of this name, that device is taken over.',
  input: builder.inputType('RegisterDeviceInput', {
    description: "The device's description of itself.",
    fields: (t) => ({
      projectId: t.id({
        description: 'The only project that it serves. Default: the project of the key, or all projects for a key of all projects.',
      }),
      ...newDeviceInput(t),
      rotateKey: t.boolean({
        required: true,
        defaultValue: false,
        description:
          'Return a new key even if the device exists: its current keys expire an hour later. Has no effect for a device that ' +
          'registers with its own key. Such a device calls rotateApiKey.',
      }),
    }),
  }),
  payload: builder.objectRef<{ device: DeviceRow; apiKey: string | null }>('RegisterDevicePayload').implement({
    description: 'The device is registered.',
    fields: (t) => ({
      device: t.expose('device', { type: Device, description: 'The device as it is now.' }),
      apiKey: t.exposeString('apiKey', {
        nullable: true,
        description:
          'A new key of kind DEVICE for it, shown only once. Null when the device existed and rotateKey was false: its key is ' +
          'unchanged.',
      }),
    }),
  }),
  refusals: [NotFound, InvalidInput],
  decide: registerDevice,
});

defineMutation('updateDevice', {
  description: 'Changes a device, or drains it. A draining device finishes the steps that it holds and claims no more.',
  input: builder.inputType('UpdateDeviceInput', {
    description: 'The changes. A field that is left out or null stays unchanged.',
    fields: (t) => ({
      deviceId: t.id({ required: true, description: 'The device to change.' }),
      ...changedDeviceInput(t),
      isLeaving: t.boolean({
        description:
          'True marks it OFFLINE at once, until it is heard from again. Otherwise it becomes OFFLINE only after the heartbeat interval.',
      }),
    }),
  }),
  payload: builder.objectRef<{ device: DeviceRow }>('UpdateDevicePayload').implement({
    description: 'The device was changed.',
    fields: (t) => ({ device: t.expose('device', { type: Device, description: 'The device as it is now.' }) }),
  }),
  refusals: [NotFound, InvalidInput],
  decide: updateDevice,
});

defineMutation('deleteDevice', {
  description: 'Deletes a device and its keys. Refused while it holds a step. Its attempts stay, with a null device.',
  input: builder.inputType('DeleteDeviceInput', {
    description: 'The device to delete.',
    fields: (t) => ({ deviceId: t.id({ required: true, description: 'Its id.' }) }),
  }),
  payload: builder.objectRef<{ deletedDeviceId: string }>('DeleteDevicePayload').implement({
    description: 'The device was deleted.',
    fields: (t) => ({ deletedDeviceId: t.exposeID('deletedDeviceId', { description: 'Its former id.' }) }),
  }),
  refusals: [NotFound, InvalidState],
  decide: deleteDevice,
});
