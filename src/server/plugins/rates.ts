import { pointsOf, type Rates } from '../connections/rates.ts';
import { requirePace } from '../http/refusal.ts';
import type { PipelinePlugin } from '../pipeline.ts';

/** Takes the points of the key that an operation costs; the first one was taken when its request came. */
export function useRates(rates: Rates): PipelinePlugin {
  return {
    onParse({ context: { principal, cost, res } }) {
      requirePace(rates.takeOf(principal, pointsOf(cost.nodes) - 1, res));
    },
  };
}
