import { requireRight, scopeOf } from '../../domain/access/rights.ts';
import { badRequest } from '../../domain/core/request-refusals.ts';
import { countJobs } from '../../store/queries/job-counts.ts';
import { jobCondition, wordsOf } from '../../store/queries/job-filter.ts';
import { listJobs } from '../../store/queries/job-lists.ts';
import { jobPosition, type ListedJob, type JobOrder as Order } from '../../store/queries/job-orders.ts';
import type { ProjectRow } from '../../store/schema/tables.ts';
import type { Choice } from '../../store/statements/choice.ts';
import { builder } from '../core/builder.ts';
import { chosenColumns, reads } from '../core/chosen-columns.ts';
import { connect, defineConnection, type List, pageArgs } from '../core/connections.ts';
import { type Context, viewerOf } from '../core/context.ts';
import { describeEnum, JobInitiator, JobStatus, JobType } from '../core/enums.ts';
import { LabelInput } from '../core/labels.ts';
import { Job, Project } from '../core/nouns.ts';
import { WALK } from '../core/sizes.ts';

/** Each label and each word is a subquery. */
const MOST_LABELS = 20;
const MOST_WORDS = 10;

const LabelFilterInput = builder.inputType('LabelFilterInput', {
  description: 'A condition on one label of a job.',
  fields: (t) => ({
    key: t.string({ required: true, description: 'The key of the label.' }),
    value: t.string({ description: 'Only jobs whose label has this value. Default: any value.' }),
    isAbsent: t.boolean({
      required: true,
      defaultValue: false,
      description: 'True: only jobs without such a label. Cannot be combined with `value`.',
    }),
  }),
});

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
    labelFilters: t.field({
      extensions: WALK,
      type: [LabelFilterInput],
      description: `Only those that meet all of these conditions on labels: at most ${MOST_LABELS}, together with \`labels\`.`,
    }),
    notStatuses: t.field({ type: [JobStatus], description: 'Only those in none of these statuses.' }),
    deviceId: t.id({ description: 'Only those whose `device` it is: the device of the newest attempt at any of their steps.' }),
    hasMetric: t.string({ extensions: WALK, description: 'Only those that have reported this metric.' }),
    search: t.string({
      extensions: WALK,
      description:
        'Only those where each word of this text is part of the name, id, description, owner or a label, written `key=value`: at ' +
        `most ${MOST_WORDS} words, separated by spaces. The letters A to Z match in either case.`,
    }),
    createdAfter: t.field({ type: 'DateTime', description: 'Only those created after this time.' }),
    createdBefore: t.field({ type: 'DateTime', description: 'Only those created before this time.' }),
  }),
});

const JobOrderField = describeEnum<Order['field']>(
  'JobOrderField',
  'The field to order jobs by. Ties are ordered by creation time. Jobs without a value come last, in either direction.',
  {
    CREATED_AT: 'By creation time.',
    UPDATED_AT: 'By the time of the last change. A job that changes moves within the list while you read it.',
    PRIORITY: 'By priority.',
    NAME: 'By name, as the database sorts texts.',
    STARTED_AT: 'By the time when the first step was claimed.',
    FINISHED_AT: 'By the time of the end.',
    DURATION: 'By the time from start to end. Jobs that have not ended have none yet.',
    METRIC: 'By the newest value of the metric that `metric` names.',
  },
);

const OrderDirection = describeEnum<Order['direction']>('OrderDirection', 'The direction of an order.', {
  ASC: 'Ascending: the earliest or lowest first.',
  DESC: 'Descending: the latest or highest first.',
});

const JobOrder = builder.inputType('JobOrder', {
  description: 'The order of a list of jobs. A cursor is valid only for the order that it was read with.',
  fields: (t) => ({
    field: t.field({ type: JobOrderField, required: true, description: 'The field to order by.' }),
    direction: t.field({ type: OrderDirection, required: true, description: 'The direction.' }),
    metric: t.string({ description: 'For METRIC: the name of the metric.' }),
  }),
});

export const JobConnection = defineConnection('Job', Job, 'jobs');

export const newestFirst: Order = { field: 'CREATED_AT', direction: 'DESC' };

type Filter = typeof JobFilter.$inferInput;

/** Throws BAD_REQUEST for a filter that breaks a rule, FORBIDDEN for one that shows too much. */
export function checkJobFilter(context: Context, filter: Filter | null | undefined): void {
  const { labels, labelFilters, search, hasMetric, deviceId } = filter ?? {};
  if ((labels?.length ?? 0) > MOST_LABELS) throw badRequest.tooManyEntries('filter.labels', MOST_LABELS);
  if ((labels?.length ?? 0) + (labelFilters?.length ?? 0) > MOST_LABELS)
    throw badRequest.tooManyEntries('filter.labelFilters', MOST_LABELS);
  for (const [i, { value, isAbsent }] of labelFilters?.entries() ?? [])
    if (value != null && isAbsent) throw badRequest.valueAndAbsent(`filter.labelFilters[${i}]`);
  const words = search == null ? null : wordsOf(search);
  if (words?.length === 0) throw badRequest.emptyText('filter.search');
  if ((words?.length ?? 0) > MOST_WORDS) throw badRequest.tooManyWords('filter.search', MOST_WORDS);
  if (hasMetric === '') throw badRequest.emptyText('filter.hasMetric');
  if (deviceId != null) requireRight(viewerOf(context), 'readDevices');
}

function orderOf(orderBy: typeof JobOrder.$inferInput | null | undefined): Order {
  if (!orderBy) return newestFirst;
  const { field, direction, metric } = orderBy;
  if (field !== 'METRIC') {
    if (metric != null) throw badRequest.onlyWith('orderBy.metric', 'METRIC');
    return { field, direction };
  }
  if (metric == null) throw badRequest.neededWith('orderBy.metric', 'METRIC');
  if (metric === '') throw badRequest.emptyText('orderBy.metric');
  return { field, direction, metric };
}

export function jobsLike(context: Context, filter: Filter, order: Order, choice: Choice): List<ListedJob> {
  checkJobFilter(context, filter);
  const where = jobCondition(filter, scopeOf(viewerOf(context)));
  const { read, signal } = context;
  return {
    positionOf: (job) => jobPosition(order, job),
    read: (slice) => listJobs(read, where, order, slice, { choice, signal }),
    count: () => countJobs(read, where, { signal }),
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
      connect(page, jobsLike(context, filter ?? {}, orderOf(orderBy), chosenColumns(info))),
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
      return connect(page, jobsLike(context, own, orderOf(orderBy), chosenColumns(info)));
    },
  }),
);
