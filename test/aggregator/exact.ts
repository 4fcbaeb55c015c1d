/**
 * Rounds to floating-point types in exact arithmetic on integers: the reference for the gateway's
 * rounding.
 */

/** A number as `mantissa × 2^exponent`, exactly. */
export interface Exact {
  readonly mantissa: bigint;
  readonly exponent: number;
}

export interface Format {
  readonly exponentBits: number;
  readonly mantissaBits: number;
}
export const formats = {
  F16: { exponentBits: 5, mantissaBits: 10 },
  BF16: { exponentBits: 8, mantissaBits: 7 },
  F32: { exponentBits: 8, mantissaBits: 23 },
  F64: { exponentBits: 11, mantissaBits: 52 },
} as const satisfies Record<string, Format>;

/** The value of these bits; null if it is not finite. */
export function exactValueOf(bits: bigint, { exponentBits, mantissaBits }: Format): Exact | null {
  const fraction = bits & ((1n << BigInt(mantissaBits)) - 1n);
  const field = Number((bits >> BigInt(mantissaBits)) & ((1n << BigInt(exponentBits)) - 1n));
  const isNegative = bits >> BigInt(exponentBits + mantissaBits) === 1n;
  const bias = 2 ** (exponentBits - 1) - 1;
  if (field === 2 ** exponentBits - 1) return null;
  const mantissa = field === 0 ? fraction : fraction | (1n << BigInt(mantissaBits));
  return { mantissa: isNegative ? -mantissa : mantissa, exponent: Math.max(field, 1) - bias - mantissaBits };
}

export const bitsOfDouble = (value: number): bigint => new BigUint64Array(new Float64Array([value]).buffer)[0] ?? 0n;

/**
 * The bits of the value nearest to `numerator / denominator × 2^exponent`, ties to even. Zero is
 * positive.
 */
export function roundTo(numerator: bigint, denominator: bigint, exponent: number, { exponentBits, mantissaBits }: Format): bigint {
  const isNegative = numerator < 0n;
  const size = isNegative ? -numerator : numerator;
  const sign = isNegative ? 1n << BigInt(exponentBits + mantissaBits) : 0n;
  if (size === 0n) return sign;
  const bias = 2 ** (exponentBits - 1) - 1;
  const lowest = 1 - bias - mantissaBits;
  // The exponent at which the mantissa has its full width, or the lowest possible one.
  let unit = Math.max(lowest, exponent + size.toString(2).length - denominator.toString(2).length - mantissaBits - 2);
  for (;;) {
    const shift = exponent - unit;
    const top = shift >= 0 ? size << BigInt(shift) : size;
    const bottom = shift >= 0 ? denominator : denominator << BigInt(-shift);
    const whole = top / bottom;
    const rest = (top % bottom) * 2n;
    const rounded = rest > bottom || (rest === bottom && whole % 2n === 1n) ? whole + 1n : whole;
    if (whole >= 1n << BigInt(mantissaBits + 1)) {
      unit += 1;
      continue;
    }
    // The leading bit adds one to the exponent field, and a carry out of the mantissa one more.
    const bits = rounded + (BigInt(unit - lowest) << BigInt(mantissaBits));
    const infinity = ((1n << BigInt(exponentBits)) - 1n) << BigInt(mantissaBits);
    return sign | (bits > infinity ? infinity : bits);
  }
}
