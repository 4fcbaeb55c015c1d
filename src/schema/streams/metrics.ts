import type { GraphQLResolveInfo } from 'graphql';
import { cursorOfJob } from '../../domain/core/joint-cursors.ts';
import { badRequest, gone, limitExceeded } from '../../domain/core/request-refusals.ts';
import { metricsOfJobs } from '../../realtime/metrics-of-jobs.ts';
import { type Frame, jobStream } from '../../realtime/streams.ts';
import { latestMetricsByName, latestMetricsOfJobs, MOST_LATEST } from '../../store/queries/curves.ts';
import type { ShownJob } from '../../store/queries/jobs.ts';
import type { ShownStep } from '../../store/queries/steps.ts';
import type { LatestMetricRow, MetricPointRow } from '../../store/schema/tables.ts';
import { builder } from '../core/builder.ts';
import { reads } from '../core/chosen-columns.ts';
import type { Context } from '../core/context.ts';
import { StreamFrame } from '../core/frames.ts';
import { defineLoader } from '../core/loaders.ts';
import { Job, Step } from '../core/nouns.ts';
import { A_FRAME, IN_ITS_ROW, SOME } from '../core/sizes.ts';
import { comparedJobs, jobOf, MOST_COMPARED, watchedJob } from '../jobs/jobs.ts';
import { stepsOfJob } from '../steps/steps.ts';

const latestOfJob = defineLoader<string, readonly LatestMetricRow[] | null>(async ({ read }, jobIds) => {
  const found = await latestMetricsOfJobs(read, jobIds);
  return jobIds.map((jobId) => found.get(jobId) ?? (found.has(jobId) ? null : []));
});

/**
 * In the order in which they were reported, for these names or for all. Throws LIMIT_EXCEEDED if
 * all are requested and the job has too many.
 */
export async function latestOf(
  context: Context,
  jobId: string,
  names: readonly string[] | null | undefined,
): Promise<readonly LatestMetricRow[]> {
  const all = await latestOfJob.load(context, jobId);
  if (all) return names ? all.filter(({ name }) => names.includes(name)) : all;
  if (names) return latestMetricsByName(context.read, jobId, names);
  throw limitExceeded.metrics(MOST_LATEST);
}

async function stepOfMetric(context: Context, { jobId, stepNumber }: LatestMetricRow, info: GraphQLResolveInfo) {
  const step = (await stepsOfJob(context, jobId, info))[stepNumber];
  if (!step) throw gone('job', jobId);
  return step;
}

export const Metric = builder.objectRef<LatestMetricRow>('Metric').implement({
  description: 'The newest value of a metric.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The name of the metric: `loss`, `val_accuracy`.' }),
    value: t.exposeFloat('value', { description: 'Its newest value.' }),
    iteration: t.exposeInt('iteration', { nullable: true, description: 'The iteration, such as an epoch or batch. Null: none.' }),
    at: t.expose('at', { type: 'DateTime', description: 'When it was measured.' }),
    step: t.field({
      type: Step,
      description: 'The step that reported it.',
      resolve: (metric, _, context, info) => stepOfMetric(context, metric, info),
    }),
    attempt: t.exposeInt('attempt', { description: 'The number of the attempt at that step.' }),
  }),
});

export const MetricPoint = builder.objectRef<MetricPointRow>('MetricPoint').implement({
  description: 'One value of a metric.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The name of the metric.' }),
    value: t.exposeFloat('value', { description: 'The value.' }),
    iteration: t.exposeInt('iteration', { nullable: true, description: 'The iteration, such as an epoch or batch. Null: none.' }),
    at: t.expose('at', { type: 'DateTime', description: 'When it was measured.' }),
    stepNumber: t.exposeInt('stepNumber', { description: 'The number of the step that reported it.' }),
    attempt: t.exposeInt('attempt', { description: 'The number of the attempt at that step.' }),
  }),
});

/** The newest value of each metric of a job over all its steps, ordered by name. */
export async function newestMetrics(context: Context, jobId: string, names?: readonly string[] | null): Promise<LatestMetricRow[]> {
  const latest = new Map((await latestOf(context, jobId, names)).map((metric) => [metric.name, metric]));
  return [...latest.values()].sort(byName);
}

const namesArg = builder.args((t) => ({
  names: t.stringList({ description: 'Only the metrics with these names. Unknown names are ignored. Default: all.' }),
}));

