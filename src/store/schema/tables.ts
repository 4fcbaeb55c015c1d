/**
 * Every table, declared once for both databases.
 *
 * The stream tables (events, metric points, telemetry, log) are append-only and numbered per job without holes; they carry no foreign keys,
 * since checking the same parent for each of a million rows buys nothing that the one writer of each table does not already guarantee.
 */

import { sql } from 'drizzle-orm';
import type { AnySQLiteColumn } from 'drizzle-orm/sqlite-core';
import {
  attemptOutcomes,
  fragmentStatuses,
  heldStepStatuses,
  jobStatuses,
  type ParticipantStatus,
  participantStatuses,
  participantStatusesThatAllow,
  roundStatuses,
  type StatusReason,
  statusReasons,
  stepStatuses,
} from '../../domain/core/lifecycle.ts';
import {
  type AuditChanges,
  auditActions,
  auditSubjectTypes,
  type Capabilities,
  type Container,
  deviceKinds,
  deviceSelectionStrategies,
  eventTypes,
  fragmentTypes,
  type ItemDefinition,
  itemValueTypes,
  jobInitiators,
  jobTypes,
  type Label,
  logStreams,
  type Need,
  principalKinds,
  type Resources,
  roles,
  type SettingSource,
  type StepTemplate,
  settingSources,
  stepParts,
  streamKinds,
  type TerminationCriterion,
} from '../../domain/core/vocabulary.ts';
import { isOneOf, isWord, type Kit } from './columns.ts';

export type Tables = ReturnType<typeof defineTables>;

