import { type AuditAction, type AuditEntryFieldsFragment, type AuditFilter, AuditLogDocument } from '../../client/generated.ts';
import { type Command, jsonFlag } from '../command.ts';
import { resolveProjectId } from '../input/project.ts';
import { UsageError } from '../io.ts';
import { type Column, printList } from '../output/table.ts';
import { readLimit, readPages } from '../pages.ts';

/** Every word of the schema's enum: one that is missing does not compile. */
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
};
const actions = Object.keys(known) as AuditAction[]; // of the record just above

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
  summary: 'Lists who did what to keys, projects, devices and the catalogue, newest first. For administrators.',
  usage: '',
  argCount: [0, 0],
  flags: {
    project: { value: 'NAME', description: 'about things of this project, by name or id' },
    subject: { value: 'ID', description: 'about this thing, also when it is gone' },
    actor: { value: 'NAME', description: 'done by this one, as `user:alice`' },
    action: { value: 'ACTION', isRepeatable: true, description: 'only these, as KEY_ROTATED' },
    since: { value: 'TIME', description: 'from this moment on, as 2026-01-31T12:00:00Z' },
    until: { value: 'TIME', description: 'before this moment' },
    limit: { value: 'N', description: 'how many', defaultText: '100' },
    ...jsonFlag,
  },

  async run({ io, client, given, isJson }) {
    const project = given.text('project');
    const chosen = given.choices('action', actions);
    const filter: AuditFilter = {
      // One that is gone has an id, and no name any more.
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
  if (Number.isNaN(moment.getTime())) throw new UsageError(`--${name} takes a time, as 2026-01-31T12:00:00Z, not "${text}".`);
  return moment.toISOString();
}

/** `expiresAt null → 2026-…, pipeline`: of each field what it was and is, or its name alone where that is not kept. */
function showChanges({ changes }: AuditEntryFieldsFragment): string {
  return Object.entries(changes as Record<string, { from?: unknown; to?: unknown }>) // as the schema describes it
    .map(([field, { from, to }]) => {
      const shown = [from, to]
        .filter((value) => value !== undefined)
        .map((value) => (typeof value === 'string' ? value : JSON.stringify(value)));
      return [field, shown.join(' → ')].join(' ').trimEnd();
    })
    .join(', ');
}
