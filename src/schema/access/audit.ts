/** The audit trail: read here, written by what it tells of, changed by nothing. */
import { rightToRead } from '../../domain/access/operations.ts';
import { may, requireRight, scopeOf, sees } from '../../domain/access/rights.ts';
import type { AuditAction as AuditActionWord, AuditSubjectType as AuditSubjectTypeWord } from '../../domain/core/vocabulary.ts';
import { type AuditEntriesOf, auditEntriesByIds, countAuditEntries, listAuditEntries } from '../../store/queries/audit.ts';
import type { AuditEntryRow } from '../../store/schema/tables.ts';
import { builder } from '../core/builder.ts';
import { connect, defineConnection, type List, pageArgs } from '../core/connections.ts';
import { type Context, viewerOf } from '../core/context.ts';
import { describeEnum } from '../core/enums.ts';
import { byId, defineLoader } from '../core/loaders.ts';
import { Node, readNodes } from '../core/node.ts';
import { Project } from '../core/nouns.ts';
import { projectById } from '../projects.ts';

const AuditAction = describeEnum<AuditActionWord>('AuditAction', 'What was done, of that which the audit trail tells.', {
  KEY_CREATED: 'A key was made; not the one that each job comes with, of which its event JOB_CREATED tells.',
  KEY_CHANGED: 'A key got another name or end.',
  KEY_ROTATED: 'Another key took the place of one; `changes` says which, and when the old one ends.',
  KEY_REVOKED: 'A key was ended by someone; not the end of those that end with their job.',
  PROJECT_CREATED: 'A project was made.',
  PROJECT_CHANGED: 'A project got another name, repository or pipeline.',
  PROJECT_DELETED: 'A project was deleted, with all that it owned: jobs, files, devices and keys have no entries of their own then.',
  DEVICE_REGISTERED: 'A device was registered for the first time.',
  DEVICE_CHANGED: 'A device was changed, or registered again as something else.',
  DEVICE_DELETED: 'A device was deleted, and its keys with it.',
  APPLICATION_CREATED: 'An application was added to the catalogue.',
  APPLICATION_CHANGED: 'An application was changed.',
  APPLICATION_DELETED: 'An application was taken out of the catalogue.',
  JOB_DELETED: 'A job was deleted, with its files and its events.',
  FRAGMENT_DELETED: 'A file was deleted by itself.',
});

const AuditSubjectType = describeEnum<AuditSubjectTypeWord>('AuditSubjectType', 'What an entry of the audit trail is about.', {
  API_KEY: 'A key.',
  PROJECT: 'A project.',
  DEVICE: 'A device.',
  APPLICATION: 'An application of the catalogue.',
  JOB: 'A job.',
  FRAGMENT: 'A file.',
});

const AuditEntry = builder.objectRef<AuditEntryRow>('AuditEntry').implement({
  description:
    'Who did what to something of which no event tells, or whose events are gone with it. Stored in the transaction that did it, never changed, and kept when its ' +
    'subject is deleted. What was refused has no entry: it changed nothing, and is in the log of the gateway.',
  interfaces: [Node],
  fields: (t) => ({
    at: t.expose('at', { type: 'DateTime', description: 'When it was done.' }),
    actor: t.exposeString('actor', {
      description:
        'Who did it, as events name them: `user:alice`, `device:gpu-1`; `trainyard`: the gateway itself; `setting:TRAINYARD_ADMIN_KEY`: the operator, by starting it with that.',
    }),
    actorKeyId: t.exposeID('actorKeyId', {
      nullable: true,
      description: 'The id of the key that it was done with. Null: with none, or with the token of a lease.',
    }),
    action: t.expose('action', { type: AuditAction, description: 'What was done.' }),
    subjectType: t.expose('subjectType', { type: AuditSubjectType, description: 'What it was done to.' }),
    subjectId: t.exposeID('subjectId', { description: 'The id of that. It may be gone: `node` is null then.' }),
    subjectName: t.exposeString('subjectName', { description: 'What it was called right after; of something deleted, right before.' }),
    projectId: t.exposeID('projectId', { nullable: true, description: 'The project that it belongs to, or belonged to. Null: to none.' }),
    project: t.field({
      type: Project,
      nullable: true,
      description: 'That project, if it is still there.',
      resolve: ({ projectId }, _, context) => (projectId === null ? null : projectById.load(context, projectId)),
    }),
    changes: t.expose('changes', {
      type: 'JSONObject',
      description:
        'By field, `{"from": …, "to": …}`: what it was, what it is since; without `from`, what it was made with. An empty object says that the field changed, where its ' +
        'values are not kept here: they may be long, or hold secrets.',
    }),
    requestId: t.exposeString('requestId', {
      nullable: true,
      description: 'The request that asked for it, as the log of the gateway names it. Null: none did.',
    }),
  }),
});

