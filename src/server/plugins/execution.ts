import type { Executor } from '../execution/executor.ts';
import type { PipelinePlugin } from '../pipeline.ts';

/** Executes queries and mutations. The context has everything, so Yoga's arguments are unused. */
export function useExecution<C extends object>(executor: Executor<C>): PipelinePlugin {
  return {
    onExecute({ context, setExecuteFn }) {
      setExecuteFn(() => executor.answer(context));
    },
  };
}