export function defineTables(kit: Kit) {
  const { table, text, oneOf, int, long, real, bool, instant, json, index, unique, check, primaryKey } = kit;
  const cascade = { onDelete: 'cascade' } as const;
  const held = sql.raw(heldStepStatuses.map((status) => `'${status}'`).join(', '));

  /** One row of each: this store's identity, its secret for signed URLs. */
  const meta = table('meta', { key: text().primaryKey(), value: text().notNull() });

  const projects = table('projects', {
    id: text().primaryKey(),
    name: text().notNull(),
    gitRepository: text(),
    pipeline: json<readonly StepTemplate[]>().notNull(),
    createdAt: instant().notNull(),
    updatedAt: instant().notNull(),
  });

  const devices = table(
    'devices',
    {
      id: text().primaryKey(),
      projectId: text().references(() => projects.id, cascade),
      /** '' where there is no project: NULLs would not be unique. */
      projectKey: text().notNull(),
      name: text().notNull(),
      kind: oneOf(deviceKinds).notNull(),
      labels: json<readonly Label[]>().notNull(),
      resources: json<Resources>().notNull(),
      slots: int().notNull(),
      isDraining: bool().notNull(),
      /** Null: it said nothing of them, and is taken to run all. */
      capabilities: json<Capabilities>(),
      /** Written at most every few seconds: see `noteSeen`. */
      lastSeenAt: instant(),
      createdAt: instant().notNull(),
      updatedAt: instant().notNull(),
    },
    (t) => [
      unique('devices_name').on(t.projectKey, t.name),
      index('devices_project').on(t.projectId, t.id),
      check('devices_kind', isOneOf(t.kind, deviceKinds)),
    ],
  );

  /** The catalogue: the items and settings that a kind of job takes. */
  const applications = table(
    'applications',
    {
      id: text().primaryKey(),
      name: text().notNull(),
      description: text(),
      itemDefinitions: json<readonly ItemDefinition[]>().notNull(),
      settingsSchema: json<Record<string, unknown>>(),
      container: json<Container>(),
      supportsContinualTraining: bool().notNull(),
      createdAt: instant().notNull(),
      updatedAt: instant().notNull(),
    },
    (t) => [unique('applications_name').on(t.name)],
  );

  /** An ordered queue of jobs, each of which starts from the model that the one before it produced. */
  const experiments = table(
    'experiments',
    {
      id: text().primaryKey(),
      projectId: text()
        .notNull()
        .references(() => projects.id, cascade),
      name: text().notNull(),
      hyperparameters: json<Record<string, unknown>>().notNull(),
      /** A fragment; what the first job starts from. */
      startModelId: text(),
      createdAt: instant().notNull(),
      updatedAt: instant().notNull(),
    },
    (t) => [
      index('experiments_project').on(t.projectId, t.id),
      index('experiments_start_model').on(t.startModelId).where(sql`${t.startModelId} is not null`),
    ],
  );

  const jobs = table(
    'jobs',
    {
      id: text().primaryKey(),
      projectId: text()
        .notNull()
        .references(() => projects.id, cascade),
      name: text().notNull(),
      description: text(),
      type: oneOf(jobTypes).notNull(),
      initiator: oneOf(jobInitiators).notNull(),
      status: oneOf(jobStatuses).notNull(),
      statusMessage: text(),
      /** Of the newest change of status. */
      reason: oneOf(statusReasons).notNull(),
      reasonDescription: text().notNull(),
      exitCode: int(),
      owner: text().notNull(),
      priority: int().notNull(),
      labels: json<readonly Label[]>().notNull(),
      isPreemptible: bool().notNull(),
      scheduleTimeoutSeconds: real(),
      runTimeoutSeconds: real(),
      container: json<Container>(),
      settings: json<Record<string, unknown>>().notNull(),
      settingsWarnings: json<readonly string[]>().notNull(),
      output: json<Record<string, unknown>>(),
      /** Where each effective setting came from, by its dot path. */
      settingsSources: json<Readonly<Record<string, SettingSource>>>().notNull(),
      applicationId: text(),
      experimentId: text(),
      datasetId: text(),
      datasetVersionId: text(),
      /** The model that the finished job is added to; set when it is made for a new one. */
      modelId: text(),
      modelVersionId: text(),
      startModelVersionId: text(),
      /** A fragment; what the job starts from: of its model version, its experiment or its federation. */
      startModelId: text(),
      /** A fragment; what it produced: its newest model, or the aggregate of its last round. */
      resultModelId: text(),
      isFederated: bool().notNull(),
      /** The createJob input that made it, for retryJob. */
      input: json<Record<string, unknown>>().notNull(),
      cpuStartedAt: instant(),
      cpuEndedAt: instant(),
      gpuStartedAt: instant(),
      gpuEndedAt: instant(),
      httpUrl: text(),
      sshServer: text(),
      internalHostname: text(),
      /** Of the newest attempt at any of its steps. */
      deviceId: text(),
      cancelReason: text(),
      stepCount: int().notNull(),
      createdAt: instant().notNull(),
      updatedAt: instant().notNull(),
      startedAt: instant(),
      finishedAt: instant(),
      /** The next moment at which the clock has something to do with this job: schedule, run or cancel timeout. */
      deadlineAt: instant(),
    },
    (t) => [
      index('jobs_project').on(t.projectId, t.id),
      index('jobs_project_status').on(t.projectId, t.status, t.id),
      index('jobs_status').on(t.status, t.id),
      index('jobs_updated').on(t.updatedAt, t.id),
      index('jobs_project_updated').on(t.projectId, t.updatedAt, t.id),
      index('jobs_priority').on(t.priority, t.id),
      index('jobs_name').on(t.name, t.id),
      index('jobs_experiment').on(t.experimentId, t.id).where(sql`${t.experimentId} is not null`),
      index('jobs_start_model').on(t.startModelId).where(sql`${t.startModelId} is not null`),
      index('jobs_application').on(t.applicationId, t.id).where(sql`${t.applicationId} is not null`),
      // Serves the rounds of retention over what still runs.
      index('jobs_open').on(t.id).where(sql`${t.finishedAt} is null`),
      index('jobs_deadline').on(t.deadlineAt).where(sql`${t.deadlineAt} is not null`),
      check('jobs_status_known', isOneOf(t.status, jobStatuses)),
      check('jobs_type_known', isOneOf(t.type, jobTypes)),
    ],
  );

  /** What jobs are filtered by; what is shown is the copy on the row itself. */
  const jobLabels = table(
    'job_labels',
    {
      jobId: text()
        .notNull()
        .references(() => jobs.id, cascade),
      key: text().notNull(),
      value: text().notNull(),
    },
    (t) => [primaryKey({ columns: [t.jobId, t.key] }), index('job_labels_value').on(t.key, t.value, t.jobId)],
  );

  const jobItems = table(
    'job_items',
    {
      id: text().primaryKey(),
      jobId: text()
        .notNull()
        .references(() => jobs.id, cascade),
      position: int().notNull(),
      name: text().notNull(),
      description: text(),
      label: text(),
      value: text().notNull(),
      defaultValue: text(),
      valueType: oneOf(itemValueTypes).notNull(),
      source: oneOf(settingSources).notNull(),
      createdAt: instant().notNull(),
      updatedAt: instant().notNull(),
    },
    (t) => [unique('job_items_name').on(t.jobId, t.name)],
  );

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

  const fragments = table(
    'fragments',
    {
      id: text().primaryKey(),
      projectId: text()
        .notNull()
        .references(() => projects.id, cascade),
      jobId: text().references(() => jobs.id, cascade),
      stepId: text(),
      stepNumber: int(),
      attempt: int(),
      deviceId: text(),
      /** The job's id, or the project's for a file of its own: the scope in which a filename is used once. */
      scopeId: text().notNull(),
      filename: text().notNull(),
      /** Folded to lower case: case does not matter. */
      filenameKey: text().notNull(),
      name: text().notNull(),
      type: oneOf(fragmentTypes).notNull(),
      status: oneOf(fragmentStatuses).notNull(),
      contentType: text().notNull(),
      /** Announced while PENDING, as stored when READY. */
      sizeBytes: long(),
      sha256: text(),
      /** The principal that announced it. */
      owner: text().notNull(),
      createdAt: instant().notNull(),
      readyAt: instant(),
    },
    (t) => [
      unique('fragments_filename').on(t.scopeId, t.filenameKey),
      index('fragments_job').on(t.jobId, t.id),
      index('fragments_project_filename').on(t.projectId, t.filenameKey, t.readyAt),
      check('fragments_status', isOneOf(t.status, fragmentStatuses)),
      check('fragments_type', isOneOf(t.type, fragmentTypes)),
    ],
  );

  /**
   * How far each stream of a job has come. The row of `feedOfAllJobs` counts the positions of the feed across jobs. Numbers are given without
   * holes, so a number up to `last` that has no row is one that retention has removed.
   */
  const streams = table(
    'streams',
    {
      jobId: text().notNull(),
      kind: oneOf(streamKinds).notNull(),
      /** The last number given. */
      last: long().notNull(),
      /** The first from which on nothing but thinning has removed any. Of the feed: 1. */
      first: long().notNull(),
      /** How many retention has removed. */
      removed: long().notNull().default(0),
      /** The number up to which it has been thinned. Of the feed: the newest position that was removed. */
      thinned: long().notNull().default(0),
      /** Of a log: the bytes that are stored. */
      bytes: long().notNull().default(0),
      /** Up to here, cursors of the store that this one was restored from are good. */
      inherited: long().notNull().default(0),
    },
    (t) => [primaryKey({ columns: [t.jobId, t.kind] })],
  );

  /**
   * The places of the feed whose events retention has removed, by project, so that whoever comes with an old cursor is told how many. A row tells of
   * so many positions (`GAP_BLOCK`) as runs from one to another, both included: a few bytes for each event.
   */
  const feedGaps = table(
    'feed_gaps',
    {
      projectId: text().notNull(),
      /** The block's first position, divided by its size. */
      block: long().notNull(),
      count: int().notNull(),
      runs: json<readonly (readonly [from: number, to: number])[]>().notNull(),
    },
    (t) => [primaryKey({ columns: [t.projectId, t.block] }), index('feed_gaps_block').on(t.block)],
  );

  const events = table(
    'events',
    {
      jobId: text().notNull(),
      seq: long().notNull(),
      /** Its place in the feed across jobs, in commit order. Below zero on PostgreSQL until it has one: see `Dialect.arrival`. */
      position: long().notNull(),
      projectId: text().notNull(),
      type: oneOf(eventTypes).notNull(),
      at: instant().notNull(),
      actor: text().notNull(),
      stepId: text(),
      fragmentId: text(),
      from: text().$type<string | null>(),
      to: text().$type<string | null>(),
      attempt: int(),
      reason: oneOf(statusReasons).$type<StatusReason>(),
      description: text().notNull(),
      exitCode: int(),
      /** Of JOB_UPDATED: the fields that changed; of STEPS_ADDED: the steps' numbers. */
      details: json<readonly string[]>(),
    },
    (t) => [
      primaryKey({ columns: [t.jobId, t.seq] }),
      unique('events_position').on(t.position),
      index('events_project').on(t.projectId, t.position),
      index('events_step').on(t.stepId, t.seq).where(sql`${t.stepId} is not null`),
      check('events_type', isOneOf(t.type, eventTypes)),
    ],
  );

  const metricPoints = table(
    'metric_points',
    {
      jobId: text().notNull(),
      seq: long().notNull(),
      stepNumber: int().notNull(),
      attempt: int().notNull(),
      name: text().notNull(),
      value: real().notNull(),
      iteration: long(),
      at: instant().notNull(),
    },
    (t) => [
      primaryKey({ columns: [t.jobId, t.seq] }),
      // Serves the curve of a metric, and makes a point that is reported twice one point.
      unique('metric_points_iteration').on(t.jobId, t.name, t.iteration, t.stepNumber, t.attempt),
    ],
  );

  /** The newest value of each metric of each step. */
  const latestMetrics = table(
    'latest_metrics',
    {
      jobId: text()
        .notNull()
        .references(() => jobs.id, cascade),
      stepNumber: int().notNull(),
      name: text().notNull(),
      attempt: int().notNull(),
      value: real().notNull(),
      iteration: long(),
      at: instant().notNull(),
      seq: long().notNull(),
      /** Points of this metric of this step that retention has removed. */
      removed: long().notNull().default(0),
    },
    (t) => [primaryKey({ columns: [t.jobId, t.stepNumber, t.name] })],
  );

  const telemetrySamples = table(
    'telemetry_samples',
    {
      jobId: text().notNull(),
      seq: long().notNull(),
      stepNumber: int().notNull(),
      attempt: int().notNull(),
      at: instant().notNull(),
      cpu: real().notNull(),
      memoryMb: real().notNull(),
      gpuDutyCycle: int(),
      gpuMemory: real(),
    },
    (t) => [
      primaryKey({ columns: [t.jobId, t.seq] }),
      // Serves a range of time, and makes a sample that is reported twice one sample.
      unique('telemetry_samples_at').on(t.jobId, t.at, t.stepNumber, t.attempt),
    ],
  );

  const logChunks = table(
    'log_chunks',
    {
      jobId: text().notNull(),
      seq: long().notNull(),
      stepNumber: int().notNull(),
      attempt: int().notNull(),
      offset: long().notNull(),
      /** Bytes of UTF-8 that it came with. */
      size: int().notNull(),
      stream: oneOf(logStreams).notNull(),
      text: text().notNull(),
      at: instant().notNull(),
    },
    (t) => [primaryKey({ columns: [t.jobId, t.seq] }), index('log_chunks_step').on(t.jobId, t.stepNumber, t.seq)],
  );

  const models = table(
    'models',
    {
      id: text().primaryKey(),
      projectId: text()
        .notNull()
        .references(() => projects.id, cascade),
      name: text().notNull(),
      createdAt: instant().notNull(),
      updatedAt: instant().notNull(),
    },
    (t) => [index('models_project').on(t.projectId, t.id)],
  );

  const modelVersions = table(
    'model_versions',
    {
      id: text().primaryKey(),
      modelId: text()
        .notNull()
        .references(() => models.id, cascade),
      /** 1, 2, 3 … within the model. */
      number: int().notNull(),
      jobId: text(),
      fragmentId: text().notNull(),
      createdAt: instant().notNull(),
    },
    (t) => [
      unique('model_versions_number').on(t.modelId, t.number),
      index('model_versions_fragment').on(t.fragmentId),
      index('model_versions_job').on(t.jobId).where(sql`${t.jobId} is not null`),
    ],
  );

  /** What makes a job a federated one. */
  const federations = table('federations', {
    jobId: text()
      .primaryKey()
      .references(() => jobs.id, cascade),
    deviceSelectionStrategy: oneOf(deviceSelectionStrategies).notNull(),
    numDevices: int().notNull(),
    numBufferDevices: int().notNull(),
    selectionSeed: text().notNull(),
    terminationCriteria: json<readonly TerminationCriterion[]>().notNull(),
    roundDeadlineSeconds: real(),
    trainContainer: json<Container>(),
    /** Null: the gateway's own aggregator does it. */
    aggregateContainer: json<Container>(),
    /** A fragment; of the newest round that succeeded. */
    aggregateModelId: text(),
  });

  const rounds = table(
    'rounds',
    {
      jobId: text()
        .notNull()
        .references(() => jobs.id, cascade),
      /** 1, 2, 3 … */
      number: int().notNull(),
      status: oneOf(roundStatuses).notNull(),
      quorum: int().notNull(),
      startModelId: text(),
      aggregateModelId: text(),
      /** Of the aggregate: the mean of what the devices reported. */
      metrics: json<Readonly<Record<string, number>>>().notNull(),
      /** Whether the mean was weighted by numSamples; null until there is one. */
      isWeighted: bool(),
      startedAt: instant().notNull(),
      deadlineAt: instant(),
      finishedAt: instant(),
    },
    (t) => [
      primaryKey({ columns: [t.jobId, t.number] }),
      index('rounds_deadline').on(t.deadlineAt).where(sql`${t.finishedAt} is null and ${t.deadlineAt} is not null`),
      check('rounds_status', isOneOf(t.status, roundStatuses)),
    ],
  );

  /** A device in a round. */
  const participants = table(
    'participants',
    {
      jobId: text()
        .notNull()
        .references(() => jobs.id, cascade),
      round: int().notNull(),
      deviceId: text().notNull(),
      stepId: text().notNull(),
      status: oneOf(participantStatuses).notNull(),
      /** The model that it handed in. */
      fragmentId: text(),
      numSamples: int(),
      metrics: json<Readonly<Record<string, number>>>().notNull(),
      /** The order in which it was selected. */
      position: int().notNull(),
    },
    (t) => [
      primaryKey({ columns: [t.jobId, t.round, t.deviceId] }),
      unique('participants_step').on(t.stepId),
      // Serves the look for devices that will not come, which is taken with every sweep.
      index('participants_open').on(t.stepId).where(openParticipants(t.status)),
      check('participants_status', isOneOf(t.status, participantStatuses)),
    ],
  );

  const apiKeys = table(
    'api_keys',
    {
      id: text().primaryKey(),
      name: text().notNull(),
      kind: oneOf(principalKinds).notNull(),
      role: oneOf(roles),
      projectId: text().references(() => projects.id, cascade),
      jobId: text().references(() => jobs.id, cascade),
      deviceId: text().references(() => devices.id, cascade),
      /** SHA-256 of the secret, hex. The secret itself is kept nowhere. */
      hash: text().notNull(),
      hint: text().notNull(),
      createdAt: instant().notNull(),
      /** The principal that made it. */
      createdBy: text().notNull(),
      lastUsedAt: instant(),
      expiresAt: instant(),
      revokedAt: instant(),
      /** Of a rotation: the key that this one took the place of, and the one that took this one's. */
      rotatedFromId: text(),
      replacedById: text(),
    },
    (t) => [
      unique('api_keys_hash').on(t.hash),
      index('api_keys_job').on(t.jobId),
      index('api_keys_project').on(t.projectId, t.id),
      index('api_keys_created_by').on(t.createdBy),
      index('api_keys_admin').on(t.id).where(isWord(t.role, 'ADMIN')),
      index('api_keys_device').on(t.deviceId),
      check('api_keys_kind', isOneOf(t.kind, principalKinds)),
    ],
  );

  /** Who did what to what no event tells of, or whose events go with it. It refers to nothing: an entry outlives its subject. */
  const auditEntries = table(
    'audit_entries',
    {
      id: text().primaryKey(),
      at: instant().notNull(),
      /** The principal, as events name it, and its key; null where it came without one. */
      actor: text().notNull(),
      actorKeyId: text(),
      action: oneOf(auditActions).notNull(),
      subjectType: oneOf(auditSubjectTypes).notNull(),
      subjectId: text().notNull(),
      subjectName: text().notNull(),
      projectId: text(),
      /** By field: what it was, and what it is now. Never a secret. */
      changes: json<AuditChanges>().notNull(),
      requestId: text(),
    },
    (t) => [
      index('audit_entries_project').on(t.projectId, t.id),
      index('audit_entries_subject').on(t.subjectId, t.id),
      index('audit_entries_actor').on(t.actor, t.id),
      check('audit_entries_action', isOneOf(t.action, auditActions)),
      check('audit_entries_subject_type', isOneOf(t.subjectType, auditSubjectTypes)),
    ],
  );

  /** What an idempotency key was first used for. */
  const idempotencyKeys = table(
    'idempotency_keys',
    {
      scope: text().notNull(),
      operation: text().notNull(),
      key: text().notNull(),
      /** The input in canonical JSON, to name what differs. */
      input: json<Record<string, unknown>>().notNull(),
      /** Ids of what came of it. */
      result: json<readonly string[]>().notNull(),
      createdAt: instant().notNull(),
    },
    (t) => [primaryKey({ columns: [t.scope, t.operation, t.key] }), index('idempotency_keys_created').on(t.createdAt)],
  );

  return {
    meta,
    projects,
    devices,
    applications,
    experiments,
    models,
    modelVersions,
    federations,
    rounds,
    participants,
    jobs,
    jobLabels,
    jobItems,
    queues,
    steps,
    attempts,
    fragments,
    streams,
    feedGaps,
    events,
    metricPoints,
    latestMetrics,
    telemetrySamples,
    logChunks,
    apiKeys,
    auditEntries,
    idempotencyKeys,
  };
}

