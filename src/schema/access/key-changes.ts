import { createApiKey, type NewApiKey, revokeApiKey, updateApiKey } from '../../domain/access/key-changes.ts';
import { rotateApiKey } from '../../domain/access/key-rotation.ts';
import { InvalidInput, InvalidState, NotFound } from '../../domain/core/refusals.ts';
import type { ApiKeyRow } from '../../store/schema/tables.ts';
import { builder } from '../core/builder.ts';
import { PrincipalKind, Role } from '../core/enums.ts';
import { defineMutation } from '../core/errors.ts';
import { ApiKey } from '../core/nouns.ts';

defineMutation('createApiKey', {
  description: 'Makes a key. By an ADMIN; keys of kind JOB and WATCH by an EDITOR too. No key is made for more than its maker sees.',
  input: builder.inputType('CreateApiKeyInput', {
    description: 'The key to make.',
    fields: (t) => ({
      name: t.string({ required: true, description: 'What people will call it: at most 200 characters.' }),
      kind: t.field({ type: PrincipalKind, required: true, defaultValue: 'USER', description: 'Whom it is for.' }),
      role: t.field({ type: Role, defaultValue: 'VIEWER', description: 'What it may do; of kind USER only.' }),
      projectId: t.id({
        description: "Of kind USER: the only project that it will see. Default: the maker's own; for one of all projects, all.",
      }),
      jobId: t.id({ description: 'Of kind JOB and WATCH: the job that it is for.' }),
      deviceId: t.id({ description: 'Of kind DEVICE: the device that it is for.' }),
      expiresInSeconds: t.float({ description: 'After how many seconds it ends by itself. Default: never.' }),
    }),
  }),
  payload: builder.objectRef<NewApiKey>('CreateApiKeyPayload').implement({
    description: 'The key was made.',
    fields: (t) => ({
      apiKey: t.expose('apiKey', { type: ApiKey, description: 'The new key.' }),
      secret: t.exposeString('secret', { description: 'What to send as `Authorization: Bearer …`. Shown this once.' }),
    }),
  }),
  refusals: [NotFound, InvalidInput],
  decide: createApiKey,
});

defineMutation('updateApiKey', {
  description:
    'Renames a key or changes its expiry. By an ADMIN; keys of kind JOB and WATCH by an EDITOR too. What it may do stays as it is: for other rights, make ' +
    'another key. Answers INVALID_STATE for a new end of a key that has ended, or that was rotated.',
  input: builder.inputType('UpdateApiKeyInput', {
    description: 'What to change. What is left out or null stays as it is.',
    fields: (t) => ({
      apiKeyId: t.id({ required: true, description: 'Its id: `key_…`, not its secret.' }),
      name: t.string({ description: 'What people will call it: at most 200 characters. Events say the new name from then on.' }),
      expiresInSeconds: t.float({ description: 'After how many seconds, from now, it ends by itself.' }),
      neverExpires: t.boolean({ description: 'True takes its end away. Not beside `expiresInSeconds`.' }),
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
    'Makes a key in the place of another: of the same kind, role, project, job or device, and name, with a secret of its own. The old one is good for the overlap, ' +
    'never for longer than it would have been; its open streams end with it. By an ADMIN; keys of kind JOB and WATCH by an EDITOR too; and a key of kind DEVICE by ' +
    'itself, so that a fleet renews its keys without anyone, once a minute and device. When the answer was lost, rotate again (a device when its minute is over): a replacement that nobody has used is revoked, and another ' +
    'made. Once it was used, and for a key that has ended, it answers INVALID_STATE.',
  input: builder.inputType('RotateApiKeyInput', {
    description: 'The key to rotate.',
    fields: (t) => ({
      apiKeyId: t.id({ required: true, description: 'Its id: `key_…`, not its secret.' }),
      overlapSeconds: t.float({
        defaultValue: 3600,
        description:
          'For how many seconds both are good; 0: the old one ends at once. At most 30 days, unless the gateway is set otherwise.',
      }),
      expiresInSeconds: t.float({
        description:
          'After how many seconds, from now, the new one ends by itself. Default: when the old one would have, so that no key makes itself last longer. Not for a key by itself.',
      }),
    }),
  }),
  payload: builder.objectRef<NewApiKey & { replaced: ApiKeyRow }>('RotateApiKeyPayload').implement({
    description: 'The key was rotated.',
    fields: (t) => ({
      apiKey: t.expose('apiKey', { type: ApiKey, description: 'The new key.' }),
      secret: t.exposeString('secret', { description: 'What to send as `Authorization: Bearer …` from now on. Shown this once.' }),
      replaced: t.expose('replaced', { type: ApiKey, description: 'The old key: `expiresAt` is the end of the overlap.' }),
    }),
  }),
  refusals: [NotFound, InvalidInput, InvalidState],
  decide: rotateApiKey,
});

defineMutation('revokeApiKey', {
  description:
    'Ends a key at once; its open subscriptions and transfers end within 5 seconds. By an ADMIN; keys of kind JOB and WATCH by an EDITOR too; any key by itself.',
  input: builder.inputType('RevokeApiKeyInput', {
    description: 'The key to end.',
    fields: (t) => ({ apiKeyId: t.id({ required: true, description: 'Its id: `key_…`, not its secret.' }) }),
  }),
  payload: builder.objectRef<{ apiKey: ApiKeyRow }>('RevokeApiKeyPayload').implement({
    description: 'The key has ended.',
    fields: (t) => ({ apiKey: t.expose('apiKey', { type: ApiKey, description: 'The key, with the time of its end.' }) }),
  }),
  refusals: [NotFound],
  decide: revokeApiKey,
});
