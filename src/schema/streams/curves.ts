import { encodeJointCursor, metricCursor } from '../../domain/core/joint-cursors.ts';
import { badRequest, limitExceeded } from '../../domain/core/request-refusals.ts';
import { byIteration, byTime, type Window } from '../../store/queries/buckets.ts';
import type { ShownJob } from '../../store/queries/jobs.ts';
import { type MetricCurve, readCurves } from '../../store/queries/metric-curves.ts';
import { builder } from '../core/builder.ts';
import { reads } from '../core/chosen-columns.ts';
import type { Context } from '../core/context.ts';
import { describeEnum } from '../core/enums.ts';
import { Job } from '../core/nouns.ts';
import { IN_ITS_PAGE, type Size } from '../core/sizes.ts';
import { comparedJobs, jobOf, MOST_COMPARED } from '../jobs/jobs.ts';
import { latestOf, MetricPoint, namesOfMetrics } from './metrics.ts';

/**
 * The most points of a curve: more than a screen has pixels across, and about a megabyte of answer.
 */
export const MOST_POINTS = 10_000;
/** A point is two numbers, and all are read at once: a hundred count as one node. */
export const CURVE: Size = { by: ['maxPoints'], usually: MOST_POINTS, perNode: 100, isPage: false };

/** The most curves of one field: more than a page of charts shows. */
const MOST_CURVES = 100;
const POINTS_OF_CURVE = 1_000;
const CURVES: Size = {
  by: ['names'],
  usually: 10,
  perNode: 1,
  isPage: false,
  each: { ...CURVE, usually: POINTS_OF_CURVE },
};

const POINTS_COMPARED = 500;
const COMPARED: Size = { ...CURVES, by: ['jobIds'], each: { ...CURVE, usually: POINTS_COMPARED } };

/** The number of points to downsample a curve to. Throws BAD_REQUEST for an invalid number. */
export function pointsToShow(maxPoints: number | null | undefined): number {
  const most = maxPoints ?? MOST_POINTS;
  if (most < 1 || most > MOST_POINTS) throw badRequest.outOfRange('maxPoints', 1, MOST_POINTS, most);
  return most;
}

const CurveAxis = describeEnum<'ITERATION' | 'TIME' | 'ELAPSED'>('CurveAxis', 'What the points of a curve are ordered and cut by.', {
  ITERATION: 'The iteration, such as an epoch or batch. Points without one come after all others.',
  TIME: 'When the point was measured, in seconds since 1970-01-01T00:00:00Z.',
  ELAPSED: 'When the point was measured, in seconds since its job started: so jobs that ran at different times can be compared.',
});

interface Cut {
  readonly x: 'ITERATION' | 'TIME' | 'ELAPSED';
  readonly from?: number | null | undefined;
  readonly to?: number | null | undefined;
}

const WHOLE: Window = { axis: byIteration, from: null, to: null };

/** What to read of the curves of a job that started at this time. */
function windowOf({ x, from = null, to = null }: Cut, startedAt: Date | null): Window {
  if (from !== null && to !== null && from > to) throw badRequest.reversed(from, to);
  if (x === 'ITERATION') return { axis: byIteration, from, to };
  // A job that has not started has no points yet.
  const start = x === 'ELAPSED' ? (startedAt?.getTime() ?? 0) : 0;
  const moment = (seconds: number | null) => (seconds === null ? null : seconds * 1_000 + start);
  return { axis: byTime, from: moment(from), to: moment(to) };
}

/** A curve, and the cursor of the subscription that continues it. */
interface Series extends MetricCurve {
  readonly cursor: string;
  /** Whether it has all points of its metric. */
  readonly isWhole: boolean;
}

/** The curve of a metric, whose cursor is of this job alone. */
const seriesOf = ({ domain }: Context, curve: MetricCurve, window: Window): Series => ({
  ...curve,
  cursor: metricCursor(domain, curve.jobId, curve.upTo),
  isWhole: isWhole(window),
});
const isWhole = ({ from, to }: Window): boolean => from === null && to === null;

