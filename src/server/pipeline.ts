import type { DocumentNode, GraphQLSchema } from 'graphql';
import { envelop, type Plugin } from 'graphql-yoga';
import { type Answer, Answers } from './answers.ts';
import type { ServerParts } from './app.ts';
import type { Asked, OperationContext } from './context.ts';
import type { Operation } from './documents/documents.ts';
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

/** A plugin of the pipeline: a plugin of Yoga that needs no HTTP. */
export type PipelinePlugin = Plugin<OperationContext>;

/** An operation that may be executed. */
export interface Prepared {
  readonly operation: Operation;
  /** Executes a query or a mutation. Never rejects. */
  execute(): Promise<Answer>;
  /**
   * Opens a subscription. An answer instead of a stream is a refusal. Rejects only with an
   * HttpRefusal.
   */
  subscribe(): Promise<FrameStream | Answer>;
}

/**
 * The pipeline of every operation, over any transport: a list of envelop plugins. Yoga runs them
 * among its own (yoga.ts). POST with JSON (hot-path.ts) and WebSockets (websocket/) run the same
 * list themselves. `prepare` does everything before the execution, and throws refusals.
 */
export class Pipeline<C extends object> {
  readonly plugins: readonly PipelinePlugin[];
  readonly answers: Answers;
  readonly #schema: GraphQLSchema;
  readonly #open: ReturnType<typeof envelop>;

  constructor(parts: ServerParts<C>) {
    const answers = new Answers(createMask(parts));
    const watch = new OperationWatch(parts);
    const executor = new Executor(parts, answers);
    this.answers = answers;
    this.#schema = parts.schema;
    this.plugins = [
      useDocuments(parts, answers, watch), // finds, parses and validates the document, once for all its uses
      useCost(parts, answers, watch), // limits what the answer can contain
      useRates(parts.rates), // limits the rate of the key
      useExecution(executor), // runs graphql-jit or graphql-js within the time limit, and masks errors
      useSharedFrames(parts, executor, answers, watch), // executes and serialises once for all subscribers that see the same
      useUnsentLimits(answers), // limits the unsent bytes
      useWatch(watch), // counts, times, logs and traces
    ];
    this.#open = envelop({ plugins: [...this.plugins] });
  }

  /** Throws OperationRefused or HttpRefusal if the operation must not be executed. */
  prepare(asked: Asked): Prepared {
    const context: Asked & Partial<OperationContext> = asked; // the plugins add the rest
    const { parse, execute, subscribe } = this.#open(context);
    const document: DocumentNode = parse(asked.params.query);
    const { operation } = context;
    if (!operation) throw new Error('useDocuments did not set the operation.');
    const args = { schema: this.#schema, document, contextValue: context };
    return { operation, execute: () => execute(args), subscribe: () => subscribe(args) };
  }
}
