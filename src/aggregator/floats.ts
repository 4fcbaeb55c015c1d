/**
 * The types of floating-point numbers that can be averaged: their bytes to numbers, and doubles to their bytes, rounded to the nearest, ties to
 * the even one. Arrays lie in memory as in the file: little-endian, as are all machines that Node runs on but IBM's mainframes.
 */

export interface FloatType {
  /** The first so many elements of these bytes; good until the next call. */
  decode(bytes: ArrayBuffer, count: number): Float16Array | Float32Array | Float64Array;
  /** Writes the first so many values as elements. What is too large for the type becomes infinity. */
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

/** Rounding to 32 bits and then to 16 would round ties twice: so the first step cuts off, and keeps in the last bit that something was cut. */
function bf16Of(value: number): number {
  float[0] = value;
  const nearest = float[0] ?? 0;
  let wide = bits[0] ?? 0;
  if (Number.isNaN(nearest)) return (wide >>> 16) | 0x40;
  if (nearest !== value) {
    if (Math.abs(nearest) > Math.abs(value)) wide -= 1;
    wide |= 1;
  }
  // Half of the last place that stays, less one where that place is even already.
  return ((wide >>> 0) + 0x7fff + ((wide >>> 16) & 1)) >>> 16;
}

/** By the name that the file gives. */
export const floatTypes: Readonly<Record<string, FloatType>> = { F16: f16, BF16: bf16, F32: f32, F64: f64 };

/** Whole numbers and booleans: counters, indexes, masks. They have no mean of their own type, and one of the models' values is as good as any. */
export const isWholeType = (dtype: string): boolean => /^(BOOL|[IU](8|16|32|64))$/.test(dtype);
