/** Steps with their attempts and demands, and the items of jobs. */
import { and, asc, eq, getTableColumns, inArray } from 'drizzle-orm';
import { heldStepStatuses } from '../../domain/core/lifecycle.ts';
import { isOneOf, isWord } from '../schema/columns.ts';
import type { AttemptRow, JobItemRow, QueueRow, StepRow, Tables } from '../schema/tables.ts';
import { batch } from '../statements/batch.ts';
import { forEachChoice, pickColumns } from '../statements/choice.ts';
import { type Placeholder, statement } from '../store.ts';

/**
 * A step for readers, without the state of its lease and its counters. They are a third of its
 * columns, and only changes need them.
 */
export type ShownStep = Omit<
  StepRow,
  | 'leaseHash'
  | 'leaseDeviceId'
  | 'leaseExpiresAt'
  | 'leaseSeconds'
  | 'preemptedForId'
  | 'isPreemptible'
  | 'reservedDeviceId'
  | 'displacedIds'
  | 'logSize'
  | 'logCounts'
  | 'attemptCount'
  | 'failedCount'
  | 'lostCount'
>;

function shownStepColumns(t: Tables) {
  const {
    leaseHash: _hash,
    leaseDeviceId: _deviceId,
    leaseExpiresAt: _expiresAt,
    leaseSeconds: _seconds,
    preemptedForId: _preemptedForId,
    isPreemptible: _isPreemptible,
    reservedDeviceId: _reservedDeviceId,
    displacedIds: _displacedIds,
    logSize: _logSize,
    logCounts: _logCounts,
    attemptCount: _attempts,
    failedCount: _failed,
    lostCount: _lost,
    ...shown
  } = getTableColumns(t.steps);
  return shown;
}

export const stepsById = batch<ShownStep>('steps by id', (db, t, ids) =>
  db.select(shownStepColumns(t)).from(t.steps).where(inArray(t.steps.id, ids)),
);

/** Ordered by number, with the chosen columns. */
export const stepsOfJobs = forEachChoice((choice) =>
  batch<ShownStep>(
    `steps of jobs: ${choice.name}`,
    (db, t, jobIds) =>
      db
        .select(pickColumns(shownStepColumns(t), choice, ['jobId']))
        .from(t.steps)
        .where(inArray(t.steps.jobId, jobIds))
        .orderBy(asc(t.steps.jobId), asc(t.steps.number)),
    { isList: true },
  ),
);

/** The first steps of a job that are held, by number. */
export const heldSteps = statement('held steps of job', (db, t, $: Placeholder<{ jobId: string }>) =>
  db
    .select()
    .from(t.steps)
    .where(and(eq(t.steps.jobId, $('jobId')), isOneOf(t.steps.status, heldStepStatuses)))
    .orderBy(asc(t.steps.number))
    .limit(MOST_HELD),
);

/** More run at once in federated jobs alone, where they are looked up by their numbers. */
const MOST_HELD = 100;

/** Ordered by number. */
export const attemptsOfSteps = batch<AttemptRow>(
  'attempts of steps',
  (db, t, stepIds) =>
    db.select().from(t.attempts).where(inArray(t.attempts.stepId, stepIds)).orderBy(asc(t.attempts.stepId), asc(t.attempts.number)),
  { isList: true },
);

/** The jobs with a running aggregation. */
export const jobsThatAggregate = batch<{ jobId: string }>('jobs that aggregate', (db, t, jobIds) =>
  db
    .select({ jobId: t.steps.jobId })
    .from(t.steps)
    .where(and(inArray(t.steps.jobId, jobIds), isWord(t.steps.part, 'AGGREGATE'), isWord(t.steps.status, 'RUNNING'))),
);

export const queuesById = batch<QueueRow>('queues by id', (db, t, ids) => db.select().from(t.queues).where(inArray(t.queues.id, ids)));

/** In the order in which they were given. */
export const itemsOfJobs = batch<JobItemRow>(
  'items of jobs',
  (db, t, jobIds) =>
    db.select().from(t.jobItems).where(inArray(t.jobItems.jobId, jobIds)).orderBy(asc(t.jobItems.jobId), asc(t.jobItems.position)),
  { isList: true },
);

export const itemsById = batch<JobItemRow>('items by id', (db, t, ids) => db.select().from(t.jobItems).where(inArray(t.jobItems.id, ids)));
