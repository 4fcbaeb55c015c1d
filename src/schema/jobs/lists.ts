import { scopeOf } from '../../domain/access/rights.ts';
import { badRequest } from '../../domain/core/request-refusals.ts';
import { jobCondition } from '../../store/queries/job-filter.ts';
import { countJobs, jobPosition, listJobs, type JobOrder as Order, type ShownJob } from '../../store/queries/jobs.ts';
import type { ProjectRow } from '../../store/schema/tables.ts';
import type { Choice } from '../../store/statements/choice.ts';
import { builder } from '../core/builder.ts';
import { chosenColumns, reads } from '../core/chosen-columns.ts';
import { connect, defineConnection, type List, pageArgs } from '../core/connections.ts';
import { type Context, viewerOf } from '../core/context.ts';
import { describeEnum, JobInitiator, JobStatus, JobType } from '../core/enums.ts';
import { LabelInput } from '../core/labels.ts';
import { Job, Project } from '../core/nouns.ts';

/** Each label is a subquery. */
const MOST_LABELS = 20;

export const JobFilter = builder.inputType('JobFilter', {
  description:
    'Selects jobs that meet every given condition. A field that is left out or null is no condition. An empty list of statuses, ' +
    'types or initiators matches no job.',
  fields: (t) => ({
    projectId: t.id({ description: 'Only those in this project.' }),
    experimentId: t.id({ description: 'Only those in this experiment.' }),
    applicationId: t.id({ description: 'Only those of this application.' }),
    statuses: t.field({ type: [JobStatus], description: 'Only those in one of these statuses.' }),
    types: t.field({ type: [JobType], description: 'Only those with one of these types.' }),
    initiators: t.field({ type: [JobInitiator], description: 'Only those with one of these initiators.' }),
    name: t.string({ description: 'Only those with exactly this name.' }),
    nameContains: t.string({ description: 'Only those whose name contains this text. The letters A to Z match in either case.' }),
    owner: t.string({ description: 'Only those created by this key name: `user:alice`.' }),
    labels: t.field({ type: [LabelInput], description: `Only those with all of these labels: at most ${MOST_LABELS}.` }),
    createdAfter: t.field({ type: 'DateTime', description: 'Only those created after this time.' }),
    createdBefore: t.field({ type: 'DateTime', description: 'Only those created before this time.' }),
  }),
});

const JobOrderField = describeEnum<Order['field']>('JobOrderField', 'The field to order jobs by. Ties are ordered by creation time.', {
  CREATED_AT: 'By creation time.',
  UPDATED_AT: 'By the time of the last change. A job that changes moves within the list while you read it.',
  PRIORITY: 'By priority.',
});

const OrderDirection = describeEnum<Order['direction']>('OrderDirection', 'The direction of an order.', {
  ASC: 'Ascending: the earliest or lowest first.',
  DESC: 'Descending: the latest or highest first.',
});

const JobOrder = builder.inputType('JobOrder', {
  description: 'The order of a list of jobs. A cursor is valid only for the order that it was read with.',
  fields: (t) => ({
    field: t.field({ type: JobOrderField, required: true, description: 'The field to order by.' }),
    direction: t.field({ type: OrderDirection, required: true, description: 'The direction.' }),
  }),
});

export const JobConnection = defineConnection('Job', Job, 'jobs');

export const newestFirst: Order = { field: 'CREATED_AT', direction: 'DESC' };

type Filter = typeof JobFilter.$inferInput;

/** Throws BAD_REQUEST for a filter with too many labels. */
export function checkJobFilter(filter: Filter | null | undefined): void {
  if ((filter?.labels?.length ?? 0) > MOST_LABELS) throw badRequest.tooManyEntries('filter.labels', MOST_LABELS);
}

export function jobsLike(context: Context, filter: Filter, order: Order, choice: Choice): List<ShownJob> {
  checkJobFilter(filter);
  const where = jobCondition(filter, scopeOf(viewerOf(context)));
  const { read } = context;
  return {
    positionOf: (job) => jobPosition(order, job),
    read: (slice) => listJobs(read, where, order, slice, choice),
    count: () => countJobs(read, where),
  };
}

const listArgs = builder.args((t) => ({
  filter: t.field({ type: JobFilter, description: 'Selects entries. Default: all.' }),
  orderBy: t.field({ type: JobOrder, description: 'The order. Default: newest first.' }),
}));

builder.queryField('jobs', (t) =>
  t.field({
    type: JobConnection,
    description: 'The jobs that this key may see.',
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
    extensions: reads<ProjectRow>('id'),
    resolve: ({ id }, { filter, orderBy, ...page }, context, info) => {
      // A filter for another project matches no job of this one.
      const isOther = filter?.projectId != null && filter.projectId !== id;
      const own: Filter = isOther ? { ...filter, statuses: [] } : { ...filter, projectId: id };
      return connect(page, jobsLike(context, own, orderBy ?? newestFirst, chosenColumns(info)));
    },
  }),
);
