import { createSourceEventStream } from 'graphql';
import type { Principal } from '../../domain/access/principal.ts';
import { wokenSince } from '../../realtime/wakeup-age.ts';
import type { Answer, Answers } from '../answers.ts';
import type { ServerParts } from '../app.ts';
import { type OperationContext, wantsCost } from '../context.ts';
import { Audiences } from '../execution/audience.ts';
import type { Executor } from '../execution/executor.ts';
import { type FrameMaker, FrameStream, SharedFrames } from '../execution/frames.ts';
import type { PipelinePlugin } from '../pipeline.ts';
import type { Transport } from '../watch/call.ts';
import type { ServerInstruments } from '../watch/instruments.ts';
import type { OperationWatch } from '../watch/operation-watch.ts';

/**
 * Opens subscriptions. Each frame is executed with its own context, because a loader of an older
 * context would return older rows. Subscribers with the same document, variables and rights that
 * get the same event object share the execution and the text.
 */
export function useSharedFrames<C extends object>(
  parts: ServerParts<C>,
  executor: Executor<C>,
  answers: Answers,
  watch: OperationWatch,
): PipelinePlugin {
  const shared = new SharedFrames();
  const audiences = new Audiences();

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
      const question = JSON.stringify([operation.text, params.operationName, params.variables, wantsCost(params), rightsOf(principal)]);
      const maker = {
        frame: (event: unknown) =>
          shared.frame(event, question, () => watch.frame(operation, context.span, () => executor.frame(context, event))),
        failure: (error: unknown) => JSON.stringify({ errors: [answers.mask(error, call)] }),
        ...countFrames(parts.instruments, operation.field, call.transport),
      };
      return new FrameStream(source[Symbol.asyncIterator](), maker, share, { audiences, question });
    } catch (error) {
      return answers.fault(error, call);
    }
  }

  return { subscribe: open };
}

/** Counts an open stream, its frames when they leave, and its end. */
function countFrames(instruments: ServerInstruments, stream: string, transport: Transport): Pick<FrameMaker, 'sent' | 'ended'> {
  const open = instruments.streams.of({ stream, transport });
  const frames = instruments.frames.of({ stream, transport });
  const lag = instruments.frameLag.of({ stream });
  open.add();
  return {
    sent(event, times) {
      frames.add(times);
      const since = wokenSince(event);
      if (since !== undefined) lag.note((performance.now() - since) / 1_000, times);
    },
    ended: () => open.add(-1),
  };
}

/**
 * Everything that decides which fields a principal sees. A lease sees more than other keys of its
 * kind. Principals with the same rights see the same frames.
 */
export function rightsOf({ kind, role, projectId, jobId, deviceId, stepId }: Principal): string {
  return JSON.stringify([kind, role, projectId, jobId, deviceId, stepId]);
}
