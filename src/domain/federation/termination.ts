/** Termination criteria: conditions that end a federated job as SUCCEEDED. */

import type { Optional } from '../../store/optional.ts';
import type { Checks } from '../core/checks.ts';
import type { ComparisonOperator, TerminationCriterion } from '../core/vocabulary.ts';

/** Exactly one of the three fields is set. The schema checks it. */
export interface TerminationCriterionInput {
  maxDurationSeconds?: Optional<number>;
  maxRounds?: Optional<number>;
  metric?: Optional<{ metric: string; operator: ComparisonOperator; threshold: number }>;
}

export function checkCriteria(
  checks: Checks,
  path: readonly string[],
  inputs: Optional<readonly TerminationCriterionInput[]>,
): TerminationCriterion[] {
  checks.count(path, inputs, 20);
  return (inputs ?? []).flatMap<TerminationCriterion>(({ maxDurationSeconds, maxRounds, metric }, i) => {
    checks.seconds([...path, i, 'maxDurationSeconds'], maxDurationSeconds);
    checks.range([...path, i, 'maxRounds'], maxRounds, 1, 10_000);
    checks.name([...path, i, 'metric', 'metric'], metric?.metric);
    if (metric) return { metric: { metric: metric.metric, operator: metric.operator, threshold: metric.threshold } };
    if (maxRounds != null) return { maxRounds };
    if (maxDurationSeconds != null) return { maxDurationSeconds };
    checks.refuse([...path, i], 'needs exactly one of maxDurationSeconds, maxRounds and metric.');
    return [];
  });
}

/** The state that criteria are checked against. */
export interface Progress {
  readonly startedAt: Date;
  readonly now: Date;
  /** The number of rounds that succeeded. */
  readonly rounds: number;
  /** The metrics of the newest round that succeeded. */
  readonly metrics: Readonly<Record<string, number>>;
}

const compare: Readonly<Record<ComparisonOperator, (a: number, b: number) => boolean>> = {
  LT: (a, b) => a < b,
  LTE: (a, b) => a <= b,
  GT: (a, b) => a > b,
  GTE: (a, b) => a >= b,
};

export function isMet(criterion: TerminationCriterion, { startedAt, now, rounds, metrics }: Progress): boolean {
  if ('maxRounds' in criterion) return rounds >= criterion.maxRounds;
  if ('maxDurationSeconds' in criterion) return now.getTime() - startedAt.getTime() >= criterion.maxDurationSeconds * 1_000;
  const { metric, operator, threshold } = criterion.metric;
  const value = metrics[metric];
  return value !== undefined && compare[operator](value, threshold);
}

/** When the shortest of the durations ends. Null if there is none. */
export function durationEnd(criteria: readonly TerminationCriterion[], startedAt: Date): Date | null {
  const seconds = criteria.flatMap((criterion) => ('maxDurationSeconds' in criterion ? criterion.maxDurationSeconds : []));
  return seconds.length === 0 ? null : new Date(startedAt.getTime() + Math.min(...seconds) * 1_000);
}
