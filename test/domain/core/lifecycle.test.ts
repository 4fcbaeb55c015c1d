/** That the two lifecycle tables are sound in themselves. What the database makes of each cell: transitions.test.ts. */
import { describe, expect, test } from 'vitest';
import {
  heldStepStatuses,
  isTerminalJob,
  isTerminalStep,
  jobLifecycle,
  jobStatuses,
  jobStatusesThatAllow,
  nextJobStatus,
  nextStepStatus,
  stepLifecycle,
  stepStatuses,
  stepStatusesThatAllow,
  terminalJobStatuses,
  terminalStepStatuses,
} from '../../../src/domain/core/lifecycle.ts';

type Lifecycle = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** All statuses that can follow from this one. */
function reachable(lifecycle: Lifecycle, start: string): Set<string> {
  const seen = new Set([start]);
  for (const status of seen) for (const to of Object.values(lifecycle[status] ?? {})) seen.add(to);
  return seen;
}

describe.each([
  { noun: 'job', lifecycle: jobLifecycle as Lifecycle, statuses: jobStatuses as string[], ends: terminalJobStatuses as string[] },
  { noun: 'step', lifecycle: stepLifecycle as Lifecycle, statuses: stepStatuses as string[], ends: terminalStepStatuses as string[] },
])('The lifecycle of a $noun', ({ lifecycle, statuses, ends }) => {
  test('leads only to statuses of its own', () => {
    for (const row of Object.values(lifecycle)) for (const to of Object.values(row)) expect(statuses).toContain(to);
  });

  test('reaches every status from the two in which it can begin', () => {
    const reached = new Set([...reachable(lifecycle, 'QUEUED'), ...reachable(lifecycle, 'BLOCKED')]);
    expect([...reached].sort()).toEqual([...statuses].sort());
  });

  test('can end from everywhere', () => {
    for (const status of statuses) {
      expect([...reachable(lifecycle, status)].some((reached) => ends.includes(reached))).toBe(true);
    }
  });

  test('has no way out of an end', () => {
    for (const end of ends) expect([...reachable(lifecycle, end)]).toEqual([end]);
  });
});

describe('The lifecycle of a job', () => {
  test('ends as SUCCEEDED, FAILED or CANCELLED', () => {
    expect(terminalJobStatuses).toEqual(['SUCCEEDED', 'FAILED', 'CANCELLED']);
    expect(jobStatuses.filter(isTerminalJob)).toEqual(terminalJobStatuses);
  });

  test('can be cancelled until it has ended, and deleted only then', () => {
    const cancellable = jobStatuses.filter((status) => nextJobStatus(status, 'cancel') !== null);
    expect([...cancellable, ...jobStatusesThatAllow('delete')]).toEqual(jobStatuses);
    expect(jobStatusesThatAllow('delete')).toEqual(terminalJobStatuses);
  });

  test('takes no new steps once it is being cancelled', () => {
    expect(jobStatusesThatAllow('addSteps')).toEqual(['BLOCKED', 'QUEUED', 'RUNNING', 'SUSPENDED']);
  });

  test('leads from CANCELLING to an end alone: CANCELLED, or FAILED at a run timeout (P10)', () => {
    expect(reachable(jobLifecycle, 'CANCELLING')).toEqual(new Set(['CANCELLING', 'CANCELLED', 'FAILED']));
  });
});

describe('The lifecycle of a step', () => {
  test('ends as SUCCEEDED, FAILED, CANCELLED or SKIPPED', () => {
    expect(terminalStepStatuses).toEqual(['SUCCEEDED', 'FAILED', 'CANCELLED', 'SKIPPED']);
    expect(stepStatuses.filter(isTerminalStep)).toEqual(terminalStepStatuses);
  });

  test('can be claimed only while it is queued (P2)', () => {
    expect(stepStatusesThatAllow('claim')).toEqual(['QUEUED']);
    expect(nextStepStatus('QUEUED', 'claim')).toBe('RUNNING');
  });

  test('is completed only by a device that holds it', () => {
    expect(heldStepStatuses).toEqual(['RUNNING', 'CANCELLING']);
    expect(stepStatusesThatAllow('complete')).toEqual(heldStepStatuses);
  });

  test('never goes back to the queue once cancel was asked for', () => {
    expect(reachable(stepLifecycle, 'CANCELLING')).toEqual(new Set(['CANCELLING', 'SUCCEEDED', 'CANCELLED', 'FAILED']));
  });

  test('skips only what never ran', () => {
    expect(stepStatusesThatAllow('skip')).toEqual(['BLOCKED', 'QUEUED']);
  });
});
