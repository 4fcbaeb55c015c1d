/** Metrics: numbers that training reports, by iteration. */

import {
  appendPoints,
  countMetricNames,
  endsOf,
  knownIteration,
  knownMetricName,
  pointsInWindow,
  recordLatestMetric,
  WINDOW_ENTRIES,
} from '../../store/changes/streams.ts';
import type { Optional } from '../../store/optional.ts';
import type { MetricPointRow, StepRow } from '../../store/schema/tables.ts';
import { type Change, topics } from '../core/change.ts';
import type { Checks } from '../core/checks.ts';
import { wrongInput } from '../core/refusals.ts';

export interface MetricInput {
  name: string;
  value: number;
  iteration?: Optional<number>;
  at?: Optional<Date>;
}

export function checkMetrics(checks: Checks, path: readonly string[], metrics: Optional<readonly MetricInput[]>): void {
  if (!metrics) return;
  checks.count(path, metrics, checks.limits.entriesAtMost);
  for (const [i, { name, iteration }] of metrics.entries()) {
    checks.name([...path, i, 'name'], name);
    checks.range([...path, i, 'iteration'], iteration, 0, Number.MAX_SAFE_INTEGER);
  }
}

/**
 * A point that was not stored. The point that is there already stays, whether it has the same value
 * or another.
 */
export interface IgnoredMetric {
  readonly name: string;
  readonly iteration: number;
  readonly value: number;
  readonly storedValue: number;
}

export interface StoredMetrics {
  /** The number of points that were new. */
  readonly accepted: number;
  readonly ignored: readonly IgnoredMetric[];
}

/**
 * Stores points in the order given. Skips a point that this attempt has reported before with the
 * same name and iteration, because a report is sent again when its answer was lost. The first value
 * stays.
 */
export async function storeMetrics(change: Change, step: StepRow, metrics: readonly MetricInput[]): Promise<StoredMetrics> {
  if (metrics.length === 0) return { accepted: 0, ignored: [] };
  const { tx, now } = change;
  const of = { jobId: step.jobId, stepNumber: step.number, attempt: step.attemptCount };
  const { fresh, ignored } = await sortPoints(change, of, metrics);
  if (fresh.length === 0) return { accepted: 0, ignored };
  await requireMetricLimit(change, of, metrics);
  let rows: readonly MetricPointRow[] = [];
  await appendPoints(tx, step.jobId, fresh.length, (first) => {
    rows = fresh.map(({ name, value, iteration = null, at }, i) => ({ ...of, seq: first + i, name, value, iteration, at: at ?? now }));
    return rows;
  });
  for (const row of new Map(rows.map((row) => [row.name, row])).values()) await tx.run(recordLatestMetric, row);
  tx.touch(topics.metrics(step.jobId));
  return { accepted: rows.length, ignored };
}

/** Refuses the first metric that would take the job over its limit of different metrics. */
async function requireMetricLimit(
  { tx, domain }: Change,
  { jobId, stepNumber }: { jobId: string; stepNumber: number },
  metrics: readonly MetricInput[],
): Promise<void> {
  const most = domain.limits.metricNamesAtMost;
  const names = new Set(metrics.map(({ name }) => name));
  let count = (await tx.run(countMetricNames, { jobId, most }))[0]?.count ?? 0;
  if (count + names.size <= most) return;
  for (const [i, { name }] of metrics.entries()) {
    if (!names.delete(name) || (await tx.run(knownMetricName, { jobId, stepNumber, name })).length > 0) continue;
    if (++count <= most) continue;
    throw wrongInput.metricNames(i, most);
  }
}

type Attempt = Pick<MetricPointRow, 'jobId' | 'stepNumber' | 'attempt'>;

async function sortPoints(change: Change, of: Attempt, metrics: readonly MetricInput[]) {
  const fresh: MetricInput[] = [];
  const ignored: IgnoredMetric[] = [];
  const find = await storedValues(change, of, metrics);
  const seen = new Map<string, number>();
  for (const metric of metrics) {
    const { name, iteration, value } = metric;
    if (iteration !== null && iteration !== undefined) {
      const key = `${iteration} ${name}`;
      const found = seen.get(key) ?? find(name, iteration);
      // Not awaited where it is known: a report has a thousand points.
      const storedValue = found instanceof Promise ? await found : found;
      if (storedValue !== undefined) {
        ignored.push({ name, iteration, value, storedValue });
        continue;
      }
      seen.set(key, value);
    }
    fresh.push(metric);
  }
  return { fresh, ignored };
}

type FindValue = (name: string, iteration: number) => number | undefined | Promise<number | undefined>;

/** Returns a function that finds the stored value of one of these points. */
async function storedValues({ tx }: Change, of: Attempt, metrics: readonly MetricInput[]): Promise<FindValue> {
  const stored = new Map<string, ReadonlyMap<number, number>>();
  for (const [name, points] of Map.groupBy(metrics, (metric) => metric.name)) {
    const iterations = points.flatMap(({ iteration }) => iteration ?? []);
    // One point is found by itself as well.
    if (iterations.length < 2) continue;
    const [from, to] = endsOf(iterations);
    const found = await tx.run(pointsInWindow, { jobId: of.jobId, name, from, to, limit: WINDOW_ENTRIES });
    if (found.length === WINDOW_ENTRIES) continue;
    const own = found.filter(({ stepNumber, attempt }) => stepNumber === of.stepNumber && attempt === of.attempt);
    stored.set(name, new Map(own.flatMap(({ iteration, value }) => (iteration === null ? [] : [[iteration, value]]))));
  }
  const lookUp = async (name: string, iteration: number) => (await tx.run(knownIteration, { ...of, name, iteration }))[0]?.value;
  return (name, iteration) => {
    const values = stored.get(name);
    return values ? values.get(iteration) : lookUp(name, iteration);
  };
}
