import type { Answer } from '../answers.ts';
import type { FrameStream } from '../execution/frames.ts';
import type { PipelinePlugin } from '../pipeline.ts';
import type { OperationWatch } from '../watch/operation-watch.ts';

/** Counts, times, logs and traces every operation that is executed. */
export function useWatch(watch: OperationWatch): PipelinePlugin {
  return {
    execute: (context, inner) => watch.run(context, () => inner(context)),
    subscribe: (context, inner) =>
      watch.open(
        context,
        (span): Promise<FrameStream | Answer> => inner(Object.assign(context, { span })),
        (opened) => ('outcome' in opened ? opened.code : 'OK'),
      ),
  };
}
