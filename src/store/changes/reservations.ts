/** Preemption, as changes read and write it: waiting steps, preemptible steps, reservations. */
import { and, asc, desc, eq, isNotNull, sql } from 'drizzle-orm';
import { isWord } from '../schema/columns.ts';
import type { Tables } from '../schema/tables.ts';
import { type Placeholder, type Queries, statement } from '../store.ts';

/** Returns a preemptible step that a device holds, if any. Most passes end here. */
export const anyPreemptibleStep = statement('any preemptible step', (db, t) =>
  db
    .select({ id: t.steps.id })
    .from(t.steps)
    // Written as SQL text, as in the partial index.
    .where(sql`${t.steps.isPreemptible} and ${t.steps.leaseDeviceId} is not null`)
    .limit(1),
);

/** The steps of a queue that others may be evicted for, in claim order. */
export const waitingInQueue = statement('waiting in queue', (db, t, $: Placeholder<{ queueId: string; limit: number }>) =>
  db
    .select({
      id: t.steps.id,
      projectId: t.steps.projectId,
      priority: t.steps.priority,
      queuedAt: t.steps.queuedAt,
      reservedDeviceId: t.steps.reservedDeviceId,
    })
    .from(t.steps)
    .where(and(eq(t.steps.queueId, $('queueId')), isWord(t.steps.status, 'QUEUED'), sql`not ${t.steps.isPreemptible}`))
    .orderBy(desc(t.steps.priority), asc(t.steps.queuedAt), asc(t.steps.id))
    .limit($('limit')),
);

/** Every step that a device holds, with its resources and the time it was claimed. */
export const stepsOnDevices = ({ db, t }: Queries) =>
  db
    .select({
      id: t.steps.id,
      deviceId: t.steps.leaseDeviceId,
      status: t.steps.status,
      priority: t.steps.priority,
      isPreemptible: t.steps.isPreemptible,
      preemptedForId: t.steps.preemptedForId,
      attempt: t.steps.attemptCount,
      claimedAt: t.attempts.claimedAt,
      resources: t.queues.resources,
    })
    .from(t.steps)
    .innerJoin(t.queues, eq(t.queues.id, t.steps.queueId))
    .innerJoin(t.attempts, and(eq(t.attempts.stepId, t.steps.id), eq(t.attempts.number, t.steps.attemptCount)))
    .where(isNotNull(t.steps.leaseDeviceId));

/** Every queued step with a reservation. */
export const anyReservation = statement('any reservation', (db, t) =>
  db.select({ id: t.steps.id }).from(t.steps).where(isReservation(t)).limit(1),
);

const isReservation = ({ steps }: Tables) => and(isNotNull(steps.reservedDeviceId), isWord(steps.status, 'QUEUED'));

export const allReservations = ({ db, t }: Queries) =>
  db
    .select({
      id: t.steps.id,
      deviceId: t.steps.reservedDeviceId,
      priority: t.steps.priority,
      queuedAt: t.steps.queuedAt,
      queueId: t.steps.queueId,
      resources: t.queues.resources,
    })
    .from(t.steps)
    .innerJoin(t.queues, eq(t.queues.id, t.steps.queueId))
    .where(isReservation(t));

/** Requests the eviction of a step, for another step. */
export const requestEviction = statement('request eviction', (db, t, $: Placeholder<{ id: string; forId: string }>) =>
  db
    .update(t.steps)
    .set({ preemptedForId: $('forId', t.steps.preemptedForId) })
    .where(eq(t.steps.id, $('id'))),
);

/**
 * Reserves a device for a step, and records the steps evicted for it. Null and null: ends the
 * reservation.
 */
export const reserve = statement(
  'reserve',
  (db, t, $: Placeholder<{ id: string; deviceId: string | null; displacedIds: readonly string[] | null }>) =>
    db
      .update(t.steps)
      .set({ reservedDeviceId: $('deviceId', t.steps.reservedDeviceId), displacedIds: $('displacedIds', t.steps.displacedIds) })
      .where(eq(t.steps.id, $('id'))),
);

/** Ends the reservations on a device whose registration changed. */
export const forgetReservations = statement('forget allReservations', (db, t, $: Placeholder<{ deviceId: string }>) =>
  db
    .update(t.steps)
    .set({ reservedDeviceId: null, displacedIds: null })
    .where(eq(t.steps.reservedDeviceId, $('deviceId'))),
);

/** Returns a step of a job that is under a lease, if any. */
export const anyHeldStepOfJob = statement('any held step of job', (db, t, $: Placeholder<{ jobId: string }>) =>
  db
    .select({ id: t.steps.id })
    .from(t.steps)
    .where(and(eq(t.steps.jobId, $('jobId')), isNotNull(t.steps.leaseHash)))
    .limit(1),
);
