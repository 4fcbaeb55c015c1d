import { createSourceEventStream } from 'graphql';
import type { Principal } from '../../domain/access/principal.ts';
import type { Answer, Answers } from '../answers.ts';
import type { ServerParts } from '../app.ts';
import { type OperationContext, wantsCost } from '../context.ts';
import type { Executor } from '../execution/executor.ts';
import { FrameStream, SharedFrames } from '../execution/frames.ts';
import type { PipelinePlugin } from '../pipeline.ts';
import { countFrames } from '../watch/frame-counts.ts';
import type { OperationWatch } from '../watch/operation-watch.ts';

/**
 * Opens subscriptions. Each frame is executed with a context of its own, or it would show yesterday's rows; subscribers of the same
 * document, variables and rights that are given the same event object share the execution and the text.
 */
export function useSharedFrames<C extends object>(
  parts: ServerParts<C>,
  executor: Executor<C>,
  answers: Answers,
  watch: OperationWatch,
): PipelinePlugin {
  const shared = new SharedFrames();

  async function open(context: OperationContext): Promise<FrameStream | Answer> {
    const { operation, params, principal, call, share } = context;
    try {
      const source = await createSourceEventStream({
        schema: parts.schema,
        document: operation.document,
        operationName: operation.node.name?.value ?? null,
        contextValue: parts.context(principal),
        variableValues: params.variables ?? null,
      });
      if (!(Symbol.asyncIterator in source)) return answers.of(source, call);
      const key = JSON.stringify([operation.text, params.operationName, params.variables, wantsCost(params), rightsOf(principal)]);
      const maker = {
        frame: (event: unknown) =>
          shared.frame(event, key, () => watch.frame(operation, context.span, () => executor.frame(context, event))),
        failure: (error: unknown) => JSON.stringify({ errors: [answers.mask(error, call)] }),
        ...countFrames(parts.instruments, operation.field, call.transport),
      };
      return new FrameStream(source[Symbol.asyncIterator](), maker, share);
    } catch (error) {
      return answers.fault(error, call);
    }
  }

  return {
    onSubscribe({ context, setSubscribeFn }) {
      setSubscribeFn(() => open(context));
    },
  };
}

/** What decides what a principal sees: a lease sees more than others of its kind. Two of the same rights see the same frames. */
export function rightsOf({ kind, role, projectId, jobId, deviceId, stepId }: Principal): string {
  return JSON.stringify([kind, role, projectId, jobId, deviceId, stepId]);
}
