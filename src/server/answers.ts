import { type ExecutionResult, GraphQLError, type GraphQLFormattedError } from 'graphql';
import { stringify } from '../text/json-text.ts';
import type { Mask } from './errors.ts';
import type { Call } from './watch/call.ts';

/** An execution result, serialised. */
export interface Answer {
  readonly text: string;
  /**
   * `data`: executed, perhaps with errors. `null`: executed, and an error nulled all data.
   * `refused`: not executed because of the request. `fault`: not executed because of a bug or the
   * store.
   */
  readonly outcome: 'data' | 'null' | 'refused' | 'fault';
  /** The code of the first error, or `OK`. */
  readonly code: string;
  /** The limit that one of its errors names, or null. */
  readonly limit: string | null;
}

/** Serialises results and errors, which it masks. */
export class Answers {
  readonly mask: Mask;

  constructor(mask: Mask) {
    this.mask = mask;
  }

  /** `call` is the request. A shared frame has none. */
  of(result: ExecutionResult, call?: Call): Answer {
    if (!result.errors || result.errors.length === 0) {
      return { outcome: 'data', code: 'OK', limit: null, text: stringify({ data: result.data }) };
    }
    if (!('data' in result)) return this.refusal(result.errors, call);
    const errors = result.errors.map((error) => this.mask(error, call));
    const text = stringify({ errors, data: result.data });
    return { outcome: result.data == null ? 'null' : 'data', code: codeOf(errors), limit: limitOf(errors), text };
  }

  /** An answer without data. */
  refusal(errors: readonly unknown[], call?: Call): Answer {
    return this.#withoutData('refused', errors, call);
  }

  /** An answer without data for a thrown error. */
  fault(error: unknown, call?: Call): Answer {
    return this.#withoutData('fault', [error], call);
  }

  /** An error that a validation rule threw instead of reporting. It ends only this operation. */
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
