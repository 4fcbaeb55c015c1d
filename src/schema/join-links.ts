import type { NewApiKey } from '../domain/access/key-changes.ts';
import { AlreadyExists, InvalidInput, InvalidState, NotFound } from '../domain/core/refusals.ts';
import { inviteDevice, joinDevice } from '../domain/steps/join-links.ts';
import type { DeviceRow } from '../store/schema/tables.ts';
import { builder } from './core/builder.ts';
import { DeviceKind } from './core/enums.ts';
import { defineMutation } from './core/errors.ts';
import { ApiKey } from './core/nouns.ts';

defineMutation('inviteDevice', {
  description:
    'Makes a join link: a key that can make one new device, once, by `joinDevice`, and do nothing else. Allowed for an EDITOR or an ' +
    'ADMIN. A link that was not used is revoked by `revokeApiKey`.',
  input: builder.inputType('InviteDeviceInput', {
    description: 'The device to invite.',
    fields: (t) => ({
      projectId: t.id({
        description:
          'The only project that the device will serve. Default: the project of the key, or all projects for a key of all projects.',
      }),
      expiresInSeconds: t.float({ description: 'How long the link is valid, in seconds: 1 second to 30 days. Default: an hour.' }),
    }),
  }),
  payload: builder.objectRef<NewApiKey>('InviteDevicePayload').implement({
    description: 'The link was made.',
    fields: (t) => ({
      apiKey: t.expose('apiKey', { type: ApiKey, description: 'The key of the link, of kind DEVICE. It is REVOKED once it was used.' }),
      secret: t.exposeString('secret', {
        description: 'The secret of the link, shown only once. `trainyard agent --join` takes it as GATEWAY/#join=SECRET.',
      }),
    }),
  }),
  refusals: [NotFound, InvalidInput],
  decide: inviteDevice,
});

defineMutation('joinDevice', {
  description:
    'Makes the device that a join link is for. Send the secret of the link as the key. The device describes itself afterwards by ' +
    '`registerDevice`, with the key that this returns. Returns INVALID_STATE if the link was used before, and ALREADY_EXISTS if the ' +
    'project has a device of this name: a link takes over no device.',
  input: builder.inputType('JoinDeviceInput', {
    description: 'The device to make.',
    fields: (t) => ({
      name: t.string({ required: true, description: 'Its name, unique in the project: at most 200 characters.' }),
      kind: t.field({ type: DeviceKind, required: true, defaultValue: 'WORKER', description: 'What it is.' }),
      idempotencyKey: t.string({
        required: true,
        description: 'Any text you choose. If the response was lost, the same request returns another key for the same device.',
      }),
    }),
  }),
  payload: builder.objectRef<{ device: DeviceRow; secret: string }>('JoinDevicePayload').implement({
    description: 'The device was made.',
    fields: (t) => ({
      deviceId: t.id({ description: 'The id of the device: `dev_…`.', resolve: ({ device }) => device.id }),
      secret: t.exposeString('secret', {
        description: 'The key of the device, to send as `Authorization: Bearer …`. It is shown only once.',
      }),
    }),
  }),
  refusals: [NotFound, InvalidInput, InvalidState, AlreadyExists],
  decide: joinDevice,
});
