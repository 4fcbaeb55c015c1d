import type { Executor } from '../execution/executor.ts';
import type { PipelinePlugin } from '../pipeline.ts';

/** Executes queries and mutations. What Yoga would call with is left aside: the context has it all. */
export function useExecution<C extends object>(executor: Executor<C>): PipelinePlugin {
  return {
    onExecute({ context, setExecuteFn }) {
      setExecuteFn(() => executor.answer(context));
    },
  };
}