const auditEntryById = defineLoader<string, AuditEntryRow | null>(async (context, ids) => {
  const principal = viewerOf(context);
  const rows = may(principal, rightToRead.AuditEntry) ? await auditEntriesByIds(context.domain.store.read, ids) : [];
  return byId(
    ids,
    rows.filter(({ projectId }) => sees(principal, { projectId })),
  );
});
readNodes('AuditEntry', auditEntryById);

const AuditFilter = builder.inputType('AuditFilter', {
  description: 'Which entries to show: those that meet all that is given.',
  fields: (t) => ({
    projectId: t.id({ description: 'About things of this project, which may be gone.' }),
    subjectId: t.id({ description: 'About this thing, which may be gone: `key_…`, `dev_…`, `proj_…`.' }),
    subjectTypes: t.field({ type: [AuditSubjectType], description: 'About things of one of these kinds.' }),
    actions: t.field({ type: [AuditAction], description: 'In which one of these was done.' }),
    actor: t.string({ description: 'Done by this one, in full: `user:alice`.' }),
    since: t.field({ type: 'DateTime', description: 'Done at this moment or after it.' }),
    until: t.field({ type: 'DateTime', description: 'Done before this moment.' }),
  }),
});

const AuditEntryConnection = defineConnection('AuditEntry', AuditEntry, 'entries of the audit trail');

function auditEntriesOf(context: Context, filter: typeof AuditFilter.$inferInput): List<AuditEntryRow> {
  const principal = viewerOf(context);
  requireRight(principal, 'readAudit');
  const { read } = context.domain.store;
  const { projectId: ownId } = scopeOf(principal);
  const { projectId = null, subjectId = null, subjectTypes = null, actions = null, actor = null, since = null, until = null } = filter;
  // PostgreSQL's text holds no NUL, and so nothing that is stored does.
  const isOfNothing = [projectId, subjectId, actor].some((text) => text?.includes('\0'));
  const isOutside = isOfNothing || (ownId !== null && projectId !== null && projectId !== ownId);
  const of: AuditEntriesOf = { projectId: ownId ?? projectId, subjectId, subjectTypes, actions, actor, since, until };
  return {
    positionOf: ({ id }) => [id],
    read: async (slice) => (isOutside ? [] : listAuditEntries(read, of, slice)),
    count: async () => (isOutside ? 0 : countAuditEntries(read, of)),
  };
}

builder.queryField('auditLog', (t) =>
  t.field({
    type: AuditEntryConnection,
    description:
      'The audit trail: who did what to keys, projects, devices and the catalogue, and what was deleted of jobs and files; newest first. Throws FORBIDDEN unless by an ' +
      'ADMIN; of one project, what was done to that alone.',
    args: { filter: t.arg({ type: AuditFilter, description: 'Which entries to show. Default: all.' }), ...pageArgs },
    resolve: (_, { filter, ...args }, context) => connect(args, auditEntriesOf(context, filter ?? {})),
  }),
);
