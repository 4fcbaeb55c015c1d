/** The table of statuses, as in the page on the five systems. */
import { describe, expect, test } from 'vitest';
import { type JobStatus, jobStatuses } from '../../../src/domain/core/lifecycle.ts';
import { dialects, nativeStatus } from '../../../src/domain/jobs/native-status.ts';

const page: Readonly<Record<JobStatus, readonly [vergeai: string, seeme: string, neuromation: string, mlcycle: string]>> = {
  BLOCKED: ['INITIALIZED', 'WAITING', 'PENDING', '0'],
  QUEUED: ['INITIALIZED', 'WAITING', 'PENDING', '21'],
  RUNNING: ['IN_PROGRESS', 'STARTED', 'RUNNING', '1'],
  SUSPENDED: ['IN_PROGRESS', 'STARTED', 'SUSPENDED', '21'],
  CANCELLING: ['IN_PROGRESS', 'STARTED', 'RUNNING', '1'],
  SUCCEEDED: ['COMPLETED', 'FINISHED', 'SUCCEEDED', '2'],
  FAILED: ['CANCELLED', 'ERROR', 'FAILED', '31'],
  CANCELLED: ['CANCELLED', 'ERROR', 'CANCELLED', '31'],
};

describe("A job's native status", () => {
  test.each(jobStatuses)('of %s is a word of each system', (status) => {
    const job = { status, isFederated: false, isAggregating: false };
    expect(dialects.map((dialect) => nativeStatus(dialect, job))).toEqual(page[status]);
  });

  test('of a federated job is the same, except that vergeai has it in progress from its creation', () => {
    for (const status of jobStatuses) {
      const [vergeai, ...others] = page[status];
      const job = { status, isFederated: true, isAggregating: false };
      expect(dialects.map((dialect) => nativeStatus(dialect, job))).toEqual([status === 'QUEUED' ? 'IN_PROGRESS' : vergeai, ...others]);
    }
  });

  test('of a running federated job tells vergeai when it aggregates', () => {
    const statusOf = (status: JobStatus) => nativeStatus('VERGEAI', { status, isFederated: true, isAggregating: true });
    expect(statusOf('RUNNING')).toBe('AGGREGATION_IN_PROGRESS');
    expect(statusOf('CANCELLING')).toBe('IN_PROGRESS');
  });
});
