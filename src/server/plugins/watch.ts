import type { Answer } from '../answers.ts';
import type { FrameStream } from '../execution/frames.ts';
import type { PipelinePlugin } from '../pipeline.ts';
import type { OperationWatch } from '../watch/operation-watch.ts';

/** Counts, times, logs and traces every operation that is executed. */
export function useWatch(watch: OperationWatch): PipelinePlugin {
  return {
    onExecute({ context: { operation, principal, call }, executeFn, setExecuteFn }) {
      setExecuteFn((args) => watch.run(operation, principal, call, () => executeFn(args)));
    },
    onSubscribe({ context: { operation, principal, call }, extendContext, subscribeFn, setSubscribeFn }) {
      setSubscribeFn((args) =>
        watch.open(
          operation,
          principal,
          call,
          (span): Promise<FrameStream | Answer> => {
            extendContext({ span });
            return subscribeFn(args);
          },
          (opened) => ('outcome' in opened ? opened.code : 'OK'),
        ),
      );
    },
  };
}
