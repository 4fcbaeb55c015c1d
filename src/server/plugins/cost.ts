import type { Answers } from '../answers.ts';
import type { ServerParts } from '../app.ts';
import type { OperationContext } from '../context.ts';
import { OperationRefused } from '../errors.ts';
import { type Cost, priceOperation } from '../execution/cost.ts';
import type { PipelinePlugin } from '../pipeline.ts';
import type { OperationWatch } from '../watch/operation-watch.ts';

/** Refuses an operation whose answer may have too many nodes. execution/cost.ts counts them. */
export function useCost<C extends object>({ schema, limits }: ServerParts<C>, answers: Answers, watch: OperationWatch): PipelinePlugin {
  function price({ operation, params }: OperationContext): Cost {
    try {
      return priceOperation(schema, operation, params.variables, limits);
    } catch (error) {
      return { nodes: 0, refusal: answers.report(error) };
    }
  }

  return {
    prepare(context) {
      const cost = price(context);
      if (cost.refusal) throw new OperationRefused(watch.refused(context, [cost.refusal]));
      return { cost };
    },
  };
}
