/** Jobs, steps and files in the words of the other systems, as in the page on the five systems. */
import { describe, expect, test } from 'vitest';
import { type JobStatus, jobStatuses, stepStatuses } from '../../../src/domain/core/lifecycle.ts';
import { dialects, nativeFragmentType, nativeInitiator, nativeStatus, nativeStepStatus } from '../../../src/domain/jobs/native-status.ts';

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

describe("A step's native status", () => {
  test('is that of a job, and of a step that never ran that of a blocked one', () => {
    for (const status of stepStatuses)
      expect(dialects.map((dialect) => nativeStepStatus(dialect, status))).toEqual(page[status === 'SKIPPED' ? 'BLOCKED' : status]);
  });
});

describe('The numbers of mlcycle', () => {
  test('for what started a job are 0, 1 and 2, and no other system has words for it', () => {
    expect((['MANUAL', 'GIT', 'DATA'] as const).map((initiator) => nativeInitiator('MLCYCLE', initiator))).toEqual(['0', '1', '2']);
    for (const dialect of ['VERGEAI', 'SEEME', 'NEUROMATION'] as const) expect(nativeInitiator(dialect, 'MANUAL')).toBeNull();
  });

  test('for the type of a file are 0, 1 and 2, and it has none for others', () => {
    const types = ['METRICS', 'BUILD_LOGS', 'MODEL', 'DATA', 'OUTPUT'] as const;
    expect(types.map((type) => nativeFragmentType('MLCYCLE', type))).toEqual(['0', '1', '2', null, null]);
    for (const dialect of ['VERGEAI', 'SEEME', 'NEUROMATION'] as const) expect(nativeFragmentType(dialect, 'MODEL')).toBeNull();
  });
});
