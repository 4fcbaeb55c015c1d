/** Steps, their queues, and their attempts. */
import { sql } from 'drizzle-orm';
import { attemptOutcomes, heldStepStatuses, statusReasons, stepStatuses } from '../../domain/core/lifecycle.ts';
import {
  type Container,
  type Label,
  type LogCounts,
  type Need,
  type Resources,
  type StepSource,
  stepParts,
} from '../../domain/core/vocabulary.ts';
import { isOneOf, type Kit } from './columns.ts';
import type { JobTables } from './jobs.ts';
import type { ProjectTables } from './projects.ts';

export function stepTables(kit: Kit, { projects, jobs }: ProjectTables & JobTables) {
  const { table, text, oneOf, int, long, real, bool, instant, json, longJson, index, unique, check, primaryKey } = kit;
  const cascade = { onDelete: 'cascade' } as const;
  const held = sql.raw(heldStepStatuses.map((status) => `'${status}'`).join(', '));

  /**
   * What steps ask of a device: project, pinned device, resources, labels, and how they run. Steps
   * with the same demand share a queue. So a claim looks at the head of each queue that its device
   * can serve, and never reads steps that it cannot run.
   */
  const queues = table(
    'queues',
    {
      /** A hash of the demand. */
      id: text().primaryKey(),
      /** The demand in canonical JSON. */
      demand: text().notNull(),
      projectId: text()
        .notNull()
        .references(() => projects.id, cascade),
      pinnedDeviceId: text(),
      resources: json<Resources>().notNull(),
      requiredLabels: json<readonly Label[]>().notNull(),
      /** Null: the queue is from before devices declared capabilities. */
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
      container: longJson<Container>(),
      queueId: text()
        .notNull()
        .references(() => queues.id),
      /** A copy of the job's, for the order of the queue. */
      priority: int().notNull(),
      maxAttempts: int().notNull(),
      /** For federated jobs: its round, and its part in it. */
      round: int(),
      part: oneOf(stepParts),
      /** The number of attempts so far. */
      attemptCount: int().notNull(),
      /** Attempts that their device reported as failed. They count against maxAttempts. */
      failedCount: int().notNull(),
      /** Attempts whose device was lost. They count against the limit of lost attempts. */
      lostCount: int().notNull(),
      /**
       * The event of the job that created the step, and its first status: the start of its
       * transitions.
       */
      createdSeq: long().notNull(),
      initialStatus: oneOf(stepStatuses).notNull(),
      createdAt: instant().notNull(),
      queuedAt: instant(),
      startedAt: instant(),
      finishedAt: instant(),
      /** The lease. All null unless the step is held. */
      leaseHash: text(),
      leaseDeviceId: text(),
      leaseExpiresAt: instant(),
      leaseSeconds: real(),
      /**
       * The step that this one is evicted for. Its device is told to give it back. Null: it is not
       * evicted.
       */
      preemptedForId: text(),
      /** A copy of the job's: whether it may be evicted. */
      isPreemptible: bool().notNull(),
      /** While it is QUEUED: the device reserved for it, and the steps evicted there. */
      reservedDeviceId: text(),
      displacedIds: json<readonly string[]>(),
      /** Stored bytes of the newest attempt's log. */
      logSize: long().notNull(),
      /** The files of earlier steps that it starts with. Null: none. */
      inputs: json<readonly StepSource[]>(),
      /** What its log holds over all attempts. Null: no text is counted yet. */
      logCounts: json<LogCounts>(),
    },
    (t) => [
      unique('steps_number').on(t.jobId, t.number),
      index('steps_queue').on(t.queueId, sql`${t.priority} desc`, t.queuedAt, t.id).where(sql`${t.status} = 'QUEUED'`),
      // Over all steps: the removal of a queue must check that it has none.
      index('steps_of_queue').on(t.queueId),
      index('steps_lease_expiry').on(t.leaseExpiresAt).where(sql`${t.leaseExpiresAt} is not null`),
      index('steps_device').on(t.leaseDeviceId).where(sql`${t.leaseDeviceId} is not null`),
      index('steps_reserved').on(t.reservedDeviceId).where(sql`${t.reservedDeviceId} is not null`),
      // Tells at once whether any step could be evicted.
      index('steps_preemptible').on(t.leaseDeviceId).where(sql`${t.isPreemptible} and ${t.leaseDeviceId} is not null`),
      check('steps_status_known', isOneOf(t.status, stepStatuses)),
      // A step has a lease exactly if its status says so.
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
