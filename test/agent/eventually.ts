import { vi } from 'vitest';

/**
 * Waits until the check passes, for nearly as long as a test may last: how long something takes is up to the machine, on which other tests run too.
 * What never comes is told by its check.
 */
export function eventually<T>(
  check: () => T | Promise<T>,
  options: { readonly timeout?: number; readonly interval?: number } = {},
): Promise<T> {
  return vi.waitFor(check, { timeout: 50_000, interval: 20, ...options });
}
