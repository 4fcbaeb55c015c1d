/**
 * Failures of the store are told from other errors: by the error of either driver, of Node, and of
 * those that Drizzle wraps.
 */
import { expect, test } from 'vitest';
import { isOpenStill, StoreUnavailable, unavailabilityOf } from '../../src/store/unavailable.ts';

const coded = (code: string) => Object.assign(new Error('what the driver says'), { code });

test.each([
  ['SQLITE_FULL', 'FULL'],
  ['ENOSPC', 'FULL'],
  ['53100', 'FULL'],
  ['SQLITE_IOERR_FSYNC', 'FAILING'],
  ['SQLITE_IOERR_WRITE', 'FAILING'],
  ['EIO', 'FAILING'],
  ['SQLITE_BUSY', 'BUSY'],
  ['ECONNREFUSED', 'AWAY'],
  ['57P01', 'AWAY'],
  ['57P03', 'AWAY'],
  ['57014', 'AWAY'],
  ['08006', 'AWAY'],
] as const)('%s is %s', (code, obstacle) => {
  expect(unavailabilityOf(coded(code))?.obstacle).toBe(obstacle);
  expect(unavailabilityOf(new Error('Failed query', { cause: coded(code) }))?.obstacle).toBe(obstacle);
  expect(unavailabilityOf(coded(code))?.message).not.toContain('what the driver says');
});

test('a connection that ended without a code means an unreachable database', () => {
  expect(unavailabilityOf(new Error('Connection terminated unexpectedly'))?.obstacle).toBe('AWAY');
  expect(unavailabilityOf(new Error('Query read timeout'))?.obstacle).toBe('AWAY');
  expect(unavailabilityOf(new AggregateError([coded('ECONNREFUSED'), coded('ECONNREFUSED')]))?.obstacle).toBe('AWAY');
});

test.each(['SQLITE_CORRUPT', 'SQLITE_CONSTRAINT_UNIQUE', '23505', '40001', '42601', ''])('%s is something else', (code) => {
  expect(unavailabilityOf(coded(code))).toBe(null);
});

test('a write that failed while it was synced may have been done, and says so', () => {
  const closed = unavailabilityOf(coded('SQLITE_FULL'));
  const open = unavailabilityOf(coded('SQLITE_IOERR_FSYNC'), { isOpen: true });
  expect([closed, open].map(isOpenStill)).toEqual([false, true]);
  expect(closed?.message).toBe("The gateway's disk is full. Nothing was changed; try again later.");
  expect(open?.message).toBe("The gateway's disk fails. Its log has the details. Whether this was done is not known; try again later.");
  expect(unavailabilityOf(open)).toBe(open);
  expect(open).toBeInstanceOf(StoreUnavailable);
});
