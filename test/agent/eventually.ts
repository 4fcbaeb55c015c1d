import { vi } from 'vitest';

/** Waits until the check passes. With more patience than vitest's own second: other tests, and the gateways of some, use the same cores. */
export function eventually<T>(
  check: () => T | Promise<T>,
  options: { readonly timeout?: number; readonly interval?: number } = {},
): Promise<T> {
  return vi.waitFor(check, { timeout: 15_000, interval: 20, ...options });
}
