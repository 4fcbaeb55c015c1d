/** How old the news in a value is: when the first wake-up was heard that it answers. What many subscribers share has the moment of the first. */
const heard = new WeakMap<object, number>();

export function noteWakeup(value: unknown, since: number): void {
  if (typeof value === 'object' && value !== null && !heard.has(value)) heard.set(value, since);
}

/** By the monotonic clock, in milliseconds; undefined for what was there before anyone asked. */
export function wokenSince(value: unknown): number | undefined {
  return typeof value === 'object' && value !== null ? heard.get(value) : undefined;
}
