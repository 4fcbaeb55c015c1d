import type { GraphQLError } from 'graphql';
import type { Principal } from '../../domain/access/principal.ts';
import type { Count, Distribution } from '../../instruments/instruments.ts';
import type { Answer } from '../answers.ts';
import type { Asked, OperationContext } from '../context.ts';
import type { Operation } from '../documents/documents.ts';
import type { Call } from './call.ts';
import type { ServerInstruments } from './instruments.ts';
import type { Log } from './log.ts';
import type { OperationAbout, SpanLink, Traces } from './traces.ts';

/** The instruments of one root field, looked up once. */
interface Cells {
  readonly seconds: Distribution;
  readonly byCode: Map<string, Count>;
}

/** Slower operations are logged at level info, except claims that wait for work. */
const SLOW_MS = 1_000;
const WAITS_ON_PURPOSE: ReadonlySet<string> = new Set(['claimNextSteps']);
/** The longest operation name of a client that is logged. */
const MOST_CHARACTERS = 100;

export interface WatchParts {
  readonly log: Log;
  readonly instruments: ServerInstruments;
  readonly traces: Traces | null;
}

/** Counts, times, logs and traces every operation. */
export class OperationWatch {
  readonly #log: Log;
  readonly #instruments: ServerInstruments;
  readonly #traces: Traces | null;
  readonly #cells = new Map<string, Map<string, Cells>>();

  constructor({ log, instruments, traces }: WatchParts) {
    this.#log = log;
    this.#instruments = instruments;
    this.#traces = traces;
  }

  /** Runs a query or a mutation. */
  async run(context: OperationContext, work: () => Promise<Answer>): Promise<Answer> {
    const began = performance.now();
    this.#instruments.activeOperations.value += 1;
    try {
      const answer = this.#traces ? await this.#traces.operation(aboutOf(context.operation), work, codeOf) : await work();
      this.#note(context, codeOf(answer), performance.now() - began);
      return answer;
    } finally {
      this.#instruments.activeOperations.value -= 1;
    }
  }

  /** Opens a subscription. `work` gets the span that its frames refer to. */
  async open<T>(context: OperationContext, work: (self: SpanLink | null) => Promise<T>, codeOf: (result: T) => string): Promise<T> {
    const began = performance.now();
    const result = this.#traces ? await this.#traces.operation(aboutOf(context.operation), work, codeOf) : await work(null);
    this.#note(context, codeOf(result), performance.now() - began);
    return result;
  }

  /** Executes one frame. */
  frame(operation: Operation, subscription: SpanLink | null, work: () => Promise<Answer>): Promise<Answer> {
    return this.#traces && subscription ? this.#traces.frame(aboutOf(operation), subscription, work) : work();
  }

  /** Counts and logs a request that was refused before its execution. Returns the errors. */
  refused({ params, principal, call }: Asked, errors: readonly GraphQLError[]): readonly GraphQLError[] {
    const code = String(errors[0]?.extensions?.code ?? 'BAD_REQUEST');
    this.#instruments.operations.of({ type: 'none', operation: 'none', code }).add();
    if (this.#log.has('debug')) {
      this.#log.debug('An operation was refused.', { ...fieldsOf(principal, call), name: nameOf(params.operationName), code });
    }
    return errors;
  }

  #note({ operation, principal, call }: OperationContext, code: string, ms: number): void {
    const { operation: type } = operation.node;
    const { field } = operation;
    const cells = this.#cellsOf(type, field);
    let count = cells.byCode.get(code);
    if (!count) {
      count = this.#instruments.operations.of({ type, operation: field, code });
      cells.byCode.set(code, count);
    }
    count.add();
    if (type !== 'subscription') cells.seconds.note(ms / 1_000);
    const level = ms > SLOW_MS && !WAITS_ON_PURPOSE.has(field) ? 'info' : 'debug';
    if (!this.#log.has(level)) return;
    this.#log[level](level === 'info' ? 'An operation was slow.' : 'An operation was answered.', {
      ...fieldsOf(principal, call),
      ...{ type, operation: field, name: nameOf(operation.node.name?.value), code, ms: Math.round(ms * 10) / 10 },
    });
  }

  #cellsOf(type: string, field: string): Cells {
    let byField = this.#cells.get(type);
    if (!byField) {
      byField = new Map();
      this.#cells.set(type, byField);
    }
    let cells = byField.get(field);
    if (!cells) {
      cells = { seconds: this.#instruments.operationSeconds.of({ type, operation: field }), byCode: new Map() };
      byField.set(field, cells);
    }
    return cells;
  }
}

const codeOf = ({ code }: Answer): string => code;

const aboutOf = ({ node, field }: Operation): OperationAbout => ({
  type: node.operation,
  name: nameOf(node.name?.value) ?? null,
  field,
});

const nameOf = (name: string | null | undefined): string | undefined => name?.slice(0, MOST_CHARACTERS);

const fieldsOf = ({ keyId, name }: Principal, { id, transport }: Call) => ({ requestId: id, actor: keyId ?? name, transport });
