import { rightToRead } from '../domain/access/operations.ts';
import { may, requireRight, scopeOf, sees } from '../domain/access/rights.ts';
import { typeOfId } from '../domain/core/ids.ts';
import { InvalidInput, InvalidState, NotFound } from '../domain/core/refusals.ts';
import type { Capabilities } from '../domain/core/vocabulary.ts';
import { deleteDevice, registerDevice, statusOf, updateDevice } from '../domain/steps/devices.ts';
import {
  type AttemptsOf,
  countAttempts,
  countDevices,
  type DevicesOf,
  devicesByIds,
  listAttempts,
  listDevices,
} from '../store/queries/devices.ts';
import type { AttemptRow, DeviceRow } from '../store/schema/tables.ts';
import { builder } from './core/builder.ts';
import { connect, defineConnection, type List, pageArgs } from './core/connections.ts';
import { type Context, viewerOf } from './core/context.ts';
import { DeviceKind, DeviceStatus, RunKind } from './core/enums.ts';
import { defineMutation } from './core/errors.ts';
import { Label, LabelInput } from './core/labels.ts';
import { byId, defineLoader } from './core/loaders.ts';
import { Node, readNodes } from './core/node.ts';
import { Attempt, Device, Project } from './core/nouns.ts';
import { IN_ITS_ROW } from './core/sizes.ts';
import { Resources, ResourcesInput } from './jobs/resources.ts';
import { StepTemplate } from './jobs/templates.ts';
import { projectById } from './projects.ts';

/** Null: there is none, or it may not be seen. */
export const deviceById = defineLoader<string, DeviceRow | null>(async (context, ids) => {
  const principal = viewerOf(context);
  if (!may(principal, rightToRead.Device)) return ids.map(() => null);
  const rows = await devicesByIds(context.domain.store.read, ids);
  return byId(
    ids,
    rows.filter((row) => sees(principal, row)),
  );
});
readNodes('Device', deviceById);

/** The device that a nullable field names. */
export const pinnedDeviceOf = (context: Context, deviceId: string | null) =>
  deviceId === null ? null : deviceById.load(context, deviceId);

const DeviceCapabilities = builder.objectRef<Capabilities>('DeviceCapabilities').implement({
  description: 'What a device can run. Steps that it cannot run are not given to it.',
  fields: (t) => ({
    runs: t.expose('runs', { type: [RunKind], description: 'The ways in which it runs steps that say what to run.' }),
    stepNames: t.exposeStringList('stepNames', {
      description:
        'The names of steps with neither a command nor an image that it knows how to do. Those of a federated round are `Train` and `Aggregate`.',
    }),
  }),
});

const DeviceCapabilitiesInput = builder.inputType('DeviceCapabilitiesInput', {
  description: 'What a device can run.',
  fields: (t) => ({
    runs: t.field({
      type: [RunKind],
      required: true,
      defaultValue: [],
      description: 'The ways in which it runs steps that say what to run. An empty list: it runs none of those.',
    }),
    stepNames: t.stringList({
      required: true,
      defaultValue: [],
      description:
        'The names of steps with neither a command nor an image that it knows how to do: at most 1,000. Those of a federated round are `Train` and `Aggregate`.',
    }),
  }),
});

const DeviceAttemptConnection = defineConnection('DeviceAttempt', Attempt, 'attempts of a device');