/** Devices that may still hand in a model. One function, since SQLite takes a partial index for a condition that is written alike. */
export const openParticipants = (status: AnySQLiteColumn<{ data: ParticipantStatus }>) =>
  isOneOf(status, participantStatusesThatAllow('drop'));

/** The `streams` row of no job: the feed across all of them. */
export const feedOfAllJobs = '';

type Row<T extends keyof Tables> = Tables[T]['$inferSelect'];
export type ProjectRow = Row<'projects'>;
export type DeviceRow = Row<'devices'>;
export type JobRow = Row<'jobs'>;
export type JobItemRow = Row<'jobItems'>;
export type QueueRow = Row<'queues'>;
export type StepRow = Row<'steps'>;
export type AttemptRow = Row<'attempts'>;
export type FragmentRow = Row<'fragments'>;
export type StreamRow = Row<'streams'>;
export type EventRow = Row<'events'>;
export type MetricPointRow = Row<'metricPoints'>;
export type LatestMetricRow = Row<'latestMetrics'>;
export type TelemetrySampleRow = Row<'telemetrySamples'>;
export type LogChunkRow = Row<'logChunks'>;
export type ApiKeyRow = Row<'apiKeys'>;
export type AuditEntryRow = Row<'auditEntries'>;
export type ApplicationRow = Row<'applications'>;
export type ExperimentRow = Row<'experiments'>;
export type ModelRow = Row<'models'>;
export type ModelVersionRow = Row<'modelVersions'>;
export type FederationRow = Row<'federations'>;
export type RoundRow = Row<'rounds'>;
export type ParticipantRow = Row<'participants'>;
