import { pointsOf, type Rates } from '../connections/rates.ts';
import { requirePace } from '../http/refusal.ts';
import type { PipelinePlugin } from '../pipeline.ts';

/**
 * Takes the points that an operation costs from its key. The first point was taken when the request
 * arrived.
 */
export function useRates(rates: Rates): PipelinePlugin {
  return {
    prepare({ principal, cost, headers }) {
      requirePace(rates.takeOf(principal, pointsOf(cost.nodes) - 1, headers));
      return null;
    },
  };
}
