/**
 * Steps, their attempts and queues, as changes read and write them: read under a lock, saved by
 * compare-and-swap.
 */
import { and, asc, desc, eq, isNotNull, isNull, lte, or } from 'drizzle-orm';
import { type StepStatus, unfinishedStepStatuses } from '../../domain/core/lifecycle.ts';
import { isOneOf, isWord } from '../schema/columns.ts';
import type { QueueRow, StepRow } from '../schema/tables.ts';
import { insertOf } from '../statements/inserts.ts';
import { rowsChanged, updateOf } from '../statements/updates.ts';
import { type Placeholder, type Statement, statement, type Tx } from '../store.ts';

export const insertStep = insertOf('steps', { sizes: [8, 1] });
export const insertAttempt = insertOf('attempts');

export const lockStep = statement('lock step', (db, t, $: Placeholder<{ id: string }>, { lock }) =>
  lock(
    db
      .select()
      .from(t.steps)
      .where(eq(t.steps.id, $('id'))),
    'wait',
  ),
);

/** The same with its job, which is locked after it, unless the step belongs to a round. */
export const lockStepOutsideRounds = statement('lock step outside rounds', (db, t, $: Placeholder<{ id: string }>, { lock }) =>
  lock(
    db
      .select({ step: t.steps, job: t.jobs })
      .from(t.steps)
      .innerJoin(t.jobs, eq(t.jobs.id, t.steps.jobId))
      .where(and(eq(t.steps.id, $('id')), isNull(t.steps.part))),
    'wait',
  ),
);

export const lockStepByNumber = statement('lock step by number', (db, t, $: Placeholder<{ jobId: string; number: number }>, { lock }) =>
  lock(
    db
      .select()
      .from(t.steps)
      .where(and(eq(t.steps.jobId, $('jobId')), eq(t.steps.number, $('number')))),
    'wait',
  ),
);

export const lockStepsOfJob = statement('lock steps of job', (db, t, $: Placeholder<{ jobId: string }>, { lock }) =>
  lock(
    db
      .select()
      .from(t.steps)
      .where(eq(t.steps.jobId, $('jobId')))
      .orderBy(asc(t.steps.number)),
    'wait',
  ),
);

/** Sorted by number: the steps of a job are always locked in this order. */
export const lockUnfinishedSteps = statement('lock unfinished steps', (db, t, $: Placeholder<{ jobId: string }>, { lock }) =>
  lock(
    db
      .select()
      .from(t.steps)
      .where(and(eq(t.steps.jobId, $('jobId')), isOneOf(t.steps.status, unfinishedStepStatuses)))
      .orderBy(asc(t.steps.number)),
    'wait',
  ),
);

export const stepsOfJobInOrder = statement('steps of job in order', (db, t, $: Placeholder<{ jobId: string }>) =>
  db
    .select()
    .from(t.steps)
    .where(eq(t.steps.jobId, $('jobId')))
    .orderBy(asc(t.steps.number)),
);

/** The next step of a job, if it waits for an earlier one. */
export const lockNextBlockedStep = statement('lock next blocked step', (db, t, $: Placeholder<{ jobId: string }>, { lock }) =>
  lock(
    db
      .select()
      .from(t.steps)
      .where(and(eq(t.steps.jobId, $('jobId')), isWord(t.steps.status, 'BLOCKED')))
      .orderBy(asc(t.steps.number))
      .limit(1),
    'wait',
  ),
);

/** Everything about a step that a transition can change. */
const saved = [
  'status',
  'statusMessage',
  'attemptCount',
  'failedCount',
  'lostCount',
  'queuedAt',
  'startedAt',
  'finishedAt',
  'leaseHash',
  'leaseDeviceId',
  'leaseExpiresAt',
  'leaseSeconds',
  'preemptedForId',
  'reservedDeviceId',
  'displacedIds',
  'logSize',
] as const satisfies readonly (keyof StepRow)[];

