/**
 * Reads the audit trail. Each change writes its own entry in its transaction, and nothing changes
 * an entry.
 */
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
import { shownProject } from '../projects.ts';

const AuditAction = describeEnum<AuditActionWord>('AuditAction', 'An action that the audit trail records.', {
  KEY_CREATED: 'A key was created. The key that every new job gets is not recorded here: its JOB_CREATED event covers it.',
  KEY_CHANGED: 'The name or expiry of a key was changed.',
  KEY_ROTATED: 'A key was replaced. `changes` names the new key and the time when the old one expires.',
  KEY_REVOKED: 'A key was revoked. Keys that end with their job are not recorded.',
  PROJECT_CREATED: 'A project was created.',
  PROJECT_CHANGED: 'The name, repository or pipeline of a project was changed.',
  PROJECT_DELETED: 'A project was deleted with everything that it owned. Its jobs, files, devices and keys get no entries of their own.',
  DEVICE_REGISTERED: 'A device was registered for the first time.',
  DEVICE_CHANGED: 'A device was changed, or registered again with a different description.',
  DEVICE_DELETED: 'A device and its keys were deleted.',
  APPLICATION_CREATED: 'An application was created.',
  APPLICATION_CHANGED: 'An application was changed.',
  APPLICATION_DELETED: 'An application was deleted.',
  JOB_DELETED: 'A job was deleted with its files and events.',
  FRAGMENT_DELETED: 'A single file was deleted.',
  HTTP_OPENED: 'A link to the HTTP port of a running step was made.',
  COMMAND_RUN: 'A command was run in the environment of a running step. `changes` has its words, cut after 1,000 characters.',
  PORT_FORWARDED: 'A port of a running step was forwarded to a client.',
});

const AuditSubjectType = describeEnum<AuditSubjectTypeWord>('AuditSubjectType', 'The type of object that an audit entry is about.', {
  API_KEY: 'A key.',
  PROJECT: 'A project.',
  DEVICE: 'A device.',
  APPLICATION: 'An application.',
  JOB: 'A job.',
  FRAGMENT: 'A file.',
});

const AuditEntry = builder.objectRef<AuditEntryRow>('AuditEntry').implement({
  description:
    'One action in the audit trail: who did what to which object. The trail covers objects that have no events, deletions of ' +
    'jobs and files, and what enters a running step. An entry is stored in the transaction of its action, never changes, and outlives its object. A refused ' +
    "action has no entry because it changed nothing: the gateway's log has it.",
  interfaces: [Node],
  fields: (t) => ({
    at: t.expose('at', { type: 'DateTime', description: 'When it happened.' }),
    actor: t.exposeString('actor', {
      description:
        'Who did it, named as in events: `user:alice`, `device:gpu-1`. `trainyard` is the gateway itself. ' +
        '`setting:TRAINYARD_ADMIN_KEY` is the operator, who started the gateway with that setting.',
    }),
    actorKeyId: t.exposeID('actorKeyId', {
      nullable: true,
      description: 'The id of the key that was used. Null: no key, or a lease token.',
    }),
    action: t.expose('action', { type: AuditAction, description: 'What was done.' }),
    subjectType: t.expose('subjectType', { type: AuditSubjectType, description: 'The type of the object.' }),
    subjectId: t.exposeID('subjectId', { description: 'The id of the object. If the object was deleted, `node` is null for it.' }),
    subjectName: t.exposeString('subjectName', {
      description: 'The name of the object after the action. For a deleted object, its last name.',
    }),
    projectId: t.exposeID('projectId', {
      nullable: true,
      description: 'The id of the project that the object belongs or belonged to. Null: none.',
    }),
    project: t.field({
      type: Project,
      nullable: true,
      description: 'That project. Null if it was deleted.',
      resolve: ({ projectId }, _, context, info) => shownProject(context, projectId, info),
    }),
    changes: t.expose('changes', {
      type: 'JSONObject',
      description:
        'The changed fields, each as `{"from": …, "to": …}`; without `from` for a new object. An empty object means that the field ' +
        'changed but its values are not recorded, because they may be long or secret.',
    }),
    requestId: t.exposeString('requestId', {
      nullable: true,
      description: "The id of the request, as in the gateway's log. Null: no request caused it.",
    }),
  }),
});

const auditEntryById = defineLoader<string, AuditEntryRow | null>(async (context, ids) => {
  const principal = viewerOf(context);
  const rows = may(principal, rightToRead.AuditEntry) ? await auditEntriesByIds(context.read, ids) : [];
  return byId(
    ids,
    rows.filter(({ projectId }) => sees(principal, { projectId })),
  );
});
readNodes('AuditEntry', auditEntryById);

const AuditFilter = builder.inputType('AuditFilter', {
  description: 'Selects entries that meet every given condition.',
  fields: (t) => ({
    projectId: t.id({ description: 'Only entries about objects of this project. It may be deleted.' }),
    subjectId: t.id({ description: 'Only entries about this object: `key_…`, `dev_…`, `proj_…`. It may be deleted.' }),
    subjectTypes: t.field({ type: [AuditSubjectType], description: 'Only entries about objects of these types.' }),
    actions: t.field({ type: [AuditAction], description: 'Only entries with one of these actions.' }),
    actor: t.string({ description: 'Only actions of this actor, by full name: `user:alice`.' }),
    since: t.field({ type: 'DateTime', description: 'Only actions at or after this time.' }),
    until: t.field({ type: 'DateTime', description: 'Only actions before this time.' }),
  }),
});

const AuditEntryConnection = defineConnection('AuditEntry', AuditEntry, 'entries of the audit trail');

function auditEntriesOf(context: Context, filter: typeof AuditFilter.$inferInput): List<AuditEntryRow> {
  const principal = viewerOf(context);
  requireRight(principal, 'readAudit');
  const { read } = context;
  const { projectId: ownId } = scopeOf(principal);
  const { projectId = null, subjectId = null, subjectTypes = null, actions = null, actor = null, since = null, until = null } = filter;
  // PostgreSQL's text cannot hold NUL, so no stored value has one.
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
      'The audit trail, newest first: who changed keys, projects, devices and applications, and who deleted jobs and files. Throws ' +
      'FORBIDDEN unless the caller is an ADMIN. An ADMIN of one project sees only the entries of that project.',
    args: { filter: t.arg({ type: AuditFilter, description: 'Selects entries. Default: all.' }), ...pageArgs },
    resolve: (_, { filter, ...args }, context) => connect(args, auditEntriesOf(context, filter ?? {})),
  }),
);
