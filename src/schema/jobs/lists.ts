import { scopeOf } from '../../domain/access/rights.ts';
import { badRequest } from '../../domain/core/refusals.ts';
import { jobCondition } from '../../store/queries/job-filter.ts';
import { countJobs, jobPosition, listJobs, type JobOrder as Order, type ShownJob } from '../../store/queries/jobs.ts';
import type { Choice } from '../../store/statements/choice.ts';
import { builder } from '../core/builder.ts';
import { chosenColumns } from '../core/chosen-columns.ts';
import { connect, defineConnection, type List, pageArgs } from '../core/connections.ts';
import { type Context, viewerOf } from '../core/context.ts';
import { describeEnum, JobInitiator, JobStatus, JobType } from '../core/enums.ts';
import { LabelInput } from '../core/labels.ts';
import { Job, Project } from '../core/nouns.ts';

/** Each is a subquery of its own. */
const MOST_LABELS = 20;

export const JobFilter = builder.inputType('JobFilter', {
  description:
    'Which jobs. What is left out or null does not matter; what is given must hold, all of it. An empty list of words takes no job at all.',
  fields: (t) => ({
    projectId: t.id({ description: 'Only those of this project.' }),
    experimentId: t.id({ description: 'Only those of this experiment.' }),
    applicationId: t.id({ description: 'Only those of this application.' }),
    statuses: t.field({ type: [JobStatus], description: 'Only those in one of these statuses.' }),
    types: t.field({ type: [JobType], description: 'Only those of one of these types.' }),
    initiators: t.field({ type: [JobInitiator], description: 'Only those that one of these started.' }),
    name: t.string({ description: 'Only those of just this name.' }),
    nameContains: t.string({ description: 'Only those with this in their name; A to Z are taken as a to z.' }),
    owner: t.string({ description: 'Only those that this principal created, as `user:alice`.' }),
    labels: t.field({ type: [LabelInput], description: `Only those that have all of these labels; at most ${MOST_LABELS}.` }),
    createdAfter: t.field({ type: 'DateTime', description: 'Only those made later than this.' }),
    createdBefore: t.field({ type: 'DateTime', description: 'Only those made earlier than this.' }),
  }),
});

const JobOrderField = describeEnum<Order['field']>('JobOrderField', 'What a list of jobs is ordered by. Ties are ordered by age.', {
  CREATED_AT: 'By when they were made.',
  UPDATED_AT: 'By when they last changed. A job that changes moves in the list while it is being read.',
  PRIORITY: 'By their priority.',
});

const OrderDirection = describeEnum<Order['direction']>('OrderDirection', 'Which way a list runs.', {
  ASC: 'From the earliest, or the lowest.',
  DESC: 'From the latest, or the highest.',
});

const JobOrder = builder.inputType('JobOrder', {
  description: 'The order of a list of jobs. Cursors are good for the order in which they were given.',
  fields: (t) => ({
    field: t.field({ type: JobOrderField, required: true, description: 'What to order by.' }),
    direction: t.field({ type: OrderDirection, required: true, description: 'Which way.' }),
  }),
});

export const JobConnection = defineConnection('Job', Job, 'jobs');

export const newestFirst: Order = { field: 'CREATED_AT', direction: 'DESC' };

type Filter = typeof JobFilter.$inferInput;

/** Throws BAD_REQUEST for a filter that asks for too much. */
export function checkJobFilter(filter: Filter | null | undefined): void {
  if ((filter?.labels?.length ?? 0) > MOST_LABELS) throw badRequest.tooManyEntries('filter.labels', MOST_LABELS);
}

export function jobsLike(context: Context, filter: Filter, order: Order, choice: Choice): List<ShownJob> {
  checkJobFilter(filter);
  const where = jobCondition(filter, scopeOf(viewerOf(context)));
  const { read } = context.domain.store;
  return {
    positionOf: (job) => jobPosition(order, job),
    read: (slice) => listJobs(read, where, order, slice, choice),
    count: () => countJobs(read, where),
  };
}

const listArgs = builder.args((t) => ({
  filter: t.field({ type: JobFilter, description: 'Which of them. Default: all.' }),
  orderBy: t.field({ type: JobOrder, description: 'In which order. Default: newest first.' }),
}));

builder.queryField('jobs', (t) =>
  t.field({
    type: JobConnection,
    description: 'The jobs that this key sees.',
    args: { ...listArgs, ...pageArgs },
    resolve: (_, { filter, orderBy, ...page }, context, info) =>
      connect(page, jobsLike(context, filter ?? {}, orderBy ?? newestFirst, chosenColumns(info))),
  }),
);

builder.objectField(Project, 'jobs', (t) =>
  t.field({
    type: JobConnection,
    description: 'Its jobs.',
    args: { ...listArgs, ...pageArgs },
    resolve: ({ id }, { filter, orderBy, ...page }, context, info) => {
      // A filter for another project takes none of this one's.
      const isOther = filter?.projectId != null && filter.projectId !== id;
      const own: Filter = isOther ? { ...filter, statuses: [] } : { ...filter, projectId: id };
      return connect(page, jobsLike(context, own, orderBy ?? newestFirst, chosenColumns(info)));
    },
  }),
);
