import { type AuditAction, type AuditEntryFieldsFragment, type AuditFilter, AuditLogDocument } from '../../client/generated.ts';
import { type Command, jsonFlag } from '../command.ts';
import { resolveProjectId } from '../input/project.ts';
import { UsageError } from '../io.ts';
import { type Column, printList } from '../output/table.ts';
import { readLimit, readPages } from '../pages.ts';

/** Every value of the schema's enum. A missing one does not compile. */
const known: Readonly<Record<AuditAction, true>> = {
  KEY_CREATED: true,
  KEY_CHANGED: true,
  KEY_ROTATED: true,
  KEY_REVOKED: true,
  PROJECT_CREATED: true,
  PROJECT_CHANGED: true,
  PROJECT_DELETED: true,
  DEVICE_REGISTERED: true,
  DEVICE_CHANGED: true,
  DEVICE_DELETED: true,
  APPLICATION_CREATED: true,
  APPLICATION_CHANGED: true,
  APPLICATION_DELETED: true,
  JOB_DELETED: true,
  FRAGMENT_DELETED: true,
  HTTP_OPENED: true,
  COMMAND_RUN: true,
  PORT_FORWARDED: true,
};
const actions = Object.keys(known) as AuditAction[]; // the keys of this record

const columns: readonly Column<AuditEntryFieldsFragment>[] = [
  { title: 'AT', value: (entry) => entry.at },
  { title: 'ACTOR', value: (entry) => entry.actor, isFlexible: true },
  { title: 'ACTION', value: (entry) => entry.action },
  { title: 'SUBJECT', value: (entry) => entry.subjectId },
  { title: 'NAME', value: (entry) => entry.subjectName, isFlexible: true },
  { title: 'CHANGES', value: showChanges, isFlexible: true },
];

export const audit: Command = {
  name: 'audit',
  summary: 'Lists changes of keys, projects, devices and the catalogue, and who made them, newest first. For administrators.',
  usage: '',
  argCount: [0, 0],
  flags: {
    project: { value: 'NAME', description: 'changes in this project, by name or id' },
    subject: { value: 'ID', description: 'changes of the object with this id, even if it was deleted' },
    actor: { value: 'NAME', description: 'changes by this actor, like `user:alice`' },
    action: { value: 'ACTION', isRepeatable: true, description: 'only these actions, like KEY_ROTATED' },
    since: { value: 'TIME', description: 'from this time on, like 2026-01-31T12:00:00Z' },
    until: { value: 'TIME', description: 'before this time' },
    limit: { value: 'N', description: 'the most to show', defaultText: '100' },
    ...jsonFlag,
  },

  async run({ io, client, given, isJson }) {
    const project = given.text('project');
    const chosen = given.choices('action', actions);
    const filter: AuditFilter = {
      // A deleted project has an id, but no name.
      ...(project !== undefined && {
        projectId: project.startsWith('proj_') ? project : await resolveProjectId(client, project, io.signal),
      }),
      subjectId: given.text('subject'),
      actor: given.text('actor'),
      ...(chosen.length > 0 && { actions: chosen }),
      since: readMoment('since', given.text('since')),
      until: readMoment('until', given.text('until')),
    };
    const found = await readPages(readLimit(given, 100), async (first, after) => {
      return (await client.request(AuditLogDocument, { filter, first, after }, { signal: io.signal })).auditLog;
    });
    return printList(io, isJson, columns, found, 'No entries.');
  },
};

function readMoment(name: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const moment = new Date(text);
  if (Number.isNaN(moment.getTime())) throw new UsageError(`--${name} takes a time like 2026-01-31T12:00:00Z, not "${text}".`);
  return moment.toISOString();
}

/**
 * `expiresAt null → 2026-…, pipeline`: each field with its old and new value, or its name alone if
 * those are not stored.
 */
function showChanges({ changes }: AuditEntryFieldsFragment): string {
  return Object.entries(changes as Record<string, { from?: unknown; to?: unknown }>) // as the schema says
    .map(([field, { from, to }]) => {
      const shown = [from, to]
        .filter((value) => value !== undefined)
        .map((value) => (typeof value === 'string' ? value : JSON.stringify(value)));
      return [field, shown.join(' → ')].join(' ').trimEnd();
    })
    .join(', ');
}
