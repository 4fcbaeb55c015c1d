/**
 * Limits the size of one answer where its cost (server/execution/cost.ts) cannot. In the cost, long
 * texts and documents count as nothing, and a list without pages counts as its usual length. What
 * is longer takes from one budget, the limit `answerBytes`, when it is read.
 */
import type { GraphQLFieldResolver } from 'graphql';
import { limitExceeded } from '../../domain/core/request-refusals.ts';
import type { Room } from '../../store/statements/weighed.ts';
import { JsonText } from '../../text/json-text.ts';
import type { Context } from './context.ts';

/** Shorter texts are not counted: the cost of the answer bounds their number. */
const LONG_CHARACTERS = 1_024;
/**
 * What each list entry beyond the usual length takes: a row in memory, and its part of the answer.
 */
const ENTRY_CHARACTERS = 1_024;
/** A number, true, false or null in a document, with its separator. An estimate is enough. */
const PLAIN_CHARACTERS = 8;

/**
 * What is left of the budget of one answer. All mutations of one operation share it, because
 * they have one answer.
 */
export class ResponseBudget {
  readonly #allowed: number;
  readonly #lend: (bytes: number) => void;
  readonly #charge: (characters: number) => void;
  /**
   * The room for rows of the store. They are not lent memory: a mutation that has taken effect is
   * answered also when others read too slowly.
   */
  readonly room: Room;
  #left: number;
  #held = 0;

  /**
   * `lend` takes from the memory for all answers, and throws when none is left. `charge` is called
   * with what was read.
   */
  constructor(allowed: number, lend: (bytes: number) => void = () => {}, charge: (characters: number) => void = () => {}) {
    this.#allowed = allowed;
    this.#lend = lend;
    this.#charge = charge;
    this.#left = allowed;
    const left = () => Math.min(this.#allowed - this.#held, Number.MAX_SAFE_INTEGER);
    this.room = {
      get bytes() {
        return left();
      },
      take: (bytes) => this.#keep(bytes),
    };
  }

  /**
   * Call it before reading this many bytes. What other fields of the answer have read is in memory
   * too, even if it is not serialized yet. Throws LIMIT_EXCEEDED.
   */
  hold(bytes: number): void {
    this.#keep(bytes);
    this.#lend(bytes);
  }

  #keep(bytes: number): void {
    this.#held += bytes;
    if (this.#held > this.#allowed) throw limitExceeded.answer(this.#allowed);
  }

  /**
   * Takes characters from the budget, or throws LIMIT_EXCEEDED. After that every call throws, so
   * that fields that wait for their turn read nothing in vain.
   */
  take(characters: number): void {
    this.#left -= characters;
    this.#charge(characters);
    this.requireSome();
  }

  requireSome(): void {
    if (this.#left < 0) throw limitExceeded.answer(this.#allowed);
  }
}

/** Wraps a resolver so that the size of its value is taken from the budget of the answer. */
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

/** What the entries beyond the usual length of a list take. */
export const charactersBeyond = (usually: number, list: unknown): number =>
  Array.isArray(list) ? (list.length - usually) * ENTRY_CHARACTERS : 0;

/**
 * About how many characters a text has, or a document as JSON. Not recursive, because a document
 * may be nested deeper than the stack allows.
 */
export function charactersOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (value instanceof JsonText) return value.text.length;
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
