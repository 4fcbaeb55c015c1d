/**
 * When the first wake-up was heard that a value answers. A value shared by many subscribers has the
 * time of the first.
 */
const heard = new WeakMap<object, number>();

export function noteWakeup(value: unknown, since: number): void {
  if (typeof value === 'object' && value !== null && !heard.has(value)) heard.set(value, since);
}

/**
 * The time of the monotonic clock, in milliseconds. Undefined for values that no wake-up led to.
 */
export function wokenSince(value: unknown): number | undefined {
  return typeof value === 'object' && value !== null ? heard.get(value) : undefined;
}