/** Saves what has changed, if status and attempt are still the ones that were read. */
const saveChanged = updateOf<Pick<StepRow, (typeof saved)[number]>, Statement<StepRow & Before, unknown>>(saved, (set, number) =>
  statement(`save step ${number}`, (db, t, $: Placeholder<StepRow & Before>) =>
    db
      .update(t.steps)
      .set(Object.fromEntries(set.map((name) => [name, $(name, t.steps[name])])))
      .where(and(eq(t.steps.id, $('id')), eq(t.steps.status, $('fromStatus')), eq(t.steps.attemptCount, $('fromAttempt')))),
  ),
);

interface Before {
  readonly fromStatus: StepStatus;
  readonly fromAttempt: number;
}

/** Calls `refuse`, which throws, if another transaction moved the step since it was read. */
export function saveStep(tx: Tx, before: StepRow, after: StepRow, refuse: () => never): Promise<void> {
  const from = { fromStatus: before.status, fromAttempt: before.attemptCount };
  return tx.runLater(saveChanged(before, after), { ...after, ...from }, (result) => {
    if (rowsChanged(result) !== 1) refuse();
  });
}

export const saveAttempt = statement(
  'save attempt',
  (
    db,
    t,
    $: Placeholder<{
      stepId: string;
      number: number;
      outcome: string;
      reason: string | null;
      description: string;
      exitCode: number | null;
      finishedAt: Date | null;
    }>,
  ) =>
    db
      .update(t.attempts)
      .set({
        outcome: $('outcome', t.attempts.outcome),
        reason: $('reason', t.attempts.reason),
        description: $('description', t.attempts.description),
        exitCode: $('exitCode', t.attempts.exitCode),
        finishedAt: $('finishedAt', t.attempts.finishedAt),
      })
      .where(and(eq(t.attempts.stepId, $('stepId')), eq(t.attempts.number, $('number')))),
);

export const extendAttempt = statement(
  'extend attempt',
  (db, t, $: Placeholder<{ stepId: string; number: number; leaseExpiresAt: Date }>) =>
    db
      .update(t.attempts)
      .set({ leaseExpiresAt: $('leaseExpiresAt', t.attempts.leaseExpiresAt) })
      .where(and(eq(t.attempts.stepId, $('stepId')), eq(t.attempts.number, $('number')))),
);

export const extendLease = statement('extend lease', (db, t, $: Placeholder<{ id: string; leaseExpiresAt: Date; leaseSeconds: number }>) =>
  db
    .update(t.steps)
    .set({ leaseExpiresAt: $('leaseExpiresAt', t.steps.leaseExpiresAt), leaseSeconds: $('leaseSeconds', t.steps.leaseSeconds) })
    .where(eq(t.steps.id, $('id'))),
);

/** Saves what a report changes in a held step. */
export const saveReport = statement(
  'save report',
  (db, t, $: Placeholder<Pick<StepRow, 'id' | 'statusMessage' | 'logSize' | 'logCounts'>>) =>
    db
      .update(t.steps)
      .set({
        statusMessage: $('statusMessage', t.steps.statusMessage),
        logSize: $('logSize', t.steps.logSize),
        logCounts: $('logCounts', t.steps.logCounts),
      })
      .where(eq(t.steps.id, $('id'))),
);

/** Creates a queue unless it exists. */
export const ensureQueue = statement('ensure queue', (db, t, $: Placeholder<QueueRow>) =>
  db
    .insert(t.queues)
    .values({
      id: $('id'),
      demand: $('demand'),
      projectId: $('projectId'),
      pinnedDeviceId: $('pinnedDeviceId'),
      resources: $('resources'),
      requiredLabels: $('requiredLabels'),
      need: $('need'),
    })
    .onConflictDoNothing(),
);

export const queueById = statement('queue by id', (db, t, $: Placeholder<{ id: string }>) =>
  db
    .select()
    .from(t.queues)
    .where(eq(t.queues.id, $('id'))),
);

export const queuesOfProject = statement('queues of project', (db, t, $: Placeholder<{ projectId: string }>) =>
  db
    .select()
    .from(t.queues)
    .where(eq(t.queues.projectId, $('projectId'))),
);

export const allQueues = statement('all queues', (db, t) => db.select().from(t.queues));

