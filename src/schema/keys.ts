import { createApiKey, revokeApiKey } from '../domain/keys.ts';
import { InvalidInput, NotFound } from '../domain/refusals.ts';
import { may, requireRight, scopeOf, sees } from '../domain/rights.ts';
import { type ApiKeysOf, apiKeysByIds, countApiKeys, listApiKeys } from '../store/queries/api-keys.ts';
import type { ApiKeyRow } from '../store/tables.ts';
import { builder } from './builder.ts';
import { connect, defineConnection, type List, pageArgs } from './connections.ts';
import { type Context, viewerOf } from './context.ts';
import { deviceById } from './devices.ts';
import { PrincipalKind, Role } from './enums.ts';
import { defineMutation } from './errors.ts';
import { jobById } from './jobs.ts';
import { byId, defineLoader } from './loaders.ts';
import { Node, readNodes } from './node.ts';
import { ApiKey, Device, Job, Project } from './nouns.ts';
import { projectById } from './projects.ts';

/** Null: there is none, or it may not be seen. */
const apiKeyById = defineLoader<string, ApiKeyRow | null>(async (context, ids) => {
  const principal = viewerOf(context);
  const rows = await apiKeysByIds(context.domain.store.read, ids);
  return byId(
    ids,
    rows.filter((row) => row.id === principal.keyId || (may(principal, 'readKeys') && sees(principal, row))),
  );
});
readNodes('ApiKey', apiKeyById);

ApiKey.implement({
  description: 'A key to this API, without its secret: that is shown once, when it is made, and kept nowhere.',
  interfaces: [Node],
  fields: (t) => ({
    name: t.exposeString('name', { description: 'What people call it; events say who did something by it.' }),
    kind: t.expose('kind', { type: PrincipalKind, description: 'Whom it is for.' }),
    role: t.expose('role', { type: Role, nullable: true, description: 'What it may do; null unless it is of kind USER.' }),
    project: t.field({
      type: Project,
      nullable: true,
      description: 'The only project that it sees. Null: it was made for all, or for what `job` or `device` says.',
      resolve: ({ projectId }, _, context) => (projectId === null ? null : projectById.load(context, projectId)),
    }),
    job: t.field({
      type: Job,
      nullable: true,
      description: 'The only job that it sees; null unless it is of kind JOB or WATCH.',
      resolve: ({ jobId }, _, context) => (jobId === null ? null : jobById.load(context, jobId)),
    }),
    device: t.field({
      type: Device,
      nullable: true,
      description: 'The device that it is for; null unless it is of kind DEVICE.',
      resolve: ({ deviceId }, _, context) => (deviceId === null ? null : deviceById.load(context, deviceId)),
    }),
    hint: t.exposeString('hint', { description: 'The first characters of its secret, to tell keys apart.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it last came, to a minute. Null: never yet.',
    }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', nullable: true, description: 'When it ends by itself. Null: never.' }),
    revokedAt: t.expose('revokedAt', { type: 'DateTime', nullable: true, description: 'When it was revoked. Null: it was not.' }),
  }),
});

const ApiKeyConnection = defineConnection('ApiKey', ApiKey, 'keys');

function keysOf(context: Context, kinds: ApiKeysOf['kinds']): List<ApiKeyRow> {
  const principal = viewerOf(context);
  requireRight(principal, 'readKeys');
  const { read } = context.domain.store;
  const of: ApiKeysOf = { projectId: scopeOf(principal).projectId, kinds };
  return {
    positionOf: ({ id }) => [id],
    read: (slice) => listApiKeys(read, of, slice),
    count: () => countApiKeys(read, of),
  };
}

builder.queryField('apiKeys', (t) =>
  t.field({
    type: ApiKeyConnection,
    description:
      'The keys that there are, ended ones included, newest first. Throws FORBIDDEN unless by an ADMIN; of one project, its keys alone.',
    args: {
      kinds: t.arg({
        type: [PrincipalKind],
        required: true,
        defaultValue: ['USER', 'DEVICE', 'WATCH'],
        description: 'Only keys of these kinds. The default leaves out those of jobs, of which each job has one.',
      }),
      ...pageArgs,
    },
    resolve: (_, { kinds, ...args }, context) => connect(args, keysOf(context, kinds)),
  }),
);

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
  payload: builder.objectRef<{ apiKey: ApiKeyRow; secret: string }>('CreateApiKeyPayload').implement({
    description: 'The key was made.',
    fields: (t) => ({
      apiKey: t.expose('apiKey', { type: ApiKey, description: 'The new key.' }),
      secret: t.exposeString('secret', { description: 'What to send as `Authorization: Bearer …`. Shown this once.' }),
    }),
  }),
  refusals: [NotFound, InvalidInput],
  decide: createApiKey,
});

defineMutation('revokeApiKey', {
  description: 'Ends a key at once; its open subscriptions end within 5 seconds. By an ADMIN, or by the key itself.',
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
