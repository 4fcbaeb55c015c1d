/**
 * The streams of jobs. Events, metric points, telemetry and log are append-only and numbered per
 * job without gaps. They have no foreign keys: each table has one writer that guarantees the
 * parent, so checking it for each of a million rows would gain nothing.
 */
import { sql } from 'drizzle-orm';
import { type StatusReason, statusReasons } from '../../domain/core/lifecycle.ts';
import { eventTypes, logStreams, type PackedPoints, streamKinds } from '../../domain/core/vocabulary.ts';
import { isOneOf, isWord, type Kit } from './columns.ts';
import type { JobTables } from './jobs.ts';

export function streamTables(kit: Kit, { jobs }: JobTables) {
  const { table, text, oneOf, int, long, real, bool, instant, json, index, unique, check, primaryKey } = kit;
  const cascade = { onDelete: 'cascade' } as const;

  /**
   * The bounds of each stream of a job. The row of `feedOfAllJobs` counts the positions of the feed
   * across jobs. Numbers are assigned without gaps, so a number up to `last` without a row was
   * removed by retention.
   */
  const streams = table(
    'streams',
    {
      jobId: text().notNull(),
      kind: oneOf(streamKinds).notNull(),
      /** The last assigned number. */
      last: long().notNull(),
      /** The first number from which only thinning has removed entries. For the feed: 1. */
      first: long().notNull(),
      /** The number of entries that retention has removed. */
      removed: long().notNull().default(0),
      /** The number up to which it has been thinned. For the feed: the newest removed position. */
      thinned: long().notNull().default(0),
      /** For a log: the stored bytes. */
      bytes: long().notNull().default(0),
      /** For a log: up to here its lines are counted. See domain/logs/numbering.ts. */
      numbered: long().notNull().default(0),
      /** For metrics: up to here the points are in the tiers of their curves. */
      tiered: long().notNull().default(0),
      /** Cursors of the store that this one was restored from are valid up to here. */
      inherited: long().notNull().default(0),
      /** The job is deleted. The remaining entries are deleted a little at a time. */
      isDeleted: bool().notNull().default(false),
    },
    (t) => [primaryKey({ columns: [t.jobId, t.kind] }), index('streams_deleted').on(t.jobId).where(sql`${t.isDeleted}`)],
  );

  /**
   * The positions of the feed whose events retention has removed, by project, so that a reader with
   * an old cursor learns how many. A row covers `GAP_BLOCK` positions as runs from one to another,
   * both included: a few bytes per event.
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
      /**
       * Its position in the feed across jobs, in commit order. On PostgreSQL it is negative until
       * the event has one: see `Dialect.arrival`.
       */
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
      /** For JOB_DELETED: the name of the job. */
      description: text().notNull(),
      exitCode: int(),
      /** For JOB_UPDATED: the changed fields. For STEPS_ADDED: the numbers of the steps. */
      details: json<readonly string[]>(),
    },
    (t) => [
      primaryKey({ columns: [t.jobId, t.seq] }),
      unique('events_position').on(t.position),
      index('events_project').on(t.projectId, t.position),
      index('events_step').on(t.stepId, t.seq).where(sql`${t.stepId} is not null`),
      // Serves retention: the events that deleted jobs have left.
      index('events_deleted').on(t.at).where(isWord(t.type, 'JOB_DELETED')),
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
      // Serves the curve of a metric, and makes a repeated point one point.
      unique('metric_points_iteration').on(t.jobId, t.name, t.iteration, t.stepNumber, t.attempt),
    ],
  );

  /**
   * The curves of metrics in buckets, so that a window of a long curve is drawn from some hundred
   * rows. They are made from the points, and can be made again. See queries/tiers.ts.
   */
  const metricTiers = table(
    'metric_tiers',
    {
      jobId: text().notNull(),
      name: text().notNull(),
      /** A bucket of tier 0 is for 16 points, one of any other for 4 buckets of the tier below. */
      tier: int().notNull(),
      /** Its number in its tier, from 0. */
      number: long().notNull(),
      /** The number in the stream of the first point that it is for. */
      first: long().notNull(),
      /** The same of the last. Null: it has room for more points. */
      last: long(),
      /** Of its points, those that are stored: retention may have removed others. */
      count: long().notNull(),
      points: json<PackedPoints>().notNull(),
    },
    (t) => [
      primaryKey({ columns: [t.jobId, t.name, t.tier, t.number] }),
      // Serves retention, which removes points by their numbers in the stream.
      index('metric_tiers_last').on(t.jobId, t.last),
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
      /** The points of this metric of this step that retention has removed. */
      removed: long().notNull().default(0),
    },
    (t) => [
      primaryKey({ columns: [t.jobId, t.stepNumber, t.name] }),
      // Serves lists of jobs in the order of a metric.
      index('latest_metrics_value').on(t.name, t.value, t.jobId),
      index('latest_metrics_name').on(t.name, t.jobId),
    ],
  );

  const telemetrySamples = table(
    'telemetry_samples',
    {
      /** Or the id of a device, for samples of a whole machine. Step and attempt are 0 then. */
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
      // Serves a range of time, and makes a repeated sample one sample.
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
      /** Its size in bytes of UTF-8 as sent. */
      size: int().notNull(),
      stream: oneOf(logStreams).notNull(),
      text: text().notNull(),
      at: instant().notNull(),
      /** The line of its attempt that it begins in, from 1. Null: not counted yet. */
      firstLine: long(),
    },
    (t) => [primaryKey({ columns: [t.jobId, t.seq] }), index('log_chunks_step').on(t.jobId, t.stepNumber, t.seq)],
  );

  return { streams, feedGaps, events, metricPoints, metricTiers, latestMetrics, telemetrySamples, logChunks };
}

/** The `streams` row that belongs to no job: the feed across all of them. */
export const feedOfAllJobs = '';
/** The `streams` row that counts the changes of devices. */
export const deviceChanges = 'devices';
