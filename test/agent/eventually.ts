import { vi } from 'vitest';

/**
 * Waits until the check passes, for nearly as long as a test may last: the duration depends on the
 * machine, on which other tests run too. If it never passes, its error is reported.
 */
export function eventually<T>(
  check: () => T | Promise<T>,
  options: { readonly timeout?: number; readonly interval?: number } = {},
): Promise<T> {
  return vi.waitFor(check, { timeout: 100_000, interval: 20, ...options });
}
