/**
 * A list of numbers from fast-check, read as decisions: which field, which value, how deep. When a
 * case fails, fast-check shortens the list and lowers its numbers. So a decision by 0, or by a list
 * that has ended, is always the simplest one.
 */
import fc from 'fast-check';

export class Choices {
  readonly #numbers: Uint16Array;
  #next = 0;

  constructor(numbers: Uint16Array) {
    this.#numbers = numbers;
  }

  /** An integer from 0 to `below` - 1. */
  number(below: number): number {
    return (this.#numbers[this.#next++] ?? 0) % below;
  }

  pick<T>(from: readonly [T, ...T[]]): T {
    return from[this.number(from.length)] ?? from[0];
  }

  /** True in `percent` of a hundred cases; false once the list has ended. */
  chance(percent: number): boolean {
    return this.number(100) >= 100 - percent;
  }
}

export const decisions = (atMost = 400): fc.Arbitrary<Uint16Array> => fc.uint16Array({ maxLength: atMost, size: 'max' });

/** The same on every run unless FAST_CHECK_SEED is set. A failure prints its seed. */
export const seed = Number(process.env.FAST_CHECK_SEED ?? 20_260_101);
