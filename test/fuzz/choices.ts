/**
 * A list of numbers that fast-check makes, read as decisions: which field, which value, how deep. When it fails, fast-check makes the list shorter and its
 * numbers smaller; what is decided by 0, and by a list that has ended, is therefore the simplest thing that there is.
 */
import fc from 'fast-check';

export class Choices {
  readonly #numbers: Uint16Array;
  #next = 0;

  constructor(numbers: Uint16Array) {
    this.#numbers = numbers;
  }

  /** A whole number from 0 up to, and without, `below`. */
  number(below: number): number {
    return (this.#numbers[this.#next++] ?? 0) % below;
  }

  pick<T>(from: readonly [T, ...T[]]): T {
    return from[this.number(from.length)] ?? from[0];
  }

  /** True in so many of a hundred cases; false once the list has ended. */
  chance(percent: number): boolean {
    return this.number(100) >= 100 - percent;
  }
}

export const decisions = (atMost = 400): fc.Arbitrary<Uint16Array> => fc.uint16Array({ maxLength: atMost, size: 'max' });

/** The same each time, unless FAST_CHECK_SEED says another: a failure prints the one that it came from. */
export const seed = Number(process.env.FAST_CHECK_SEED ?? 20_260_101);