const MetricSeries = builder.objectRef<Series>('MetricSeries').implement({
  description: 'The values of one metric of a job over all its steps and attempts, or a part of them. See `points`.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The name of the metric.' }),
    job: t.field({
      type: Job,
      description: 'The job whose steps reported it.',
      resolve: ({ jobId }, _, context, info) => jobOf(context, jobId, info),
    }),
    points: t.expose('points', {
      type: [MetricPoint],
      size: IN_ITS_PAGE,
      description:
        'The points, each as it was reported, in the order of the axis. By iteration, points of the same iteration are ordered by ' +
        'step and attempt, and points without one follow in the order in which they were reported. If there are more than ' +
        '`maxPoints`, some stand for all: the first, the last, the lowest and the highest are always among them, of the whole and ' +
        'of each small part of it, so no peak is lost. (Fewer than 4 cannot be all of these: then the last comes first, then the ' +
        'highest.)',
    }),
    thinnedFrom: t.exposeInt('count', { description: 'The number of stored points that `points` stand for.' }),
    totalPoints: t.int({
      description: 'The number of stored points of this metric, also those outside `from` and `to`.',
      resolve: async ({ jobId, name, count, isWhole }, _, { read }) =>
        isWhole ? count : ((await readCurves(read, { jobId, names: [name], window: WHOLE, most: 1 }))[0]?.count ?? 0),
    }),
    missed: t.int({
      description: 'The number of points of this metric that retention has deleted.',
      resolve: async ({ jobId, name }, _, context) =>
        (await latestOf(context, jobId, [name])).reduce((sum, { removed }) => sum + removed, 0),
    }),
    min: t.exposeFloat('min', {
      nullable: true,
      description: 'The lowest value of the points that `points` stand for. Null: there are none.',
    }),
    max: t.exposeFloat('max', {
      nullable: true,
      description: 'The highest value of the points that `points` stand for. Null: there are none.',
    }),
    last: t.field({
      type: MetricPoint,
      nullable: true,
      description: 'The last of `points`, which is never left out. Null: there are none.',
      resolve: ({ points }) => points.at(-1) ?? null,
    }),
    cursor: t.expose('cursor', {
      type: 'Cursor',
      description:
        'The position in the stream of metrics up to which it was read. Pass it as `after` to the subscription `metrics` or ' +
        '`metricsOfJobs`: what was reported later follows, without a gap and without repetition. In an answer of `compareMetric` ' +
        'it is the same for all jobs, and holds the position of each.',
    }),
  }),
});

const cutArgs = builder.args((t) => ({
  x: t.field({ type: CurveAxis, required: true, defaultValue: 'ITERATION', description: 'The axis.' }),
  from: t.float({ description: 'Only points at or after this place on the axis. Default: from the beginning.' }),
  to: t.float({
    description:
      'Only points at or before this place on the axis. Default: to the end. With it, points without an iteration are left out on ' +
      'the axis of iterations.',
  }),
}));

const thinning = `1 to ${MOST_POINTS}. A longer curve is thinned so that the first, last, lowest and highest points of each small part of it stay.`;

builder.objectFields(Job, (t) => ({
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
    resolve: async ({ id: jobId }, { name, maxPoints }, context) => {
      const most = pointsToShow(maxPoints);
      const [curve] = await readCurves(context.read, { jobId, names: [name], window: WHOLE, most });
      if (!curve) throw new Error('A curve that was read has no entry.');
      return seriesOf(context, curve, WHOLE);
    },
  }),
  metricCurves: t.field({
    type: [MetricSeries],
    size: CURVES,
    description:
      'The curves of several metrics, or a window of them: one entry for each name, in the order given. An entry has no points if ' +
      'its metric was never reported.',
    args: {
      names: t.arg.stringList({
        description: `The metrics: at most ${MOST_CURVES}. A name given twice counts once. Default: all, in alphabetical order; refused if the job has more than ${MOST_CURVES}.`,
      }),
      ...cutArgs,
      maxPoints: t.arg.int({
        required: true,
        defaultValue: POINTS_OF_CURVE,
        description: `The most points of each: ${thinning}`,
      }),
    },
    extensions: reads<ShownJob>('id', 'startedAt'),
    resolve: async ({ id, startedAt }, { names, maxPoints, ...cut }, context) => {
      const most = pointsToShow(maxPoints);
      const window = windowOf(cut, startedAt);
      const wanted = await namesToShow(context, id, names);
      return (await readCurves(context.read, { jobId: id, names: wanted, window, most })).map((curve) => seriesOf(context, curve, window));
    },
  }),
}));

async function namesToShow(context: Context, jobId: string, names: readonly string[] | null | undefined): Promise<string[]> {
  if (names) {
    if (names.length > MOST_CURVES) throw badRequest.tooManyEntries('names', MOST_CURVES);
    if (names.includes('')) throw badRequest.emptyEntry('names');
    return [...new Set(names)];
  }
  const all = await namesOfMetrics(context, jobId);
  if (all.length > MOST_CURVES) throw limitExceeded.metrics(MOST_CURVES);
  return all;
}

builder.queryField('compareMetric', (t) =>
  t.field({
    type: [MetricSeries],
    size: COMPARED,
    description:
      'One metric of several jobs on a common axis: one entry for each job, in the order given. An entry has no points if its job ' +
      'never reported the metric.',
    args: {
      name: t.arg.string({ required: true, description: 'The name of the metric.' }),
      jobIds: t.arg.idList({ required: true, description: `The jobs: at most ${MOST_COMPARED}. A job given twice counts once.` }),
      ...cutArgs,
      maxPoints: t.arg.int({
        required: true,
        defaultValue: POINTS_COMPARED,
        description: `The most points of each job: ${thinning}`,
      }),
    },
    resolve: async (_, { name, jobIds, maxPoints, ...cut }, context) => {
      const most = pointsToShow(maxPoints);
      if (name === '') throw badRequest.emptyText('name');
      const asked = windowOf(cut, null);
      const jobs = await comparedJobs(context, jobIds);
      const curves: MetricCurve[] = [];
      for (const { id, startedAt } of jobs)
        curves.push(...(await readCurves(context.read, { jobId: id, names: [name], window: windowOf(cut, startedAt), most })));
      const cursor = encodeJointCursor(context.domain, new Map(curves.map(({ jobId, upTo }) => [jobId, upTo])));
      return curves.map((curve) => ({ ...curve, cursor, isWhole: isWhole(asked) }));
    },
  }),
);
