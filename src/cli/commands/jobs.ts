import { type JobFilter, type JobRowFieldsFragment, JobsDocument } from '../../client/generated.ts';
import { type Command, type Context, jsonFlag } from '../command.ts';
import type { FlagSet, Given } from '../input/flags.ts';
import { resolveProjectId } from '../input/project.ts';
import { UsageError } from '../io.ts';
import { formatAge, formatSpan } from '../output/format.ts';
import { type Column, printList } from '../output/table.ts';
import { readLimit, readPages } from '../pages.ts';

const statuses = ['BLOCKED', 'QUEUED', 'RUNNING', 'SUSPENDED', 'CANCELLING', 'SUCCEEDED', 'FAILED', 'CANCELLED'] as const;

const columns: readonly Column<JobRowFieldsFragment>[] = [
  { title: 'ID', value: (job) => job.id },
  { title: 'STATUS', value: (job) => job.status },
  { title: 'NAME', value: (job) => job.name, isFlexible: true },
  { title: 'PROJECT', value: (job) => job.project.name, isFlexible: true },
  { title: 'OWNER', value: (job) => job.owner, isFlexible: true },
  { title: 'CREATED', value: (job) => formatAge(job.createdAt) },
  { title: 'RAN', value: (job) => formatSpan(job.startedAt, job.finishedAt) },
];

export const jobs: Command = {
  name: 'jobs',
  summary: 'Lists jobs, newest first.',
  usage: '',
  argCount: [0, 0],
  flags: {
    project: { value: 'NAME', description: 'only this project, by name or id' },
    status: { value: 'STATUS', isRepeatable: true, description: `only in these statuses: ${statuses.join(', ')}` },
    type: { value: 'TYPE', isRepeatable: true, description: 'TRAINING, VALIDATION, CONVERSION' },
    name: { value: 'NAME', description: 'only with exactly this name' },
    'name-contains': { value: 'TEXT', description: 'only with this text in the name' },
    owner: { value: 'OWNER', description: 'only created by this owner' },
    label: { value: 'KEY=VALUE', isRepeatable: true, description: 'only with this label' },
    'created-after': { value: 'TIME', description: 'only created after this time (RFC 3339), or this long ago: 90m, 24h, 7d' },
    'created-before': { value: 'TIME', description: 'only created before this time, or this long ago' },
    order: { value: 'FIELD', description: 'sort by CREATED_AT, UPDATED_AT or PRIORITY', defaultText: 'CREATED_AT' },
    ascending: { description: 'smallest first' },
    limit: { value: 'N', description: 'the most to show', defaultText: '50' },
    ...jsonFlag,
  } satisfies FlagSet,

  async run(context) {
    const { io, client, given, isJson } = context;
    const filter = await readFilter(context);
    const field = given.choice('order', ['CREATED_AT', 'UPDATED_AT', 'PRIORITY']) ?? 'CREATED_AT';
    const orderBy = { field, direction: given.has('ascending') ? ('ASC' as const) : ('DESC' as const) };
    const found = await readPages(readLimit(given), async (first, after) => {
      const page = await client.request(JobsDocument, { filter, orderBy, first, after }, { signal: io.signal });
      return page.jobs;
    });
    return printList(io, isJson, columns, found, 'No jobs.');
  },
};

async function readFilter({ client, given, io }: Context): Promise<JobFilter> {
  const wanted = given.choices('status', statuses);
  const types = given.choices('type', ['TRAINING', 'VALIDATION', 'CONVERSION']);
  const project = given.text('project');
  return {
    ...(project !== undefined && { projectId: await resolveProjectId(client, project, io.signal) }),
    ...(wanted.length > 0 && { statuses: wanted }),
    ...(types.length > 0 && { types }),
    name: given.text('name'),
    nameContains: given.text('name-contains'),
    owner: given.text('owner'),
    ...(given.has('label') && { labels: given.pairs('label') }),
    createdAfter: readTime(given, 'created-after'),
    createdBefore: readTime(given, 'created-before'),
  };
}

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

function readTime(given: Given, name: string): string | undefined {
  const text = given.text(name);
  if (text === undefined) return undefined;
  const [, amount, unit = ''] = /^(\d+)([smhd])$/.exec(text) ?? [];
  const time = amount === undefined ? Date.parse(text) : Date.now() - Number(amount) * (unitSeconds[unit] ?? 0) * 1000;
  if (Number.isNaN(time)) throw new UsageError(`--${name} takes a time like 2026-01-31T12:00:00Z or 24h, not "${text}".`);
  return new Date(time).toISOString();
}
