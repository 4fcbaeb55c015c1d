/** The curves of one job, and those of one metric of several jobs. */
import { ComparedCurvesDocument, type CurveAxis, JobMetricsDocument, MetricCurvesDocument, MetricsOfJobsDocument } from '../generated.ts';
import { gateway } from '../streams/gateway.ts';
import type { CurveSource } from './curve-feed.ts';

/** As many as keep an answer below 40 kB. Times are longer than iterations. */
const mostPoints = (axis: CurveAxis): number => (axis === 'ITERATION' ? MAX_POINTS : 600);
const MAX_POINTS = 900;
const COMPARED_POINTS = 500;

export const curvesOfJob = (id: string, isLive: () => boolean): CurveSource => ({
  maxPoints: MAX_POINTS,
  isLive,
  async read(names, { axis, from, to }, signal) {
    const variables = { id, names, x: axis, from, to, maxPoints: mostPoints(axis), byIteration: axis === 'ITERATION' };
    return (await gateway.request(MetricCurvesDocument, variables, { signal })).job?.metricCurves ?? [];
  },
  async *follow(names, after, signal) {
    for await (const { points } of gateway.subscribe(JobMetricsDocument, { id, names, after }, { signal }))
      yield points.map((point) => ({ ...point, jobId: id }));
  },
});

export const curvesOfJobs = (ids: readonly string[], isLive: () => boolean): CurveSource => ({
  maxPoints: COMPARED_POINTS,
  isLive,
  async read([name = ''], { axis, from, to }, signal) {
    const variables = { ids, name, x: axis, from, to, maxPoints: COMPARED_POINTS, byIteration: axis === 'ITERATION' };
    return (await gateway.request(ComparedCurvesDocument, variables, { signal })).compareMetric;
  },
  async *follow(names, after, signal) {
    for await (const { points } of gateway.subscribe(MetricsOfJobsDocument, { ids, names, after }, { signal }))
      yield points.map(({ job, point }) => ({ ...point, jobId: job.id }));
  },
});