Device.implement({
  description:
    'A machine that runs steps. It registers under a name, claims what it can run, and is taken over by whoever registers that name again.',
  interfaces: [Node],
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name, once in a project.' }),
    kind: t.expose('kind', { type: DeviceKind, description: 'What part it takes.' }),
    status: t.field({
      type: DeviceStatus,
      description: 'Whether it can be counted on, judged when it is asked.',
      resolve: (device, _, { domain }) => statusOf(domain, device),
    }),
    project: t.field({
      type: Project,
      nullable: true,
      description: 'The only project whose steps it may claim. Null: it serves all.',
      resolve: ({ projectId }, _, context) => (projectId === null ? null : projectById.load(context, projectId)),
    }),
    labels: t.expose('labels', { type: [Label], size: IN_ITS_ROW, description: 'What steps may ask for by requiredLabels.' }),
    resources: t.expose('resources', { type: Resources, description: 'What it has in all; what runs on it now is not taken off.' }),
    slots: t.exposeInt('slots', { description: 'How many steps it runs at once.' }),
    capabilities: t.expose('capabilities', {
      type: DeviceCapabilities,
      nullable: true,
      description: 'What it can run. Null: it has not said so, and may be given any step.',
    }),
    lastSeenAt: t.expose('lastSeenAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it last asked for work or reported on it, to a few seconds. Null: never yet, or it has said goodbye since.',
    }),
    attempts: t.field({
      type: DeviceAttemptConnection,
      description: 'The steps that it has claimed, newest claim first.',
      args: pageArgs,
      resolve: (device, args, context) => connect(args, attemptsOf(context, device)),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it first registered.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When what it says of itself last changed.' }),
  }),
});

function attemptsOf(context: Context, device: DeviceRow): List<AttemptRow> {
  const { read } = context.domain.store;
  const of: AttemptsOf = { deviceId: device.id, ...scopeOf(viewerOf(context)) };
  return {
    positionOf: ({ claimedAt, stepId, number }) => [claimedAt.toISOString(), stepId, number],
    read: (slice) => listAttempts(read, of, slice),
    count: () => countAttempts(read, of),
  };
}

const DeviceFilter = builder.inputType('DeviceFilter', {
  description: 'Which devices. What is left out or null does not matter; what is given must hold, all of it.',
  fields: (t) => ({
    projectId: t.id({ description: 'Only those of this project.' }),
    kinds: t.field({ type: [DeviceKind], description: 'Only those of one of these kinds.' }),
    statuses: t.field({ type: [DeviceStatus], description: 'Only those in one of these statuses.' }),
    labels: t.field({ type: [LabelInput], description: 'Only those that have all of these labels.' }),
  }),
});

const DeviceConnection = defineConnection('Device', Device, 'devices');

function devicesLike(context: Context, filter: typeof DeviceFilter.$inferInput | null | undefined): List<DeviceRow> {
  const principal = viewerOf(context);
  requireRight(principal, 'readDevices');
  const { domain } = context;
  const { read } = domain.store;
  const ownId = scopeOf(principal).projectId;
  const askedId = filter?.projectId ?? null;
  // Another project than the key's own has no devices, as far as this key sees; and what is no project has none.
  if (askedId !== null && (typeOfId(askedId) !== 'Project' || (ownId ?? askedId) !== askedId)) return nothing;
  const of: DevicesOf = {
    projectId: askedId ?? ownId,
    kinds: filter?.kinds ?? null,
    statuses: filter?.statuses ?? null,
    onlineSince: new Date(domain.clock.now().getTime() - domain.limits.heartbeatSeconds * 1_000),
    labels: filter?.labels ?? null,
  };
  return {
    positionOf: ({ id }) => [id],
    read: (slice) => listDevices(read, of, slice),
    count: () => countDevices(read, of),
  };
}
const nothing: List<DeviceRow> = { positionOf: ({ id }) => [id], read: async () => [], count: async () => 0 };

const filterArg = builder.args((t) => ({ filter: t.field({ type: DeviceFilter, description: 'Which of them. Default: all.' }) }));

builder.queryFields((t) => ({
  device: t.field({
    type: Device,
    nullable: true,
    description: 'The device with this id. Null: there is none, or this key may not see it.',
    args: { id: t.arg.id({ required: true, description: 'Its id: `dev_…`.' }) },
    resolve: (_, { id }, context) => deviceById.load(context, id),
  }),
  devices: t.field({
    type: DeviceConnection,
    description: 'The devices that this key sees, newest first.',
    args: { ...filterArg, ...pageArgs },
    resolve: (_, { filter, ...args }, context) => connect(args, devicesLike(context, filter)),
  }),
}));

