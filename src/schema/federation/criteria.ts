import type { Domain } from '../../domain/core/domain.ts';
import type { ComparisonOperator as ComparisonOperatorWord, TerminationCriterion as Criterion } from '../../domain/core/vocabulary.ts';
import { isMet } from '../../domain/federation/termination.ts';
import type { RoundRow } from '../../store/schema/tables.ts';
import { builder } from '../core/builder.ts';
import { ComparisonOperator } from '../core/enums.ts';

type Shown =
  | { readonly type: 'DURATION'; readonly isMet: boolean; readonly maxDurationSeconds: number }
  | { readonly type: 'ROUNDS'; readonly isMet: boolean; readonly maxRounds: number }
  | {
      readonly type: 'METRIC';
      readonly isMet: boolean;
      readonly metric: string;
      readonly operator: ComparisonOperatorWord;
      readonly threshold: number;
    };

/**
 * The criteria, and whether each holds now. For a job that has ended: whether it held at the end.
 */
export function criteriaOf(domain: Domain, criteria: readonly Criterion[], finishedAt: Date | null, rounds: readonly RoundRow[]): Shown[] {
  const succeeded = rounds.filter(({ status }) => status === 'SUCCEEDED');
  const now = finishedAt ?? domain.clock.now();
  const progress = {
    startedAt: rounds[0]?.startedAt ?? now,
    now,
    rounds: succeeded.length,
    metrics: succeeded.at(-1)?.metrics ?? {},
  };
  return criteria.map((criterion): Shown => {
    const judged = { isMet: isMet(criterion, progress) };
    if ('maxRounds' in criterion) return { type: 'ROUNDS', ...judged, ...criterion };
    if ('maxDurationSeconds' in criterion) return { type: 'DURATION', ...judged, ...criterion };
    return { type: 'METRIC', ...judged, ...criterion.metric };
  });
}

const typeNames = { DURATION: 'DurationCriterion', ROUNDS: 'RoundsCriterion', METRIC: 'MetricCriterion' } as const satisfies Record<
  Shown['type'],
  string
>;

export const TerminationCriterion = builder.interfaceRef<Shown>('TerminationCriterion').implement({
  description: 'A condition that ends a federated job as SUCCEEDED.',
  resolveType: ({ type }) => typeNames[type],
  fields: (t) => ({
    type: t.exposeString('type', { description: 'The kind of condition: `DURATION`, `ROUNDS` or `METRIC`.' }),
    isMet: t.exposeBoolean('isMet', { description: 'Whether it holds now. For a job that has ended, whether it held at the end.' }),
  }),
});

builder.objectRef<Extract<Shown, { type: 'DURATION' }>>(typeNames.DURATION).implement({
  description: 'Holds once a given time has passed since the first round started. Running steps are then cancelled.',
  interfaces: [TerminationCriterion],
  fields: (t) => ({
    maxDurationSeconds: t.exposeFloat('maxDurationSeconds', { description: 'The time in seconds.' }),
  }),
});

builder.objectRef<Extract<Shown, { type: 'ROUNDS' }>>(typeNames.ROUNDS).implement({
  description: 'Holds once a given number of rounds has succeeded.',
  interfaces: [TerminationCriterion],
  fields: (t) => ({ maxRounds: t.exposeInt('maxRounds', { description: 'The number of rounds.' }) }),
});

builder.objectRef<Extract<Shown, { type: 'METRIC' }>>(typeNames.METRIC).implement({
  description: 'Holds once a metric in Round.metrics passes a threshold. Checked after each round.',
  interfaces: [TerminationCriterion],
  fields: (t) => ({
    metric: t.exposeString('metric', { description: 'The name of the metric.' }),
    operator: t.expose('operator', { type: ComparisonOperator, description: 'How the metric must compare with the threshold.' }),
    threshold: t.exposeFloat('threshold', { description: 'The threshold.' }),
  }),
});
