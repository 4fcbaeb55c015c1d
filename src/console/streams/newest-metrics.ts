/** The newest value of each metric of a job, live, with the small curves of those in its head. */
import { type ReadonlySignal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { JobMetricsDocument, JobSparksDocument } from '../generated.ts';
import { gateway } from './gateway.ts';
import { createPace } from './pace.ts';

/** Of a small curve when it is read, and as it grows. */
const SPARK_POINTS = 40;
const MOST_VALUES = 3 * SPARK_POINTS;

export interface NewestMetric {
  readonly value: number;
  readonly iteration: number | null;
  /** Its last values, for a small curve. Of a metric without one: those since the page opened. */
  readonly values: readonly number[];
}

export type NewestMetricsByName = ReadonlyMap<string, NewestMetric>;

interface Known {
  readonly name: string;
  readonly value: number;
  readonly iteration: number | null;
}

/**
 * @param known what the page knows already: shown until the first answer
 * @param withCurves the metrics whose small curves are read
 */
export function useNewestMetrics(
  jobId: string,
  known: readonly Known[],
  withCurves: readonly string[],
): ReadonlySignal<NewestMetricsByName> {
  const shown = useSignal<NewestMetricsByName>(new Map(known.map(({ name, ...newest }) => [name, { ...newest, values: [] }])));
  useEffect(() => {
    const stop = new AbortController();
    const newest = new Map<string, NewestMetric>();
    const pace = createPace(() => {
      shown.value = new Map(newest);
    });
    const read = async () => {
      const { job } = await gateway.request(
        JobSparksDocument,
        { id: jobId, names: withCurves, maxPoints: SPARK_POINTS },
        { signal: stop.signal },
      );
      if (!job) return;
      const curves = new Map(job.metricCurves.map(({ name, points }) => [name, points.map(({ value }) => value)]));
      for (const { name, value, iteration } of job.metrics) newest.set(name, { value, iteration, values: curves.get(name) ?? [value] });
      shown.value = new Map(newest);
      const after = job.metricCurves[0]?.cursor ?? null;
      for await (const { points } of gateway.subscribe(JobMetricsDocument, { id: jobId, names: null, after }, { signal: stop.signal })) {
        for (const { name, value, iteration } of points) {
          const values = [...(newest.get(name)?.values ?? []), value].slice(-MOST_VALUES);
          newest.set(name, { value, iteration, values });
        }
        if (points.length > 0) pace.ask();
      }
    };
    // What the page shows of the job itself says that the gateway refuses.
    read().catch(() => {});
    return () => {
      stop.abort();
      pace.stop();
    };
  }, [jobId, shown]);
  return shown;
}