builder.objectField(StepTemplate, 'pinnedDevice', (t) =>
  t.field({
    type: Device,
    nullable: true,
    description: 'The only device that may claim it. Null: any that fits; or the device is gone, or this key may not see it.',
    resolve: ({ pinnedDeviceId }, _, context) => pinnedDeviceOf(context, pinnedDeviceId),
  }),
);

builder.objectField(Project, 'devices', (t) =>
  t.field({
    type: DeviceConnection,
    description: 'The devices that serve this project alone, newest first.',
    args: { ...filterArg, ...pageArgs },
    resolve: ({ id }, { filter, ...args }, context) => {
      if (filter?.projectId && filter.projectId !== id) return connect(args, nothing);
      return connect(args, devicesLike(context, { ...filter, projectId: id }));
    },
  }),
);

defineMutation('registerDevice', {
  description: 'Registers a device; with the name of one that exists in the project, takes that one over.',
  input: builder.inputType('RegisterDeviceInput', {
    description: 'What the device says of itself.',
    fields: (t) => ({
      projectId: t.id({ description: "The only project it serves. Default: the key's own; for a key of all projects, all." }),
      name: t.string({ required: true, description: 'Its name: at most 200 characters, once in a project.' }),
      kind: t.field({ type: DeviceKind, required: true, defaultValue: 'WORKER', description: 'What part it takes.' }),
      labels: t.field({ type: [LabelInput], description: 'What steps may ask for by requiredLabels.' }),
      resources: t.field({ type: ResourcesInput, description: 'What it has.' }),
      slots: t.int({ required: true, defaultValue: 1, description: 'How many steps it runs at once.' }),
      capabilities: t.field({
        type: DeviceCapabilitiesInput,
        description: 'What it can run. Default: not said, and any step may be given to it.',
      }),
      rotateKey: t.boolean({
        required: true,
        defaultValue: false,
        description:
          'Answer a key also where the device was there before: those that it has end an hour later. Of no effect by its own key, which rotateApiKey rotates.',
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
          'A key of kind DEVICE for it, shown this once. Null when the device was there before and rotateKey did not ask for another: its key stays as it is.',
      }),
    }),
  }),
  refusals: [NotFound, InvalidInput],
  decide: registerDevice,
});

defineMutation('updateDevice', {
  description: 'Changes a device, or drains it: a draining device finishes what it holds and claims nothing more.',
  input: builder.inputType('UpdateDeviceInput', {
    description: 'What to change. What is left out or null stays as it is.',
    fields: (t) => ({
      deviceId: t.id({ required: true, description: 'The device to change.' }),
      name: t.string({ description: 'Its new name.' }),
      labels: t.field({ type: [LabelInput], description: 'Its labels, all of them.' }),
      resources: t.field({ type: ResourcesInput, description: 'What it has, all of it.' }),
      slots: t.int({ description: 'How many steps it runs at once.' }),
      capabilities: t.field({ type: DeviceCapabilitiesInput, description: 'What it can run, all of it.' }),
      isDraining: t.boolean({ description: 'True: it claims nothing more. False: it does again.' }),
      isLeaving: t.boolean({
        description: 'True: it says goodbye, and is OFFLINE at once, until it is heard of again. Else only silence tells that it has gone.',
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
  description: 'Deletes a device and its keys. Refused while it holds a step. What it did stays, without its name.',
  input: builder.inputType('DeleteDeviceInput', {
    description: 'The device to delete.',
    fields: (t) => ({ deviceId: t.id({ required: true, description: 'Its id.' }) }),
  }),
  payload: builder.objectRef<{ deletedDeviceId: string }>('DeleteDevicePayload').implement({
    description: 'The device is gone.',
    fields: (t) => ({ deletedDeviceId: t.exposeID('deletedDeviceId', { description: 'The id that it had.' }) }),
  }),
  refusals: [NotFound, InvalidState],
  decide: deleteDevice,
});
