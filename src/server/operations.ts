import { createSourceEventStream, type ExecutionResult, type GraphQLError, type GraphQLSchema } from 'graphql';
import type { Principal } from '../domain/principal.ts';
import type { ServerParts } from './app.ts';
import { type Cost, priceOperation } from './cost.ts';
import { Documents, type Operation } from './documents.ts';
import { createMask, exceed, type Mask } from './errors.ts';
import { executeOperation, nameResolvers, type Run } from './jit.ts';
import type { Limits } from './limits.ts';
import { FrameStream, SharedFrames } from './subscribe.ts';

/** What a client asks, whatever way it came. */
export interface Params {
  readonly query: string;
  readonly operationName: string | null;
  readonly variables: { readonly [name: string]: unknown } | undefined;
  /** `"extensions": {"cost": true}`: the answer is to say what it cost, in `extensions.cost`. */
  readonly wantsCost: boolean;
}

/** An execution result, serialised. */
export interface Answer {
  readonly text: string;
  /**
   * `data`: executed, perhaps with errors. `null`: executed, and an error left nothing of the data. `refused`: never executed, the request
   * was at fault. `fault`: never executed, we were.
   */
  readonly outcome: 'data' | 'null' | 'refused' | 'fault';
}

/**
 * Documents in, answers out: the one pipeline behind HTTP, SSE and WebSocket, so that all three give the same answers under the same
 * limits. Errors come out masked.
 */
export class Operations<C extends object> {
  readonly #schema: GraphQLSchema;
  readonly #limits: Limits;
  readonly #context: (principal: Principal | null, signal?: AbortSignal) => C;
  readonly #documents: Documents;
  readonly #shared = new SharedFrames();
  readonly mask: Mask;

  constructor(parts: Pick<ServerParts<C>, 'schema' | 'limits' | 'context' | 'log'>) {
    nameResolvers(parts.schema);
    this.#schema = parts.schema;
    this.#limits = parts.limits;
    this.#context = (principal, signal) => parts.context(principal, signal);
    this.#documents = new Documents(parts.schema, parts.limits);
    this.mask = createMask((entry) => parts.log(entry));
  }

  /** The operation that the params name, parsed and validated once a text, or the errors to refuse them with: also that it would cost too much. */
  find(params: Params): Operation | readonly GraphQLError[] {
    const found = this.#documents.find(params.query, params.operationName);
    if (!('node' in found)) return found;
    const { refusal } = this.price(found, params);
    return refusal ? [refusal] : found;
  }

  /** What the operation costs with these variables, and whether it is refused for that. */
  price(operation: Operation, params: Params): Cost {
    return priceOperation(this.#schema, operation, params.variables, this.#limits);
  }

  /** An answer without data. */
  refusal(errors: readonly unknown[]): Answer {
    return { outcome: 'refused', text: JSON.stringify({ errors: errors.map((error) => this.mask(error)) }) };
  }

  /** Executes a query or a mutation; `signal` is aborted when nobody waits for the answer any more. Never rejects. */
  async execute(operation: Operation, params: Params, principal: Principal, signal?: AbortSignal): Promise<Answer> {
    try {
      const run = { rootValue: undefined, context: this.#context(principal, signal), variables: params.variables };
      return this.#withCost(await this.#run(operation, run), operation, params);
    } catch (error) {
      return { outcome: 'fault', text: JSON.stringify({ errors: [this.mask(error)] }) };
    }
  }

  /**
   * Opens a subscription: its frames are answers, serialised. Each is executed with a context of its own, or it would show yesterday's
   * rows; subscribers of the same document, variables and rights that are given the same event object share the execution and the text.
   * An answer instead of a stream is the refusal.
   */
  async subscribe(operation: Operation, params: Params, principal: Principal): Promise<FrameStream | Answer> {
    try {
      const source = await createSourceEventStream({
        schema: this.#schema,
        document: operation.document,
        operationName: operation.node.name?.value ?? null,
        contextValue: this.#context(principal),
        variableValues: params.variables ?? null,
      });
      if (!(Symbol.asyncIterator in source)) return this.#answer(source);
      const key = JSON.stringify([operation.text, params.operationName, params.variables ?? null, params.wantsCost, rightsOf(principal)]);
      return new FrameStream(source[Symbol.asyncIterator](), {
        frame: (event) =>
          this.#shared.frame(event, key, async () => {
            const run = { rootValue: event, context: this.#context(principal), variables: params.variables };
            return this.#withCost(await this.#run(operation, run), operation, params);
          }),
        failure: (error) => JSON.stringify({ errors: [this.mask(error)] }),
      });
    } catch (error) {
      return { outcome: 'fault', text: JSON.stringify({ errors: [this.mask(error)] }) };
    }
  }

  async #run(operation: Operation, run: Run): Promise<Answer> {
    const running = executeOperation(this.#schema, operation, run);
    if (!(running instanceof Promise)) return this.#answer(running);
    if (operation.node.operation === 'mutation') return this.#answer(await running);
    const ms = this.#limits.executionMs;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(resolve, ms, null);
    });
    const result = await Promise.race([running, late]).finally(() => clearTimeout(timer));
    if (result !== null) return this.#answer(result);
    running.catch(() => {}); // nobody waits for it any more
    return this.refusal([exceed('executionMs', `The operation took longer than ${ms} ms.`, { allowed: ms, asked: null })]);
  }

  #withCost(answer: Answer, operation: Operation, params: Params): Answer {
    if (!params.wantsCost) return answer;
    const cost = { nodes: this.price(operation, params).nodes, allowed: this.#limits.cost };
    return { ...answer, text: `${answer.text.slice(0, -1)},"extensions":${JSON.stringify({ cost })}}` };
  }

  #answer(result: ExecutionResult): Answer {
    if (!result.errors || result.errors.length === 0) return { outcome: 'data', text: JSON.stringify({ data: result.data }) };
    const errors = result.errors.map((error) => this.mask(error));
    if (!('data' in result)) return { outcome: 'refused', text: JSON.stringify({ errors }) };
    return { outcome: result.data == null ? 'null' : 'data', text: JSON.stringify({ errors, data: result.data }) };
  }
}

/** What decides what a principal sees. Two of the same rights see the same frames. */
function rightsOf(principal: Principal): string {
  return [principal.kind, principal.role, principal.projectId, principal.jobId, principal.deviceId].join('|');
}
