/** Repeatable randomness: the same seed draws the same numbers in every process. */
import { createHash } from 'node:crypto';

export interface Random {
  /** From 0 (included) to 1 (excluded). */
  next(): number;
  /** A number from `from` up to `to`. */
  between(from: number, to: number): number;
  /** An integer from `from` to `to`, both included. */
  whole(from: number, to: number): number;
  chance(probability: number): boolean;
  pick<T>(choices: readonly [T, ...T[]]): T;
  /**
   * Letters, digits and a few multi-byte characters, so that bytes and characters differ in number.
   */
  text(length: number): string;
}

const ALPHABET = [...'abcdefghijklmnopqrstuvwxyz0123456789 äß€𝛌'];

/** mulberry32, seeded with the hash of the seed. */
export function seedRandom(seed: string): Random {
  let state = createHash('sha256').update(seed).digest().readUInt32LE(0);
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const whole = (from: number, to: number) => from + Math.floor(next() * (to - from + 1));
  return {
    next,
    whole,
    between: (from, to) => from + next() * (to - from),
    chance: (probability) => next() < probability,
    pick: (choices) => choices[whole(0, choices.length - 1)] ?? choices[0],
    text: (length) => Array.from({ length }, () => ALPHABET[whole(0, ALPHABET.length - 1)] ?? '').join(''),
  };
}