/** The names of a job's metrics, in order. */
export const namesOfMetrics = async (context: Context, jobId: string): Promise<string[]> =>
  [...new Set((await latestOf(context, jobId, null)).map(({ name }) => name))].sort();

const byName = (a: LatestMetricRow, b: LatestMetricRow) => (a.name < b.name ? -1 : 1);

builder.objectFields(Job, (t) => ({
  metrics: t.field({
    type: [Metric],
    size: SOME,
    description: 'The newest value of each metric over all steps, ordered by name.',
    args: namesArg,
    extensions: reads<ShownJob>('id'),
    resolve: ({ id }, { names }, context) => newestMetrics(context, id, names),
  }),
  metricNames: t.stringList({
    description: 'The names of its metrics over all steps, in alphabetical order.',
    extensions: reads<ShownJob>('id'),
    resolve: ({ id }, _, context) => namesOfMetrics(context, id),
  }),
}));

builder.objectField(Step, 'metrics', (t) =>
  t.field({
    type: [Metric],
    size: SOME,
    description: 'The newest value of each metric that it reported, ordered by name.',
    args: namesArg,
    extensions: reads<ShownStep>('jobId', 'number'),
    resolve: async ({ jobId, number }, { names }, context) =>
      (await latestOf(context, jobId, names)).filter(({ stepNumber }) => stepNumber === number).sort(byName),
  }),
);

const MetricFrame = builder.objectRef<Frame<MetricPointRow>>('MetricFrame').implement({
  description: 'New metric values, in the order in which they were reported.',
  interfaces: [StreamFrame],
  fields: (t) => ({ points: t.expose('rows', { type: [MetricPoint], size: IN_ITS_ROW, description: 'The new entries. May be empty.' }) }),
});

builder.subscriptionField('metrics', (t) =>
  t.field({
    type: MetricFrame,
    description: 'The metric values of one job: the stored values, then each new one. The stream ends after the job has ended.',
    args: {
      jobId: t.arg.id({ required: true, description: 'The job to watch.' }),
      ...namesArg,
      after: t.arg({ type: 'Cursor', description: 'Continue after this cursor. Default: from the beginning.' }),
    },
    subscribe: async (_, { jobId, names, after }, context) => {
      const job = await watchedJob(context, jobId);
      return jobStream(context.domain, context.wakeups, {
        kind: 'metric',
        jobId: job.id,
        after: cursorOfJob(after, job.id),
        ...(names ? { names } : {}),
      });
    },
    resolve: (frame) => frame,
  }),
);

const JobMetricPoint = builder.objectRef<MetricPointRow>('JobMetricPoint').implement({
  description: 'One value of a metric, and the job that it belongs to.',
  fields: (t) => ({
    job: t.field({
      type: Job,
      description: 'The job whose step reported it.',
      resolve: ({ jobId }, _, context, info) => jobOf(context, jobId, info),
    }),
    point: t.field({ type: MetricPoint, description: 'The value.', resolve: (point) => point }),
  }),
});

const JobMetricFrame = builder.objectRef<Frame<MetricPointRow>>('JobMetricFrame').implement({
  description: 'New metric values of several jobs. Those of one job are in the order in which they were reported.',
  interfaces: [StreamFrame],
  fields: (t) => ({ points: t.expose('rows', { type: [JobMetricPoint], size: A_FRAME, description: 'The new entries. May be empty.' }) }),
});

builder.subscriptionField('metricsOfJobs', (t) =>
  t.field({
    type: JobMetricFrame,
    description:
      'The metric values of several jobs in one stream: the stored values, then each new one. The stream ends after all of the jobs ' +
      'have ended. A job that is deleted has no more entries. `compareMetric` has the curves so far, and the cursor to continue ' +
      'them from.',
    args: {
      jobIds: t.arg.idList({ required: true, description: `The jobs to watch: 1 to ${MOST_COMPARED}. A job given twice counts once.` }),
      ...namesArg,
      after: t.arg({
        type: 'Cursor',
        description:
          'Continue after this cursor, of a frame or of `compareMetric`. A job that the cursor knows nothing of is replayed from its ' +
          'beginning. Default: all from the beginning.',
      }),
    },
    subscribe: async (_, { jobIds, names, after }, context) => {
      if (jobIds.length === 0) throw badRequest.noEntries('jobIds');
      const jobs = await comparedJobs(context, jobIds);
      return metricsOfJobs(context.domain, context.wakeups, { jobIds: jobs.map(({ id }) => id), names, after });
    },
    resolve: (frame) => frame,
  }),
);
