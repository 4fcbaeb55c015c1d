import type { Executor } from '../execution/executor.ts';
import type { PipelinePlugin } from '../pipeline.ts';

/** Executes queries and mutations. */
export function useExecution<C extends object>(executor: Executor<C>): PipelinePlugin {
  return {
    execute: (context) => executor.answer(context),
  };
}
