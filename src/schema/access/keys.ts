import { type ApiKeyState as ApiKeyStateWord, stateOfKey } from '../../domain/access/keys.ts';
import type { Principal, PrincipalKind as PrincipalKindWord } from '../../domain/access/principal.ts';
import { may, requireRight, scopeOf, seesKey } from '../../domain/access/rights.ts';
import { type ApiKeysOf, apiKeysByIds, countApiKeys, listApiKeys } from '../../store/queries/keys.ts';
import type { ApiKeyRow } from '../../store/schema/tables.ts';
import { builder } from '../core/builder.ts';
import { connect, defineConnection, type List, pageArgs } from '../core/connections.ts';
import { type Context, viewerOf } from '../core/context.ts';
import { describeEnum, PrincipalKind, Role } from '../core/enums.ts';
import { byId, defineLoader } from '../core/loaders.ts';
import { Node, readNodes } from '../core/node.ts';
import { ApiKey, Device, Job, Project } from '../core/nouns.ts';
import { deviceById } from '../devices.ts';
import { shownJob } from '../jobs/jobs.ts';
import { shownProject } from '../projects.ts';

/** Null when there is none or the caller may not see it. */
const apiKeyById = defineLoader<string, ApiKeyRow | null>(async (context, ids) => {
  const principal = viewerOf(context);
  const rows = await apiKeysByIds(context.read, ids);
  return byId(
    ids,
    rows.filter((row) => seesKey(principal, row)),
  );
});
readNodes('ApiKey', apiKeyById);

const ApiKeyState = describeEnum<ApiKeyStateWord>('ApiKeyState', 'Whether a key is valid.', {
  LIVE: 'It is valid now.',
  EXPIRED: 'It expired, either at its own expiry or at the end of the overlap after a rotation.',
  REVOKED: 'It was revoked, or it was for a job that has ended.',
});

ApiKey.implement({
  description: 'A key to this API, without its secret. The secret is shown once, when the key is created, and is never stored.',
  interfaces: [Node],
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name. Events name the actor by it.' }),
    kind: t.expose('kind', { type: PrincipalKind, description: 'Who uses it.' }),
    role: t.expose('role', { type: Role, nullable: true, description: 'What it may do. Null unless its kind is USER.' }),
    project: t.field({
      type: Project,
      nullable: true,
      description: 'The only project that it sees. Null: it is for all projects, or for `job` or `device`.',
      resolve: ({ projectId }, _, context, info) => shownProject(context, projectId, info),
    }),
    job: t.field({
      type: Job,
      nullable: true,
      description: 'The only job that it sees. Null unless its kind is JOB or WATCH.',
      resolve: ({ jobId }, _, context, info) => shownJob(context, jobId, info),
    }),
    device: t.field({
      type: Device,
      nullable: true,
      description: 'Its device. Null unless its kind is DEVICE.',
      resolve: ({ deviceId }, _, context) => (deviceId === null ? null : deviceById.load(context, deviceId)),
    }),
    hint: t.exposeString('hint', { description: 'The first characters of its secret, to distinguish keys.' }),
    state: t.field({
      type: ApiKeyState,
      description: 'Whether it is valid now.',
      resolve: (key, _, { domain }) => stateOfKey(key, domain.clock.now()),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was created.' }),
    createdBy: t.exposeString('createdBy', {
      description:
        'Who created it, named as in events: `user:alice`. `trainyard` is the gateway itself. `setting:TRAINYARD_ADMIN_KEY` means ' +
        'that the operator chose it.',
    }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was last used, accurate to a minute. Null: never.',
    }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', nullable: true, description: 'When it expires. Null: never.' }),
    revokedAt: t.expose('revokedAt', { type: 'DateTime', nullable: true, description: 'When it was revoked. Null: it was not revoked.' }),
    rotatedFrom: t.field({
      type: ApiKey,
      nullable: true,
      description: 'The key that it replaced. Null: it did not replace one.',
      resolve: ({ rotatedFromId }, _, context) => (rotatedFromId === null ? null : apiKeyById.load(context, rotatedFromId)),
    }),
    replacedBy: t.field({
      type: ApiKey,
      nullable: true,
      description: 'The key that replaced it. Until `expiresAt` both are valid. Null: it was not rotated.',
      resolve: ({ replacedById }, _, context) => (replacedById === null ? null : apiKeyById.load(context, replacedById)),
    }),
  }),
});

const ApiKeyConnection = defineConnection('ApiKey', ApiKey, 'keys');

/** An editor sees only the keys of jobs, whatever kinds it requests. */
function visibleKinds(principal: Principal, kinds: readonly PrincipalKindWord[]): PrincipalKindWord[] {
  return kinds.filter((kind) => may(principal, kind === 'JOB' || kind === 'WATCH' ? 'readJobKeys' : 'readKeys'));
}

function keysOf(context: Context, asked: Omit<ApiKeysOf, 'projectId' | 'now'>): List<ApiKeyRow> {
  const principal = viewerOf(context);
  requireRight(principal, 'readJobKeys');
  const { read } = context;
  const { clock } = context.domain;
  const kinds = visibleKinds(principal, asked.kinds);
  const of: ApiKeysOf = { ...asked, kinds, projectId: scopeOf(principal).projectId, now: clock.now() };
  // PostgreSQL's text cannot hold NUL, so no id has one.
  const isOfNothing = [of.jobId, of.deviceId].some((id) => id?.includes('\0'));
  return {
    positionOf: ({ id }) => [id],
    read: async (slice) => (isOfNothing ? [] : listApiKeys(read, of, slice)),
    count: async () => (isOfNothing ? 0 : countApiKeys(read, of)),
  };
}

builder.queryField('apiKeys', (t) =>
  t.field({
    type: ApiKeyConnection,
    description:
      'The keys, newest first, including those that have ended. Throws FORBIDDEN unless the caller is an ADMIN or an EDITOR. An ' +
      "EDITOR sees only keys of jobs. A caller with a key of one project sees only that project's keys.",
    args: {
      kinds: t.arg({
        type: [PrincipalKind],
        required: true,
        defaultValue: ['USER', 'DEVICE', 'WATCH'],
        description: 'Only keys of these kinds. The default leaves out JOB keys, because every job has one.',
      }),
      isLive: t.arg.boolean({ description: 'True: only keys that are valid now. False: only keys that have ended. Default: both.' }),
      jobId: t.arg.id({ description: 'Only keys of this job.' }),
      deviceId: t.arg.id({ description: 'Only keys of this device.' }),
      ...pageArgs,
    },
    resolve: (_, { kinds, isLive = null, jobId = null, deviceId = null, ...args }, context) =>
      connect(args, keysOf(context, { kinds, isLive, jobId, deviceId })),
  }),
);
