import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createIds, typeOfId } from '../../../src/domain/core/ids.ts';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** The number that 26 characters of Crockford's base32 stand for. */
const decode = (text: string): bigint => [...text].reduce((value, character) => (value << 5n) | BigInt(ALPHABET.indexOf(character)), 0n);

const bytes = fc.uint8Array({ minLength: 16, maxLength: 16 });
const time = fc.integer({ min: 1, max: 2 ** 48 - 1 });

test('an id is the base32 of a UUIDv7: the time, the version, the variant and what is random', () => {
  fc.assert(
    fc.property(time, bytes, (ms, random) => {
      const id = createIds(
        () => new Date(ms),
        () => random.slice(),
      ).next('Job');
      const expected = (BigInt(ms) << 80n) | (0x7000n << 64n) | randomPartOf(random);
      expect(id).toMatch(/^job_[0-7][0-9a-hjkmnp-tv-z]{25}$/);
      expect(decode(id.slice('job_'.length))).toBe(expected);
      expect(typeOfId(id)).toBe('Job');
    }),
  );
});

/** The last 64 bits, of which the first two are the variant. */
function randomPartOf(random: Uint8Array): bigint {
  const low = random.slice(8).reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
  return (2n << 62n) | (low & ((1n << 62n) - 1n));
}

test('ids ascend within a millisecond and when the clock goes back', () => {
  const times = [5_000, 5_000, 4_000, 5_001];
  const ids = createIds(
    () => new Date(times.shift() ?? 5_001),
    () => new Uint8Array(16).fill(255),
  );
  const made = Array.from({ length: 5_000 }, () => ids.next('Step'));
  expect(made).toEqual(made.toSorted());
  expect(new Set(made).size).toBe(made.length);
});
