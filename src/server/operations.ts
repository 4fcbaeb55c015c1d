import { createSourceEventStream, type ExecutionResult, GraphQLError, type GraphQLFormattedError, type GraphQLSchema } from 'graphql';
import type { Principal } from '../domain/access/principal.ts';
import type { ServerParts } from './app.ts';
import type { Rates } from './connections/rates.ts';
import { bytesOf, type Share } from './connections/unsent.ts';
import { Documents, type Operation } from './documents/documents.ts';
import { createMask, exceed, type Mask, refuseHash } from './errors.ts';
import { type Cost, priceOperation } from './execution/cost.ts';
import { FrameStream, SharedFrames } from './execution/frames.ts';
import { Executor, type Run } from './execution/jit.ts';
import type { Limits } from './limits.ts';
import type { Call } from './watch/call.ts';
import { countFrames } from './watch/frame-counts.ts';
import type { ServerMeters } from './watch/meters.ts';
import { OperationWatch } from './watch/operation-watch.ts';
import type { SpanLink } from './watch/traces.ts';

/** What a client asks, whatever way it came. */
export interface Params {
  readonly query: string;
  readonly operationName: string | null;
  readonly variables: { readonly [name: string]: unknown } | undefined;
  /** `"extensions": {"cost": true}`: the answer is to say what it cost, in `extensions.cost`. */
  readonly wantsCost: boolean;
  /** There is no document, only the hash of one: `query` is empty. */
  readonly isHashAlone: boolean;
}

/** An execution result, serialised. */
export interface Answer {
  readonly text: string;
  /**
   * `data`: executed, perhaps with errors. `null`: executed, and an error left nothing of the data. `refused`: never executed, the request
   * was at fault. `fault`: never executed, we were.
   */
  readonly outcome: 'data' | 'null' | 'refused' | 'fault';
  /** That of the first error; OK where there is none. */
  readonly code: string;
  /** The limit that one of its errors names; null where none does. */
  readonly limit: string | null;
}

/**
 * Documents in, answers out: the one pipeline behind HTTP, SSE and WebSocket, so that all three give the same answers under the same
 * limits. Errors come out masked.
 */
export class Operations<C extends object> {
  readonly #schema: GraphQLSchema;
  readonly #limits: Limits;
  readonly #context: ServerParts<C>['context'];
  readonly #rates: Rates;
  readonly #documents: Documents;
  readonly #executor: Executor;
  readonly #shared = new SharedFrames();
  readonly #watch: OperationWatch;
  readonly #meters: ServerMeters;
  readonly mask: Mask;

  constructor(parts: Pick<ServerParts<C>, 'schema' | 'limits' | 'context' | 'rates' | 'log' | 'meters' | 'traces'>) {
    this.#schema = parts.schema;
    this.#limits = parts.limits;
    this.#context = (principal, how) => parts.context(principal, how);
    this.#rates = parts.rates;
    this.#documents = new Documents(parts.schema, parts.limits);
    this.#executor = new Executor(parts.schema);
    this.#watch = new OperationWatch(parts);
    this.#meters = parts.meters;
    this.mask = createMask(parts);
  }

  /** The operation that the params name, parsed and validated once a text, or the errors to refuse them with: also that it would cost too much. */
  find(params: Params): Operation | readonly GraphQLError[] {
    if (params.isHashAlone) return [refuseHash()];
    try {
      const found = this.#documents.find(params.query, params.operationName);
      if (!('node' in found)) return found;
      const { refusal } = this.price(found, params);
      return refusal ? [refusal] : found;
    } catch (error) {
      // What a rule throws instead of reporting it, ours or graphql-js's, ends this operation and nothing else.
      const { message, extensions } = this.mask(error);
      return [new GraphQLError(message, { extensions: extensions ?? null })];
    }
  }

