/** Steps, the queues that they wait in, and their attempts. */
import { sql } from 'drizzle-orm';
import { attemptOutcomes, heldStepStatuses, statusReasons, stepStatuses } from '../../domain/core/lifecycle.ts';
import { type Container, type Label, type Need, type Resources, stepParts } from '../../domain/core/vocabulary.ts';
import { isOneOf, type Kit } from './columns.ts';
import type { JobTables } from './jobs.ts';
import type { ProjectTables } from './projects.ts';

export function stepTables(kit: Kit, { projects, jobs }: ProjectTables & JobTables) {
  const { table, text, oneOf, int, long, real, bool, instant, json, index, unique, check, primaryKey } = kit;
  const cascade = { onDelete: 'cascade' } as const;
  const held = sql.raw(heldStepStatuses.map((status) => `'${status}'`).join(', '));

  /**
   * What a set of steps asks of a device: project, pinned device, resources, labels, how it is run. Steps that ask the same stand in the same queue, so that a
   * claim looks at the head of each queue that its device can serve, and never walks over steps that it cannot run.
   */
  const queues = table(
    'queues',
    {
      /** Follows from the demand: its hash. */
      id: text().primaryKey(),
      /** The demand in canonical JSON. */
      demand: text().notNull(),
      projectId: text()
        .notNull()
        .references(() => projects.id, cascade),
      pinnedDeviceId: text(),
      resources: json<Resources>().notNull(),
      requiredLabels: json<readonly Label[]>().notNull(),
      /** Null: of a queue from before devices said what they can run. */
      need: json<Need>(),
    },
    (t) => [
      index('queues_project').on(t.projectId),
      index('queues_pinned').on(t.pinnedDeviceId).where(sql`${t.pinnedDeviceId} is not null`),
    ],
  );

  const steps = table(
    'steps',
    {
      id: text().primaryKey(),
      jobId: text()
        .notNull()
        .references(() => jobs.id, cascade),
      projectId: text().notNull(),
      number: int().notNull(),
      name: text().notNull(),
      status: oneOf(stepStatuses).notNull(),
      statusMessage: text(),
      container: json<Container>(),
      queueId: text()
        .notNull()
        .references(() => queues.id),
      /** The job's, copied for the order of the queue. */
      priority: int().notNull(),
      maxAttempts: int().notNull(),
      /** Of a federated job: the round that it belongs to, and its part in it. */
      round: int(),
      part: oneOf(stepParts),
      /** Attempts so far: the newest one's number. */
      attemptCount: int().notNull(),
      /** Attempts that their device reported as failed: counted against maxAttempts. */
      failedCount: int().notNull(),
      /** Attempts whose device was lost: counted against the limit of lost attempts. */
      lostCount: int().notNull(),
      /** The job's event in which it came to be, and the status that it had then: the start of its transitions. */
      createdSeq: long().notNull(),
      initialStatus: oneOf(stepStatuses).notNull(),
      createdAt: instant().notNull(),
      queuedAt: instant(),
      startedAt: instant(),
      finishedAt: instant(),
      /** The lease: all null unless the step is held. */
      leaseHash: text(),
      leaseDeviceId: text(),
      leaseExpiresAt: instant(),
      leaseSeconds: real(),
      /** The step that is to have this one's place: its device is told to let go. Null: it may go on. */
      preemptedForId: text(),
      /** The job's, copied: whether it may be told to make room. */
      isPreemptible: bool().notNull(),
      /** The device on which others were told to make room for this one, while it is QUEUED; and the steps that were told. */
      reservedDeviceId: text(),
      displacedIds: json<readonly string[]>(),
      /** Bytes of the newest attempt's log that are stored. */
      logSize: long().notNull(),
    },
    (t) => [
      unique('steps_number').on(t.jobId, t.number),
      index('steps_queue').on(t.queueId, sql`${t.priority} desc`, t.queuedAt, t.id).where(sql`${t.status} = 'QUEUED'`),
      // Of all steps: who removes a queue has to know that it has none.
      index('steps_of_queue').on(t.queueId),
      index('steps_lease_expiry').on(t.leaseExpiresAt).where(sql`${t.leaseExpiresAt} is not null`),
      index('steps_device').on(t.leaseDeviceId).where(sql`${t.leaseDeviceId} is not null`),
      index('steps_reserved').on(t.reservedDeviceId).where(sql`${t.reservedDeviceId} is not null`),
      // Tells at once whether there is anyone who could be told to make room.
      index('steps_preemptible').on(t.leaseDeviceId).where(sql`${t.isPreemptible} and ${t.leaseDeviceId} is not null`),
      check('steps_status_known', isOneOf(t.status, stepStatuses)),
      // A lease holds a step exactly while its status says so.
      check('steps_held', sql`(${t.leaseHash} is not null) = (${t.status} in (${held}))`),
    ],
  );

  const attempts = table(
    'attempts',
    {
      stepId: text()
        .notNull()
        .references(() => steps.id, cascade),
      number: int().notNull(),
      jobId: text().notNull(),
      deviceId: text(),
      outcome: oneOf(attemptOutcomes).notNull(),
      reason: oneOf(statusReasons),
      description: text().notNull(),
      exitCode: int(),
      claimedAt: instant().notNull(),
      leaseExpiresAt: instant().notNull(),
      finishedAt: instant(),
    },
    (t) => [
      primaryKey({ columns: [t.stepId, t.number] }),
      index('attempts_device').on(t.deviceId, t.claimedAt, t.stepId),
      check('attempts_outcome', isOneOf(t.outcome, attemptOutcomes)),
    ],
  );

  return { queues, steps, attempts };
}
