/**
 * The streams of jobs. Events, metric points, telemetry and log are append-only and numbered per job without holes. They carry no foreign
 * keys: checking the same parent for each of a million rows buys nothing that the one writer of each table does not guarantee.
 */
import { sql } from 'drizzle-orm';
import { type StatusReason, statusReasons } from '../../domain/core/lifecycle.ts';
import { eventTypes, logStreams, streamKinds } from '../../domain/core/vocabulary.ts';
import { isOneOf, type Kit } from './columns.ts';
import type { JobTables } from './jobs.ts';

export function streamTables(kit: Kit, { jobs }: JobTables) {
  const { table, text, oneOf, int, long, real, bool, instant, json, index, unique, check, primaryKey } = kit;
  const cascade = { onDelete: 'cascade' } as const;

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
      /** The job is deleted, and with it whatever leads here: what is left is removed a little at a time. */
      isDeleted: bool().notNull().default(false),
    },
    (t) => [primaryKey({ columns: [t.jobId, t.kind] }), index('streams_deleted').on(t.jobId).where(sql`${t.isDeleted}`)],
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

  return { streams, feedGaps, events, metricPoints, latestMetrics, telemetrySamples, logChunks };
}

/** The `streams` row of no job: the feed across all of them. */
export const feedOfAllJobs = '';
