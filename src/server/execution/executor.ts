import type { ExecutionResult } from 'graphql';
import { limitExceeded } from '../../domain/core/request-refusals.ts';
import type { Answer, Answers } from '../answers.ts';
import type { ServerParts } from '../app.ts';
import type { Rates } from '../connections/rates.ts';
import { TimeLimit } from '../connections/time-limit.ts';
import { type OperationContext, wantsCost } from '../context.ts';
import type { Limits } from '../limits.ts';
import type { Call } from '../watch/call.ts';
import { Jit, type Run } from './jit.ts';
import { LazyAbort } from './lazy-abort.ts';

/** Executes operations within their time limit, and makes answers of the results. */
export class Executor<C extends object> {
  readonly #answers: Answers;
  readonly #limits: Limits;
  readonly #rates: Rates;
  readonly #context: ServerParts<C>['context'];
  readonly #jit: Jit;
  readonly #time: TimeLimit;

  constructor(parts: Pick<ServerParts<C>, 'schema' | 'limits' | 'rates' | 'context'>, answers: Answers) {
    this.#answers = answers;
    this.#limits = parts.limits;
    this.#rates = parts.rates;
    this.#context = (principal, how) => parts.context(principal, how);
    this.#jit = new Jit(parts.schema);
    this.#time = new TimeLimit(parts.limits.executionMs);
  }

  /**
   * Executes a query or a mutation. The share holds the bytes that are read for it. Long texts and
   * documents take points of the key when they are read. Never rejects.
   */
  async answer(context: OperationContext): Promise<Answer> {
    const { operation, params, principal, call, share, goneSignal } = context;
    const late = new LazyAbort();
    try {
      const run = {
        rootValue: undefined,
        context: this.#context(principal, {
          signal: operation.node.operation === 'mutation' ? goneSignal : late.signal,
          requestId: call.id,
          areTexts: true,
          lend: (bytes) => share.take(bytes),
          charge: (characters) => this.#rates.chargeFor(principal, characters),
        }),
        variables: params.variables,
      };
      return this.#withCost(await this.#run(context, run, late, call), context);
    } catch (error) {
      return this.#answers.fault(error, call);
    }
  }

  /**
   * Executes a frame of a subscription. Several subscribers may share it, so its errors have no
   * request id.
   */
  async frame(context: OperationContext, event: unknown): Promise<Answer> {
    const { params, principal, share } = context;
    const late = new LazyAbort();
    const run = {
      rootValue: event,
      context: this.#context(principal, { signal: late.signal, areTexts: true, lend: (bytes) => share.take(bytes) }),
      variables: params.variables,
    };
    return this.#withCost(await this.#run(context, run, late), context);
  }

  async #run({ operation }: OperationContext, run: Run, late: LazyAbort, call?: Call): Promise<Answer> {
    const running = this.#jit.execute(operation, run);
    if (!(running instanceof Promise)) return this.#answers.of(running, call);
    if (operation.node.operation === 'mutation') return this.#answers.of(await running, call);
    const result = await this.#inTime(running, late);
    return result ? this.#answers.of(result, call) : this.#answers.refusal([limitExceeded.executionTime(this.#time.ms)], call);
  }

  /** Null if it takes too long: then its result is not needed any more. */
  #inTime(running: Promise<ExecutionResult>, late: LazyAbort): Promise<ExecutionResult | null> {
    return new Promise((resolve, reject) => {
      const timed = this.#time.begin(() => {
        late.abort();
        resolve(null);
      });
      const settled = <T>(settle: (outcome: T) => void, outcome: T) => {
        this.#time.end(timed);
        settle(outcome);
      };
      running.then(
        (result) => settled(resolve, result),
        (error: unknown) => settled(reject, error),
      );
    });
  }

  #withCost(answer: Answer, { params, cost: { nodes } }: OperationContext): Answer {
    if (!wantsCost(params)) return answer;
    const cost = { nodes, allowed: this.#limits.cost };
    return { ...answer, text: `${answer.text.slice(0, -1)},"extensions":${JSON.stringify({ cost })}}` };
  }
}
