/**
 * The floating-point types that can be averaged: decodes their bytes, and encodes doubles, rounded
 * to nearest with ties to even. Arrays are little-endian, like the file and all machines on which
 * Node runs, except IBM's mainframes.
 */

export interface FloatType {
  /** Decodes the first `count` elements. Valid until the next call. */
  decode(bytes: ArrayBuffer, count: number): Float16Array | Float32Array | Float64Array;
  /** Encodes the first `count` values. Values too large for the type become infinity. */
  encode(values: Float64Array, count: number, bytes: ArrayBuffer): void;
}

const f16: FloatType = {
  decode: (bytes, count) => new Float16Array(bytes, 0, count),
  encode: (values, count, bytes) => new Float16Array(bytes, 0, count).set(values.subarray(0, count)),
};

const f32: FloatType = {
  decode: (bytes, count) => new Float32Array(bytes, 0, count),
  encode: (values, count, bytes) => new Float32Array(bytes, 0, count).set(values.subarray(0, count)),
};

const f64: FloatType = {
  decode: (bytes, count) => new Float64Array(bytes, 0, count),
  encode: (values, count, bytes) => new Float64Array(bytes, 0, count).set(values.subarray(0, count)),
};

let expanded = new Uint32Array(0);

/** The upper half of a 32-bit float. */
const bf16: FloatType = {
  decode(bytes, count) {
    if (expanded.length < count) expanded = new Uint32Array(count);
    const halves = new Uint16Array(bytes, 0, count);
    for (let i = 0; i < count; i++) expanded[i] = (halves[i] ?? 0) << 16;
    return new Float32Array(expanded.buffer, 0, count);
  },
  encode(values, count, bytes) {
    const halves = new Uint16Array(bytes, 0, count);
    for (let i = 0; i < count; i++) halves[i] = bf16Of(values[i] ?? 0);
  },
};

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/**
 * Rounding to 32 and then to 16 bits would round ties twice. So the first step truncates, and sets
 * the last bit if something was lost.
 */
function bf16Of(value: number): number {
  float[0] = value;
  const nearest = float[0] ?? 0;
  let wide = bits[0] ?? 0;
  if (Number.isNaN(nearest)) return (wide >>> 16) | 0x40;
  if (nearest !== value) {
    if (Math.abs(nearest) > Math.abs(value)) wide -= 1;
    wide |= 1;
  }
  // Half a unit in the last kept place, minus one if that place is already even.
  return ((wide >>> 0) + 0x7fff + ((wide >>> 16) & 1)) >>> 16;
}

/** By the file's name of the type. */
export const floatTypes: Readonly<Record<string, FloatType>> = { F16: f16, BF16: bf16, F32: f32, F64: f64 };

/**
 * Integers and booleans: counters, indexes, masks. They have no mean of their type, and any model's
 * value is as good as another's.
 */
export const isWholeType = (dtype: string): boolean => /^(BOOL|[IU](8|16|32|64))$/.test(dtype);
