import { type ExecutionResult, GraphQLError, type GraphQLFormattedError } from 'graphql';
import type { Mask } from './errors.ts';
import type { Call } from './watch/call.ts';

/** An execution result, serialised. */
export interface Answer {
  readonly text: string;
  /**
   * `data`: executed, perhaps with errors. `null`: executed, and an error left nothing of the data. `refused`: never executed, the
   * request was at fault. `fault`: never executed, we were.
   */
  readonly outcome: 'data' | 'null' | 'refused' | 'fault';
  /** That of the first error; OK where there is none. */
  readonly code: string;
  /** The limit that one of its errors names; null where none does. */
  readonly limit: string | null;
}

/** Makes answers of results and errors. What leaves here is masked. */
export class Answers {
  readonly mask: Mask;

  constructor(mask: Mask) {
    this.mask = mask;
  }

  /** `call`: whose request it is. A frame that many share has none. */
  of(result: ExecutionResult, call?: Call): Answer {
    if (!result.errors || result.errors.length === 0) {
      return { outcome: 'data', code: 'OK', limit: null, text: JSON.stringify({ data: result.data }) };
    }
    if (!('data' in result)) return this.refusal(result.errors, call);
    const errors = result.errors.map((error) => this.mask(error, call));
    const text = JSON.stringify({ errors, data: result.data });
    return { outcome: result.data == null ? 'null' : 'data', code: codeOf(errors), limit: limitOf(errors), text };
  }

  /** An answer without data. */
  refusal(errors: readonly unknown[], call?: Call): Answer {
    return this.#withoutData('refused', errors, call);
  }

  /** An answer without data for what was thrown. */
  fault(error: unknown, call?: Call): Answer {
    return this.#withoutData('fault', [error], call);
  }

  /** What a rule threw instead of reporting it, ours or graphql-js's: it ends this operation and nothing else. */
  report(error: unknown): GraphQLError {
    const { message, extensions } = this.mask(error);
    return new GraphQLError(message, { extensions: extensions ?? null });
  }

  #withoutData(outcome: Answer['outcome'], found: readonly unknown[], call: Call | undefined): Answer {
    const errors = found.map((error) => this.mask(error, call));
    const code = codeOf(errors);
    return { outcome: code === 'INTERNAL_ERROR' ? 'fault' : outcome, code, limit: limitOf(errors), text: JSON.stringify({ errors }) };
  }
}

function limitOf(errors: readonly GraphQLFormattedError[]): string | null {
  const limit = errors.find(({ extensions }) => typeof extensions?.limit === 'string')?.extensions?.limit;
  return typeof limit === 'string' ? limit : null;
}

const codeOf = ([first]: readonly GraphQLFormattedError[]): string => String(first?.extensions?.code);
