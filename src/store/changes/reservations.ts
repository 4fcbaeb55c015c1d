/** Preemption, as changes see it: who waits, who could make room, and the notes of both. */
import { and, asc, desc, eq, isNotNull, sql } from 'drizzle-orm';
import { isWord } from '../schema/columns.ts';
import { type Placeholder, type Queries, statement } from '../store.ts';

/** Any step that could be told to make room, if there is one: what most passes end with. */
export const anyPreemptibleStep = statement('any preemptible step', (db, t) =>
  db
    .select({ id: t.steps.id })
    .from(t.steps)
    // As text: so it is in the partial index.
    .where(sql`${t.steps.isPreemptible} and ${t.steps.leaseDeviceId} is not null`)
    .limit(1),
);

/** The steps of a queue that others may be told to make room for, in the order of claims. */
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

/** Every step that a device holds, with what it asks of it and since when. */
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

/** Every queued step for which room is being made, or was made and not taken yet. */
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
    .where(and(isNotNull(t.steps.reservedDeviceId), isWord(t.steps.status, 'QUEUED')));

/** Notes that a step is to let go, so that another can have its place. */
export const requestEviction = statement('request eviction', (db, t, $: Placeholder<{ id: string; forId: string }>) =>
  db
    .update(t.steps)
    .set({ preemptedForId: $('forId', t.steps.preemptedForId) })
    .where(eq(t.steps.id, $('id'))),
);

/** Notes where room is made for a step, and by which steps; null and null: nowhere any more. */
export const reserve = statement(
  'reserve',
  (db, t, $: Placeholder<{ id: string; deviceId: string | null; displacedIds: readonly string[] | null }>) =>
    db
      .update(t.steps)
      .set({ reservedDeviceId: $('deviceId', t.steps.reservedDeviceId), displacedIds: $('displacedIds', t.steps.displacedIds) })
      .where(eq(t.steps.id, $('id'))),
);

/** Forgets what room was made on a device: it is not the device that it was. */
export const forgetReservations = statement('forget allReservations', (db, t, $: Placeholder<{ deviceId: string }>) =>
  db
    .update(t.steps)
    .set({ reservedDeviceId: null, displacedIds: null })
    .where(eq(t.steps.reservedDeviceId, $('deviceId'))),
);

/** A step of a job that a lease holds, if there is any. */
export const anyHeldStepOfJob = statement('any held step of job', (db, t, $: Placeholder<{ jobId: string }>) =>
  db
    .select({ id: t.steps.id })
    .from(t.steps)
    .where(and(eq(t.steps.jobId, $('jobId')), isNotNull(t.steps.leaseHash)))
    .limit(1),
);
