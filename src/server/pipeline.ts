import { type Answer, Answers } from './answers.ts';
import type { ServerParts } from './app.ts';
import type { Asked, OperationContext } from './context.ts';
import { createMask } from './errors.ts';
import { Executor } from './execution/executor.ts';
import type { FrameStream } from './execution/frames.ts';
import { useCost } from './plugins/cost.ts';
import { useDocuments } from './plugins/documents.ts';
import { useExecution } from './plugins/execution.ts';
import { useRates } from './plugins/rates.ts';
import { useSharedFrames } from './plugins/shared-frames.ts';
import { useUnsentLimits } from './plugins/unsent-limits.ts';
import { useWatch } from './plugins/watch.ts';
import { OperationWatch } from './watch/operation-watch.ts';

type Run<T> = (context: OperationContext) => Promise<T>;
/** `inner`: what the plugins before it in the list do. */
type Wrap<T> = (context: OperationContext, inner: Run<T>) => Promise<T>;

/** A plugin of the pipeline. It needs no HTTP. */
export interface PipelinePlugin {
  /** Runs before the execution. Throws a refusal, or returns what it adds to the context. */
  readonly prepare?: (context: OperationContext) => Partial<OperationContext> | null;
  /** Executes a query or a mutation. */
  readonly execute?: Wrap<Answer>;
  /** Opens a subscription. */
  readonly subscribe?: Wrap<FrameStream | Answer>;
}

/**
 * The pipeline of every operation, over any transport: a list of plugins. Yoga runs it as one of
 * its own plugins (plugins/pipeline.ts). POST with JSON (hot-path.ts) and WebSockets (websocket/)
 * run it themselves.
 *
 * Envelop, with which Yoga runs plugins, has hooks for more than these three moments, and builds
 * its calls anew for each request: a sixth of the memory that a read of one job takes.
 */
export class Pipeline<C extends object> {
  readonly answers: Answers;
  /** Executes a query or a mutation. Never rejects. */
  readonly execute: Run<Answer>;
  /**
   * Opens a subscription. An answer instead of a stream is a refusal. Rejects only with an
   * HttpRefusal.
   */
  readonly subscribe: Run<FrameStream | Answer>;
  readonly #plugins: readonly PipelinePlugin[];

  constructor(parts: ServerParts<C>) {
    const answers = new Answers(createMask(parts));
    const watch = new OperationWatch(parts);
    const executor = new Executor(parts, answers);
    this.answers = answers;
    this.#plugins = [
      useDocuments(parts, answers, watch), // finds, parses and validates the document, once for all its uses
      useCost(parts, answers, watch), // limits what the answer can contain
      useRates(parts.rates), // limits the rate of the key
      useExecution(executor), // runs graphql-jit or graphql-js within the time limit, and masks errors
      useSharedFrames(parts, executor, answers, watch), // executes and serialises once for all subscribers that see the same
      useUnsentLimits(answers), // limits the unsent bytes
      useWatch(watch), // counts, times, logs and traces
    ];
    this.execute = nest(this.#plugins.map(({ execute }) => execute));
    this.subscribe = nest(this.#plugins.map(({ subscribe }) => subscribe));
  }

  /**
   * Does everything before the execution, and completes the context. Throws OperationRefused or
   * HttpRefusal if the operation must not be executed.
   */
  prepare(asked: Asked): OperationContext {
    const context = asked as OperationContext; // a plugin reads only what those before it have added
    for (const plugin of this.#plugins) if (plugin.prepare) Object.assign(context, plugin.prepare(context));
    return context;
  }
}

/** Each function runs those before it in the list. The first runs nothing else. */
function nest<T>(wraps: readonly (Wrap<T> | undefined)[]): Run<T> {
  const nothing: Run<T> = () => Promise.reject(new Error('Nothing runs this operation.'));
  return wraps.reduce<Run<T>>((inner, wrap) => (wrap ? (context) => wrap(context, inner) : inner), nothing);
}
