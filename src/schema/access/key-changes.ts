import { createApiKey, type NewApiKey, revokeApiKey, updateApiKey } from '../../domain/access/key-changes.ts';
import { rotateApiKey } from '../../domain/access/key-rotation.ts';
import { InvalidInput, InvalidState, NotFound } from '../../domain/core/refusals.ts';
import type { ApiKeyRow } from '../../store/schema/tables.ts';
import { builder } from '../core/builder.ts';
import { PrincipalKind, Role } from '../core/enums.ts';
import { defineMutation } from '../core/errors.ts';
import { ApiKey } from '../core/nouns.ts';

defineMutation('createApiKey', {
  description:
    'Creates a key. Allowed for an ADMIN. An EDITOR may create keys of kind JOB and WATCH. A new key never sees more than its ' +
    'creator.',
  input: builder.inputType('CreateApiKeyInput', {
    description: 'The key to create.',
    fields: (t) => ({
      name: t.string({ required: true, description: 'Its name: at most 200 characters.' }),
      kind: t.field({ type: PrincipalKind, required: true, defaultValue: 'USER', description: 'Who uses it.' }),
      role: t.field({ type: Role, defaultValue: 'VIEWER', description: 'What it may do. Only for kind USER.' }),
      projectId: t.id({
        description:
          "For kind USER: the only project that it sees. Default: the creator's project, or all projects if the creator has all.",
      }),
      jobId: t.id({ description: 'For kinds JOB and WATCH: its job.' }),
      deviceId: t.id({ description: 'For kind DEVICE: its device.' }),
      expiresInSeconds: t.float({ description: 'The number of seconds until it expires. Default: it does not expire.' }),
    }),
  }),
  payload: builder.objectRef<NewApiKey>('CreateApiKeyPayload').implement({
    description: 'The key was created.',
    fields: (t) => ({
      apiKey: t.expose('apiKey', { type: ApiKey, description: 'The new key.' }),
      secret: t.exposeString('secret', { description: 'The secret to send as `Authorization: Bearer …`. It is shown only once.' }),
    }),
  }),
  refusals: [NotFound, InvalidInput],
  decide: createApiKey,
});

defineMutation('updateApiKey', {
  description:
    'Renames a key or changes its expiry. Allowed for an ADMIN. An EDITOR may change keys of kind JOB and WATCH. Rights cannot ' +
    'be changed: create another key instead. Returns INVALID_STATE for a new expiry of a key that has ended or was rotated.',
  input: builder.inputType('UpdateApiKeyInput', {
    description: 'The changes. A field that is left out or null stays unchanged.',
    fields: (t) => ({
      apiKeyId: t.id({ required: true, description: 'Its id, `key_…`. Not its secret.' }),
      name: t.string({ description: 'Its name: at most 200 characters. Later events use the new name.' }),
      expiresInSeconds: t.float({ description: 'The number of seconds from now until it expires.' }),
      neverExpires: t.boolean({ description: 'True removes its expiry. Cannot be combined with `expiresInSeconds`.' }),
    }),
  }),
  payload: builder.objectRef<{ apiKey: ApiKeyRow }>('UpdateApiKeyPayload').implement({
    description: 'The key was changed.',
    fields: (t) => ({ apiKey: t.expose('apiKey', { type: ApiKey, description: 'The key as it is now.' }) }),
  }),
  refusals: [NotFound, InvalidInput, InvalidState],
  decide: updateApiKey,
});

defineMutation('rotateApiKey', {
  description:
    'Replaces a key with a new one of the same kind, role, project, job, device and name, with a new secret. The old key stays ' +
    'valid for the overlap, but never longer than it would have been, and its open streams end with it. Allowed for an ADMIN. An ' +
    'EDITOR may rotate keys of kind JOB and WATCH. A key of kind DEVICE may rotate itself once a minute, so that a fleet can ' +
    'renew its keys unattended. If the response was lost, rotate again (a device after its minute): a replacement that was never ' +
    'used is revoked, and another is created. Returns INVALID_STATE if the replacement was used or the key has ended.',
  input: builder.inputType('RotateApiKeyInput', {
    description: 'The key to rotate.',
    fields: (t) => ({
      apiKeyId: t.id({ required: true, description: 'Its id, `key_…`. Not its secret.' }),
      overlapSeconds: t.float({
        defaultValue: 3600,
        description:
          'How many seconds both keys are valid. 0: the old key ends at once. At most 30 days, unless the gateway is configured ' +
          'otherwise.',
      }),
      expiresInSeconds: t.float({
        description:
          'The number of seconds from now until the new key expires. Default: it expires when the old key would have, so that a key ' +
          'cannot extend its own life. A key that rotates itself cannot set this.',
      }),
    }),
  }),
  payload: builder.objectRef<NewApiKey & { replaced: ApiKeyRow }>('RotateApiKeyPayload').implement({
    description: 'The key was rotated.',
    fields: (t) => ({
      apiKey: t.expose('apiKey', { type: ApiKey, description: 'The new key.' }),
      secret: t.exposeString('secret', {
        description: 'The secret to send as `Authorization: Bearer …` from now on. It is shown only once.',
      }),
      replaced: t.expose('replaced', { type: ApiKey, description: 'The old key. Its `expiresAt` is the end of the overlap.' }),
    }),
  }),
  refusals: [NotFound, InvalidInput, InvalidState],
  decide: rotateApiKey,
});

defineMutation('revokeApiKey', {
  description:
    'Ends a key at once. Its open subscriptions and transfers end within 5 seconds. Allowed for an ADMIN. An EDITOR may revoke ' +
    'keys of kind JOB and WATCH. Any key may revoke itself.',
  input: builder.inputType('RevokeApiKeyInput', {
    description: 'The key to revoke.',
    fields: (t) => ({ apiKeyId: t.id({ required: true, description: 'Its id, `key_…`. Not its secret.' }) }),
  }),
  payload: builder.objectRef<{ apiKey: ApiKeyRow }>('RevokeApiKeyPayload').implement({
    description: 'The key was revoked.',
    fields: (t) => ({
      apiKey: t.expose('apiKey', { type: ApiKey, description: 'The key as it is now, with the time when it was revoked.' }),
    }),
  }),
  refusals: [NotFound],
  decide: revokeApiKey,
});