/** The head of a queue: the step that would be claimed first. Not locked. */
export const headOfQueue = statement('head of queue', (db, t, $: Placeholder<{ queueId: string; limit: number }>) =>
  db
    .select({ id: t.steps.id, priority: t.steps.priority, queuedAt: t.steps.queuedAt, part: t.steps.part })
    .from(t.steps)
    .where(and(eq(t.steps.queueId, $('queueId')), isWord(t.steps.status, 'QUEUED')))
    .orderBy(desc(t.steps.priority), asc(t.steps.queuedAt), asc(t.steps.id))
    .limit($('limit')),
);

/**
 * Locks the head of a queue. Skips steps that another claim has locked, so that concurrent claims
 * do not wait for each other.
 */
export const lockHeadOfQueue = statement('lock head of queue', (db, t, $: Placeholder<{ queueId: string; limit: number }>, { lock }) =>
  lock(
    db
      .select()
      .from(t.steps)
      .where(and(eq(t.steps.queueId, $('queueId')), isWord(t.steps.status, 'QUEUED')))
      .orderBy(desc(t.steps.priority), asc(t.steps.queuedAt), asc(t.steps.id))
      .limit($('limit')),
    'skip',
  ),
);

/** The steps that a device holds, with their resources. */
export const heldByDevice = statement('held by device', (db, t, $: Placeholder<{ deviceId: string }>) =>
  db
    .select({ stepId: t.steps.id, resources: t.queues.resources })
    .from(t.steps)
    .innerJoin(t.queues, eq(t.queues.id, t.steps.queueId))
    .where(eq(t.steps.leaseDeviceId, $('deviceId'))),
);

/** The same, and the queued steps with a reservation on the device. Those are QUEUED. */
export const loadOfDevice = statement('load of device', (db, t, $: Placeholder<{ deviceId: string }>) =>
  db
    .select({
      id: t.steps.id,
      status: t.steps.status,
      priority: t.steps.priority,
      queuedAt: t.steps.queuedAt,
      queueId: t.steps.queueId,
      resources: t.queues.resources,
    })
    .from(t.steps)
    .innerJoin(t.queues, eq(t.queues.id, t.steps.queueId))
    .where(
      or(eq(t.steps.leaseDeviceId, $('deviceId')), and(eq(t.steps.reservedDeviceId, $('deviceId')), isWord(t.steps.status, 'QUEUED'))),
    ),
);

/** Locks a queued step, unless another claim has locked it. */
export const lockQueuedStep = statement('lock queued step', (db, t, $: Placeholder<{ id: string }>, { lock }) =>
  lock(
    db
      .select()
      .from(t.steps)
      .where(and(eq(t.steps.id, $('id')), isWord(t.steps.status, 'QUEUED'))),
    'skip',
  ),
);

/** Expired leases, the oldest first. */
export const expiredLeases = statement('expired leases', (db, t, $: Placeholder<{ now: Date; limit: number }>) =>
  db
    .select({ id: t.steps.id })
    .from(t.steps)
    .where(and(isNotNull(t.steps.leaseExpiresAt), lte(t.steps.leaseExpiresAt, $('now', t.steps.leaseExpiresAt))))
    .orderBy(asc(t.steps.leaseExpiresAt))
    .limit($('limit')),
);

export const anyQueuedStep = statement('any queued step', (db, t) =>
  db.select({ id: t.steps.id }).from(t.steps).where(isWord(t.steps.status, 'QUEUED')).limit(1),
);

/** When the next lease expires. */
export const nextExpiry = statement('next expiry', (db, t) =>
  db
    .select({ at: t.steps.leaseExpiresAt })
    .from(t.steps)
    .where(isNotNull(t.steps.leaseExpiresAt))
    .orderBy(asc(t.steps.leaseExpiresAt))
    .limit(1),
);

export const setPriorityOfSteps = statement('set priority of steps', (db, t, $: Placeholder<{ jobId: string; priority: number }>) =>
  db
    .update(t.steps)
    .set({ priority: $('priority', t.steps.priority) })
    .where(eq(t.steps.jobId, $('jobId'))),
);
