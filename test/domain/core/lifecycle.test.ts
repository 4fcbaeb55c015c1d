/**
 * The lifecycle tables are consistent. Their cells in the database: transitions.test.ts and
 * transitions-of-rounds.test.ts.
 */
import { describe, expect, test } from 'vitest';
import {
  fragmentLifecycle,
  fragmentStatuses,
  heldStepStatuses,
  isTerminalJob,
  isTerminalStep,
  jobLifecycle,
  jobStatuses,
  jobStatusesThatAllow,
  nextJobStatus,
  nextParticipantStatus,
  nextStepStatus,
  participantLifecycle,
  participantStatuses,
  participantStatusesThatAllow,
  roundLifecycle,
  roundStatuses,
  stepLifecycle,
  stepStatuses,
  stepStatusesThatAllow,
  terminalJobStatuses,
  terminalStepStatuses,
} from '../../../src/domain/core/lifecycle.ts';

type Lifecycle = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** All statuses that can follow this one. */
function reachable(lifecycle: Lifecycle, start: string): Set<string> {
  const seen = new Set([start]);
  for (const status of seen) for (const to of Object.values(lifecycle[status] ?? {})) seen.add(to);
  return seen;
}

interface Table {
  readonly noun: string;
  readonly lifecycle: Lifecycle;
  readonly statuses: readonly string[];
  readonly starts: readonly string[];
  readonly ends: readonly string[];
}
const tables: readonly Table[] = [
  { noun: 'job', lifecycle: jobLifecycle, statuses: jobStatuses, starts: ['QUEUED', 'BLOCKED'], ends: terminalJobStatuses },
  { noun: 'step', lifecycle: stepLifecycle, statuses: stepStatuses, starts: ['QUEUED', 'BLOCKED'], ends: terminalStepStatuses },
  { noun: 'round', lifecycle: roundLifecycle, statuses: roundStatuses, starts: ['TRAINING'], ends: ['SUCCEEDED', 'FAILED', 'CANCELLED'] },
  {
    noun: 'participant',
    lifecycle: participantLifecycle,
    statuses: participantStatuses,
    starts: ['INVITED'],
    ends: ['SUBMITTED', 'LATE', 'DROPPED'],
  },
  { noun: 'fragment', lifecycle: fragmentLifecycle, statuses: fragmentStatuses, starts: ['PENDING', 'READY'], ends: ['READY'] },
];

describe.each(tables)('The lifecycle of a $noun', ({ lifecycle, statuses, starts, ends }) => {
  test('leads only to statuses of its own', () => {
    for (const row of Object.values(lifecycle)) for (const to of Object.values(row)) expect(statuses).toContain(to);
  });

  test('reaches every status from those in which it can begin', () => {
    const reached = new Set(starts.flatMap((start) => [...reachable(lifecycle, start)]));
    expect([...reached].sort()).toEqual([...statuses].sort());
  });

  test('can end from everywhere', () => {
    for (const status of statuses) {
      expect([...reachable(lifecycle, status)].some((reached) => ends.includes(reached))).toBe(true);
    }
  });

  test('has no transition out of a final status', () => {
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

  test('accepts no new steps once it is being cancelled', () => {
    expect(jobStatusesThatAllow('addSteps')).toEqual(['BLOCKED', 'QUEUED', 'RUNNING', 'SUSPENDED']);
  });

  test('leads from CANCELLING only to a final status: CANCELLED, or FAILED at a run timeout (P10)', () => {
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

  test('never returns to the queue once cancel was requested', () => {
    expect(reachable(stepLifecycle, 'CANCELLING')).toEqual(new Set(['CANCELLING', 'SUCCEEDED', 'CANCELLED', 'FAILED']));
  });

  test('skips only a step that never ran', () => {
    expect(stepStatusesThatAllow('skip')).toEqual(['BLOCKED', 'QUEUED']);
  });
});

describe('The lifecycle of a participant', () => {
  // The end of a job drops open participants in one statement, which does not use the table.
  test('drops a device that may still submit a model, and no other', () => {
    expect(participantStatusesThatAllow('drop')).toEqual(['INVITED', 'TRAINING']);
    for (const status of participantStatusesThatAllow('drop')) expect(nextParticipantStatus(status, 'drop')).toBe('DROPPED');
  });

  test('accepts a model only from a device that holds its step', () => {
    expect(participantStatusesThatAllow('submit')).toEqual(['TRAINING']);
    expect(participantStatusesThatAllow('submitLate')).toEqual(['TRAINING']);
  });
});
