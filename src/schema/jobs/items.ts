import { typedValue } from '../../domain/jobs/items.ts';
import type { ShownJob } from '../../store/queries/jobs.ts';
import { itemsById, itemsOfJobs } from '../../store/queries/steps.ts';
import type { JobItemRow } from '../../store/schema/tables.ts';
import { builder } from '../core/builder.ts';
import { reads } from '../core/chosen-columns.ts';
import { ItemValueType, SettingSource } from '../core/enums.ts';
import { byId, defineLoader, grouped } from '../core/loaders.ts';
import { Node, readNodes } from '../core/node.ts';
import { Job, JobItem } from '../core/nouns.ts';
import { IN_ITS_ROW } from '../core/sizes.ts';
import { jobOf, jobWith } from './jobs.ts';

const itemsOfJob = defineLoader<string, JobItemRow[]>(async ({ read }, jobIds) =>
  grouped(jobIds, await itemsOfJobs(read, jobIds), ({ jobId }) => jobId),
);

/** Null when there is none or the caller may not see its job. */
const itemById = defineLoader<string, JobItemRow | null>(async (context, ids) => {
  const rows = await itemsById(context.read, ids);
  const jobs = await Promise.all(rows.map(({ jobId }) => jobWith(context, jobId, 'id')));
  return byId(
    ids,
    rows.filter((_, i) => jobs[i] != null),
  );
});
readNodes('JobItem', itemById);

JobItem.implement({
  description: 'A named, typed setting of a job.',
  interfaces: [Node],
  fields: (t) => ({
    job: t.field({
      type: Job,
      description: 'The job that it belongs to.',
      resolve: ({ jobId }, _, context, info) => jobOf(context, jobId, info),
    }),
    name: t.exposeString('name', { description: 'Its name, unique within the job.' }),
    description: t.exposeString('description', { nullable: true, description: 'Its purpose, if given.' }),
    label: t.exposeString('label', { nullable: true, description: 'Its label in forms, if given.' }),
    value: t.exposeString('value', {
      budget: true,
      description: 'Its value as text, in the canonical form of its type: `.50` becomes `0.5`.',
    }),
    typedValue: t.field({
      type: 'JSON',
      description: 'Its value as JSON: a number, a string, a boolean or an array of strings.',
      resolve: (item) => typedValue(item),
    }),
    defaultValue: t.exposeString('defaultValue', {
      budget: true,
      nullable: true,
      description: 'The value that applies when none is given, if there is one.',
    }),
    valueType: t.expose('valueType', { type: ItemValueType, description: 'The type of its value.' }),
    source: t.expose('source', { type: SettingSource, description: 'Whether its value was given or is the default.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was created.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When it last changed.' }),
  }),
});

builder.objectFields(Job, (t) => ({
  items: t.field({
    type: [JobItem],
    size: IN_ITS_ROW,
    description:
      'Its named, typed settings, in the order of its application. Without an application, in the order in which they were given.',
    extensions: reads<ShownJob>('id'),
    resolve: ({ id }, _, context) => itemsOfJob.load(context, id),
  }),
  item: t.field({
    type: JobItem,
    nullable: true,
    description: 'The item with this name. Null when there is none.',
    args: { name: t.arg.string({ required: true, description: 'Its name, case-sensitive.' }) },
    extensions: reads<ShownJob>('id'),
    resolve: async ({ id }, { name }, context) => (await itemsOfJob.load(context, id)).find((item) => item.name === name) ?? null,
  }),
}));

export const JobItemInput = builder.inputType('JobItemInput', {
  description: 'A named, typed setting for a job.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'Its name: at most 200 characters, unique within the job.' }),
    description: t.string({ description: 'Its purpose.' }),
    label: t.string({ description: 'Its label in forms.' }),
    value: t.string({ description: 'Its value as text. Optional when there is a default.' }),
    defaultValue: t.string({ description: "The value that applies when none is given. Default: the application's." }),
    valueType: t.field({
      type: ItemValueType,
      description: 'The type of the value. Default: the type that the application defines, or TEXT.',
    }),
  }),
});
