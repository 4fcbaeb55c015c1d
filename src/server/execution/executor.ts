import { limitExceeded } from '../../domain/core/request-refusals.ts';
import type { Answer, Answers } from '../answers.ts';
import type { ServerParts } from '../app.ts';
import type { Rates } from '../connections/rates.ts';
import { type OperationContext, wantsCost } from '../context.ts';
import type { Limits } from '../limits.ts';
import type { Call } from '../watch/call.ts';
import { Jit, type Run } from './jit.ts';

/** Executes operations within their time limit, and makes answers of the results. */
export class Executor<C extends object> {
  readonly #answers: Answers;
  readonly #limits: Limits;
  readonly #rates: Rates;
  readonly #context: ServerParts<C>['context'];
  readonly #jit: Jit;

  constructor(parts: Pick<ServerParts<C>, 'schema' | 'limits' | 'rates' | 'context'>, answers: Answers) {
    this.#answers = answers;
    this.#limits = parts.limits;
    this.#rates = parts.rates;
    this.#context = (principal, how) => parts.context(principal, how);
    this.#jit = new Jit(parts.schema);
  }

  /**
   * Executes a query or a mutation. The share holds the bytes that are read for it. Long texts and
   * documents take points of the key when they are read. Never rejects.
   */
  async answer(context: OperationContext): Promise<Answer> {
    const { operation, params, principal, call, share, goneSignal } = context;
    const late = new AbortController();
    try {
      const run = {
        rootValue: undefined,
        context: this.#context(principal, {
          signal: operation.node.operation === 'mutation' ? goneSignal() : late.signal,
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
    const late = new AbortController();
    const run = {
      rootValue: event,
      context: this.#context(principal, { signal: late.signal, areTexts: true, lend: (bytes) => share.take(bytes) }),
      variables: params.variables,
    };
    return this.#withCost(await this.#run(context, run, late), context);
  }

  async #run({ operation }: OperationContext, run: Run, late: AbortController, call?: Call): Promise<Answer> {
    const running = this.#jit.execute(operation, run);
    if (!(running instanceof Promise)) return this.#answers.of(running, call);
    if (operation.node.operation === 'mutation') return this.#answers.of(await running, call);
    const ms = this.#limits.executionMs;
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<null>((resolve) => {
      timer = setTimeout(resolve, ms, null);
    });
    const result = await Promise.race([running, timeout]).finally(() => clearTimeout(timer));
    if (result !== null) return this.#answers.of(result, call);
    late.abort();
    running.catch(() => {}); // its result is not needed any more
    return this.#answers.refusal([limitExceeded.executionTime(ms)], call);
  }

  #withCost(answer: Answer, { params, cost: { nodes } }: OperationContext): Answer {
    if (!wantsCost(params)) return answer;
    const cost = { nodes, allowed: this.#limits.cost };
    return { ...answer, text: `${answer.text.slice(0, -1)},"extensions":${JSON.stringify({ cost })}}` };
  }
}