  /** What the operation costs with these variables, and whether it is refused for that. */
  price(operation: Operation, params: Params): Cost {
    return priceOperation(this.#schema, operation, params.variables, this.#limits);
  }

  /** An answer without data. */
  refusal(errors: readonly unknown[], call?: Call): Answer {
    return this.#withoutData('refused', errors, call);
  }

  /** Counts a request of which no operation came. */
  noteRefusal([first]: readonly GraphQLError[], params: Params, principal: Principal, call: Call): void {
    this.#watch.refused(params, principal, call, String(first?.extensions?.code ?? 'BAD_REQUEST'));
  }

  /**
   * Executes a query or a mutation. What is read for it and its text are held in `share`: the answer to a query is refused where there is no room for it;
   * a mutation has taken effect by then. Long texts and documents take points of the key, as they are read. `signal` is aborted when nobody waits for the answer any more. Never rejects.
   */
  execute(operation: Operation, params: Params, principal: Principal, call: Call, { share, signal }: Asked): Promise<Answer> {
    return this.#watch.run(operation, principal, call, async () => {
      try {
        const lend = (bytes: number) => share.take(bytes);
        const charge = (characters: number) => this.#rates.chargeFor(principal, characters);
        const run = {
          rootValue: undefined,
          context: this.#context(principal, { signal, requestId: call.id, lend, charge }),
          variables: params.variables,
        };
        const answer = this.#withCost(await this.#run(operation, run, call), operation, params);
        const bytes = bytesOf(answer.text);
        const refusal = operation.node.operation === 'mutation' ? share.settle(bytes) : share.admit(bytes);
        return refusal ? this.refusal([refusal], call) : answer;
      } catch (error) {
        return this.#withoutData('fault', [error], call);
      }
    });
  }

  /**
   * Opens a subscription: its frames are answers, serialised. Each is executed with a context of its own, or it would show yesterday's
   * rows; subscribers of the same document, variables and rights that are given the same event object share the execution and the text.
   * An answer instead of a stream is the refusal. The newest frame is held in `share`, and none is read before there is room for it.
   */
  subscribe(operation: Operation, params: Params, principal: Principal, call: Call, share: Share): Promise<FrameStream | Answer> {
    const open = (link: SpanLink | null) => this.#open(operation, params, principal, call, { link, share });
    return this.#watch.open(operation, principal, call, open, (opened) => ('outcome' in opened ? opened.code : 'OK'));
  }

  async #open(
    operation: Operation,
    params: Params,
    principal: Principal,
    call: Call,
    { link, share }: { readonly link: SpanLink | null; readonly share: Share },
  ): Promise<FrameStream | Answer> {
    try {
      const source = await createSourceEventStream({
        schema: this.#schema,
        document: operation.document,
        operationName: operation.node.name?.value ?? null,
        contextValue: this.#context(principal),
        variableValues: params.variables ?? null,
      });
      if (!(Symbol.asyncIterator in source)) return this.#answer(source, call);
      const key = JSON.stringify([operation.text, params.operationName, params.variables ?? null, params.wantsCost, rightsOf(principal)]);
      // A frame belongs to all who share it: what goes wrong with it names no one's request.
      const run = async (event: unknown) => {
        const context = this.#context(principal, { lend: (bytes) => share.take(bytes) });
        const how = { rootValue: event, context, variables: params.variables };
        return this.#withCost(await this.#run(operation, how), operation, params);
      };
      const maker = {
        frame: (event: unknown) => this.#shared.frame(event, key, () => this.#watch.frame(operation, link, () => run(event))),
        failure: (error: unknown) => JSON.stringify({ errors: [this.mask(error, call)] }),
        ...countFrames(this.#meters, operation.field, call.transport),
      };
      return new FrameStream(source[Symbol.asyncIterator](), maker, share);
    } catch (error) {
      return this.#withoutData('fault', [error], call);
    }
  }

  async #run(operation: Operation, run: Run, call?: Call): Promise<Answer> {
    const running = this.#executor.execute(operation, run);
    if (!(running instanceof Promise)) return this.#answer(running, call);
    if (operation.node.operation === 'mutation') return this.#answer(await running, call);
    const ms = this.#limits.executionMs;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(resolve, ms, null);
    });
    const result = await Promise.race([running, late]).finally(() => clearTimeout(timer));
    if (result !== null) return this.#answer(result, call);
    running.catch(() => {}); // nobody waits for it any more
    return this.refusal([exceed('executionMs', `The operation took longer than ${ms} ms.`, { allowed: ms, asked: null })], call);
  }

  #withCost(answer: Answer, operation: Operation, params: Params): Answer {
    if (!params.wantsCost) return answer;
    const cost = { nodes: this.price(operation, params).nodes, allowed: this.#limits.cost };
    return { ...answer, text: `${answer.text.slice(0, -1)},"extensions":${JSON.stringify({ cost })}}` };
  }

  #answer(result: ExecutionResult, call?: Call): Answer {
    if (!result.errors || result.errors.length === 0)
      return { outcome: 'data', code: 'OK', limit: null, text: JSON.stringify({ data: result.data }) };
    if (!('data' in result)) return this.#withoutData('refused', result.errors, call);
    const errors = result.errors.map((error) => this.mask(error, call));
    const text = JSON.stringify({ errors, data: result.data });
    return { outcome: result.data == null ? 'null' : 'data', code: codeOf(errors), limit: limitOf(errors), text };
  }

  #withoutData(outcome: Answer['outcome'], found: readonly unknown[], call: Call | undefined): Answer {
    const errors = found.map((error) => this.mask(error, call));
    const code = codeOf(errors);
    return { outcome: code === 'INTERNAL_ERROR' ? 'fault' : outcome, code, limit: limitOf(errors), text: JSON.stringify({ errors }) };
  }
}

/** How an operation is to be executed. */
export interface Asked {
  readonly share: Share;
  readonly signal?: AbortSignal | undefined;
}

function limitOf(errors: readonly GraphQLFormattedError[]): string | null {
  const limit = errors.find(({ extensions }) => typeof extensions?.limit === 'string')?.extensions?.limit;
  return typeof limit === 'string' ? limit : null;
}

const codeOf = ([first]: readonly GraphQLFormattedError[]): string => String(first?.extensions?.code);

/** What decides what a principal sees: a lease sees more than others of its kind. Two of the same rights see the same frames. */
export function rightsOf({ kind, role, projectId, jobId, deviceId, stepId }: Principal): string {
  return JSON.stringify([kind, role, projectId, jobId, deviceId, stepId]);
}
