/** Jobs, with their labels and items. */
import { type SQL, type SQLWrapper, sql } from 'drizzle-orm';
import { jobStatuses, statusReasons } from '../../domain/core/lifecycle.ts';
import {
  type Container,
  itemValueTypes,
  type JobCode,
  type JobInitiator,
  type JobType,
  jobInitiators,
  jobTypes,
  type Label,
  type SettingSource,
  settingSources,
} from '../../domain/core/vocabulary.ts';
import { isOneOf, type Kit } from './columns.ts';
import type { ProjectTables } from './projects.ts';

/** The words that most jobs have. No index is kept of them. */
export const USUAL_TYPE: JobType = 'TRAINING';
export const USUAL_INITIATOR: JobInitiator = 'MANUAL';
export const isUnusualType = (type: SQLWrapper): SQL => sql`${type} <> ${sql.raw(`'${USUAL_TYPE}'`)}`;
export const isUnusualInitiator = (initiator: SQLWrapper): SQL => sql`${initiator} <> ${sql.raw(`'${USUAL_INITIATOR}'`)}`;

export type JobTables = ReturnType<typeof jobTables>;

export function jobTables(kit: Kit, { projects }: ProjectTables) {
  const { table, text, oneOf, int, real, bool, instant, json, longJson, document, index, unique, check, primaryKey, onlySqlite } = kit;
  const cascade = { onDelete: 'cascade' } as const;

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
      /** Of the newest status change. */
      reason: oneOf(statusReasons).notNull(),
      reasonDescription: text().notNull(),
      exitCode: int(),
      owner: text().notNull(),
      priority: int().notNull(),
      labels: json<readonly Label[]>().notNull(),
      isPreemptible: bool().notNull(),
      scheduleTimeoutSeconds: real(),
      runTimeoutSeconds: real(),
      container: longJson<Container>(),
      settings: document<Record<string, unknown>>().notNull(),
      settingsWarnings: longJson<readonly string[]>().notNull(),
      output: document<Record<string, unknown>>(),
      /** The source of each effective setting, by its dot path. */
      settingsSources: document<Readonly<Record<string, SettingSource>>>().notNull(),
      applicationId: text(),
      experimentId: text(),
      datasetId: text(),
      datasetVersionId: text(),
      /**
       * The model that gets a version when the job succeeds. Set when a new model is created for
       * it.
       */
      modelId: text(),
      modelVersionId: text(),
      startModelVersionId: text(),
      /**
       * A fragment: the start model of the job, from its model version, its experiment or its
       * federation.
       */
      startModelId: text(),
      /** A fragment: the result of the job, its newest model or the aggregate of its last round. */
      resultModelId: text(),
      isFederated: bool().notNull(),
      /** The code that travels with it, and the fragment that is its archive. */
      code: json<JobCode>(),
      codeFragmentId: text(),
      /** The createJob input, for retryJob. */
      input: document<Record<string, unknown>>().notNull(),
      cpuStartedAt: instant(),
      cpuEndedAt: instant(),
      gpuStartedAt: instant(),
      gpuEndedAt: instant(),
      httpUrl: text(),
      sshServer: text(),
      internalHostname: text(),
      /** The device of the newest attempt at any of its steps. */
      deviceId: text(),
      cancelReason: text(),
      stepCount: int().notNull(),
      createdAt: instant().notNull(),
      updatedAt: instant().notNull(),
      startedAt: instant(),
      finishedAt: instant(),
      /** The next deadline of this job: schedule, run or cancel timeout. */
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
      index('jobs_owner').on(t.owner, t.id),
      index('jobs_experiment').on(t.experimentId, t.id).where(sql`${t.experimentId} is not null`),
      index('jobs_start_model').on(t.startModelId).where(sql`${t.startModelId} is not null`),
      index('jobs_code').on(t.codeFragmentId).where(sql`${t.codeFragmentId} is not null`),
      index('jobs_application').on(t.applicationId, t.id).where(sql`${t.applicationId} is not null`),
      index('jobs_device').on(t.deviceId, t.id).where(sql`${t.deviceId} is not null`),
      index('jobs_started').on(t.startedAt, t.id).where(sql`${t.startedAt} is not null`),
      index('jobs_finished').on(t.finishedAt, t.id).where(sql`${t.finishedAt} is not null`),
      index('jobs_duration').on(sql`(${t.finishedAt} - ${t.startedAt})`, t.id).where(sql`${t.finishedAt} - ${t.startedAt} is not null`),
      index('jobs_type').on(t.type, t.id).where(isUnusualType(t.type)),
      index('jobs_initiator').on(t.initiator, t.id).where(isUnusualInitiator(t.initiator)),
      // Has all texts that a search looks through, so that it reads a sixth of what it would of the
      // rows. Its entries can be longer than PostgreSQL allows.
      ...onlySqlite(index('jobs_texts').on(t.id, t.name, t.owner, t.description, t.labels)),
      // Serves the runs of retention over unfinished jobs.
      index('jobs_open').on(t.id).where(sql`${t.finishedAt} is null`),
      index('jobs_deadline').on(t.deadlineAt).where(sql`${t.deadlineAt} is not null`),
      check('jobs_status_known', isOneOf(t.status, jobStatuses)),
      check('jobs_type_known', isOneOf(t.type, jobTypes)),
    ],
  );

  /**
   * For the filter of lists and for completion. The labels that are shown are the copy on the row
   * of the job.
   */
  const jobLabels = table(
    'job_labels',
    {
      jobId: text()
        .notNull()
        .references(() => jobs.id, cascade),
      /** A copy of the job's. */
      projectId: text().notNull().default(''),
      key: text().notNull(),
      value: text().notNull(),
    },
    (t) => [
      primaryKey({ columns: [t.jobId, t.key] }),
      index('job_labels_value').on(t.key, t.value, t.jobId),
      index('job_labels_key').on(t.key, t.jobId),
      index('job_labels_project').on(t.projectId, t.key, t.value),
    ],
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

  return { jobs, jobLabels, jobItems };
}
