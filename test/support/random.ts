/** Repeatable randomness: the same seed gives the same bytes, so a failure can be reproduced. */
import { createHash } from 'node:crypto';

/** For `createDomain({ random })`: blocks of SHA-256 over the seed and a counter. */
export function seedRandom(seed: string | number = 1): (bytes: number) => Buffer {
  let count = 0;
  let rest = Buffer.alloc(0);
  return (bytes) => {
    while (rest.length < bytes) rest = Buffer.concat([rest, createHash('sha256').update(`${seed}:${count++}`).digest()]);
    const taken = Buffer.from(rest.subarray(0, bytes));
    rest = rest.subarray(bytes);
    return taken;
  };
}

/** An integer from 0 to `below` - 1. */
export function pickNumber(random: (bytes: number) => Buffer, below: number): number {
  return random(6).readUIntBE(0, 6) % below;
}

export function pickOne<T>(random: (bytes: number) => Buffer, choices: readonly [T, ...T[]]): T {
  return choices[pickNumber(random, choices.length)] ?? choices[0];
}
