/**
 * How much one answer may hold, as far as its cost cannot say (server/cost.ts): long texts and documents count as nothing there, and a list without
 * pages as what there usually is. What is longer takes from one allowance, the limit `answerBytes`, when it is read.
 */
import type { GraphQLFieldResolver } from 'graphql';
import { RequestRefused } from '../../domain/core/refusals.ts';
import type { Context } from './context.ts';

/** What is shorter is not counted: an answer's cost bounds how much of it there is. */
const LONG_CHARACTERS = 1_024;
/** What an entry of a list takes that goes beyond what was priced: a row in memory, and its answer. */
const ENTRY_CHARACTERS = 1_024;
/** Of a number, true, false or null in a document, with the sign beside it: what one takes more or less is no matter. */
const PLAIN_CHARACTERS = 8;

/** The answer would hold more than is allowed. */
class AnswerTooLarge extends RequestRefused {
  readonly allowed: number;
  constructor(allowed: number) {
    super(
      'LIMIT_EXCEEDED',
      `The long texts, documents and lists of one answer may have ${allowed} characters together. Ask for smaller pages, or for fewer of them.`,
    );
    this.allowed = allowed;
  }
  override get extensions() {
    return { ...super.extensions, limit: 'answerBytes', allowed: this.allowed, asked: null };
  }
}

/** What one answer may hold still. Mutations of one operation share it, as their answers are one. */
export class ResponseBudget {
  readonly #allowed: number;
  readonly #lend: (bytes: number) => void;
  readonly #charge: (characters: number) => void;
  #left: number;
  #held = 0;

  /** `lend` takes from what may be in memory for all answers, and throws where there is no more. `charge` is told what was read. */
  constructor(allowed: number, lend: (bytes: number) => void = () => {}, charge: (characters: number) => void = () => {}) {
    this.#allowed = allowed;
    this.#lend = lend;
    this.#charge = charge;
    this.#left = allowed;
  }

  /**
   * To be called before so many bytes are read: what was read for other fields of the answer is in memory as well, though none of it may be told yet.
   * Throws LIMIT_EXCEEDED.
   */
  hold(bytes: number): void {
    this.#held += bytes;
    if (this.#held > this.#allowed) throw new AnswerTooLarge(this.#allowed);
    this.#lend(bytes);
  }

  /** Takes so many characters, or throws LIMIT_EXCEEDED: then nothing more is to be had, so that what waits for its turn is not read in vain. */
  take(characters: number): void {
    this.#left -= characters;
    this.#charge(characters);
    this.requireSome();
  }

  requireSome(): void {
    if (this.#left < 0) throw new AnswerTooLarge(this.#allowed);
  }
}

/** A resolver that takes what its value measures from the budget of the answer. */
export function chargeBudget(
  resolve: GraphQLFieldResolver<unknown, Context>,
  measure: (value: unknown) => number,
): GraphQLFieldResolver<unknown, Context> {
  return (source, args, context, info) => {
    context.budget.requireSome();
    const value = resolve(source, args, context, info);
    const take = (found: unknown) => {
      const characters = measure(found);
      if (characters > LONG_CHARACTERS) context.budget.take(characters);
      return found;
    };
    return value instanceof Promise ? value.then(take) : take(value);
  };
}

/** What the entries of a list count for that go beyond what was priced. */
export const charactersBeyond = (usually: number, list: unknown): number =>
  Array.isArray(list) ? (list.length - usually) * ENTRY_CHARACTERS : 0;

/** Of a text, or of a document as JSON, more or less. Without recursion: a document may be nested deeper than the stack. */
export function charactersOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  let characters = 0;
  const open = [value];
  while (open.length > 0) {
    const next = open.pop();
    if (typeof next === 'string') characters += next.length + PLAIN_CHARACTERS;
    else if (Array.isArray(next)) for (const entry of next) open.push(entry);
    else if (typeof next === 'object' && next !== null) {
      for (const [name, entry] of Object.entries(next)) {
        characters += name.length;
        open.push(entry);
      }
    } else characters += PLAIN_CHARACTERS;
  }
  return characters;
}
