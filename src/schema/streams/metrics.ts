import type { GraphQLResolveInfo } from 'graphql';
import { badRequest, gone, limitExceeded } from '../../domain/core/request-refusals.ts';
import { type Frame, jobStream } from '../../realtime/streams.ts';
import { type Curve, latestMetricsByName, latestMetricsOfJobs, MOST_LATEST, readMetric } from '../../store/queries/curves.ts';
import type { ShownJob } from '../../store/queries/jobs.ts';
import type { ShownStep } from '../../store/queries/steps.ts';
import type { LatestMetricRow, MetricPointRow } from '../../store/schema/tables.ts';
import { builder } from '../core/builder.ts';
import { reads } from '../core/chosen-columns.ts';
import type { Context } from '../core/context.ts';
import { StreamFrame } from '../core/frames.ts';
import { defineLoader } from '../core/loaders.ts';
import { Job, Step } from '../core/nouns.ts';
import { IN_ITS_PAGE, IN_ITS_ROW, type Size, SOME } from '../core/sizes.ts';
import { watchedJob } from '../jobs/jobs.ts';
import { stepsOfJob } from '../steps/steps.ts';

/**
 * The most points of a curve: more than a screen has pixels across, and about a megabyte of answer.
 */
export const MOST_POINTS = 10_000;
/** A point is two numbers, and all are read at once: a hundred count as one node. */
export const CURVE: Size = { by: ['maxPoints'], usually: MOST_POINTS, perNode: 100, isPage: false };

/** The number of points to downsample a curve to. Throws BAD_REQUEST for an invalid number. */
export function pointsToShow(maxPoints: number | null | undefined): number {
  const most = maxPoints ?? MOST_POINTS;
  if (most < 1 || most > MOST_POINTS) throw badRequest.outOfRange('maxPoints', 1, MOST_POINTS, most);
  return most;
}

const latestOfJob = defineLoader<string, readonly LatestMetricRow[] | null>(async ({ read }, jobIds) => {
  const found = await latestMetricsOfJobs(read, jobIds);
  return jobIds.map((jobId) => found.get(jobId) ?? (found.has(jobId) ? null : []));
});

/**
 * In the order in which they were reported, for these names or for all. Throws LIMIT_EXCEEDED if
 * all are requested and the job has too many.
 */
async function latestOf(context: Context, jobId: string, names: readonly string[] | null | undefined): Promise<readonly LatestMetricRow[]> {
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

const MetricPoint = builder.objectRef<MetricPointRow>('MetricPoint').implement({
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

const MetricSeries = builder.objectRef<Curve<MetricPointRow> & { name: string; missed: number }>('MetricSeries').implement({
  description: 'The values of one metric over time.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The name of the metric.' }),
    totalPoints: t.exposeInt('total', { description: 'The number of stored points. `points` may have fewer.' }),
    missed: t.exposeInt('missed', { description: 'The number of points that retention has deleted.' }),
    points: t.expose('rows', {
      type: [MetricPoint],
      size: IN_ITS_PAGE,
      description:
        'The points, ordered by iteration, then step and attempt. Points without an iteration follow, in the order in which they ' +
        'were reported.',
    }),
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
  metricSeries: t.field({
    type: MetricSeries,
    size: CURVE,
    description: 'The values of one metric over all steps and attempts. It has no points if the metric was never reported.',
    args: {
      name: t.arg.string({ required: true, description: 'The name of the metric.' }),
      maxPoints: t.arg.int({
        description: `The most points to return: 1 to ${MOST_POINTS}. A longer series is downsampled so that it keeps its shape, including peaks. Default: ${MOST_POINTS}.`,
      }),
    },
    extensions: reads<ShownJob>('id'),
    resolve: async ({ id }, { name, maxPoints }, context) => {
      const curve = await readMetric(context.read, { jobId: id, name, most: pointsToShow(maxPoints) });
      const ofName = await latestOf(context, id, [name]);
      return { ...curve, name, missed: ofName.reduce((sum, { removed }) => sum + removed, 0) };
    },
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
      return jobStream(context.domain, context.wakeups, { kind: 'metric', jobId: job.id, after, ...(names ? { names } : {}) });
    },
    resolve: (frame) => frame,
  }),
);
