/**
 * The streams of one job, and the feed of events across jobs. Each is a resumable read of stored
 * rows.
 */

import type { Principal } from '../domain/access/principal.ts';
import { scopeOf } from '../domain/access/rights.ts';
import { topics } from '../domain/core/change.ts';
import { decodeCursor, encodeCursor, feed } from '../domain/core/cursors.ts';
import type { Domain } from '../domain/core/domain.ts';
import { isTerminalJob } from '../domain/core/lifecycle.ts';
import type { DomainLimits } from '../domain/core/limits.ts';
import type { EventType, StreamKind } from '../domain/core/vocabulary.ts';
import type { Waker } from '../domain/core/waker.ts';
import type { Optional } from '../store/optional.ts';
import { readFeedRange, readRange } from '../store/queries/ranges.ts';
import {
  heldStepOfJob,
  jobStatusById,
  readEvents,
  readFeed,
  readLogChunks,
  readMetricPoints,
  readTelemetrySamples,
} from '../store/queries/streams.ts';
import type { EventRow, LogChunkRow, MetricPointRow, TelemetrySampleRow } from '../store/schema/tables.ts';
import type { Cut, Portion } from '../store/statements/portions.ts';
import { feedTopic } from '../store/store.ts';
import { type Batch, type Frame, frames } from './frames.ts';
import type { Pulled } from './pull.ts';

export type { Frame } from './frames.ts';

type Frames<R> = Pulled<Frame<R>>;

/**
 * The most rows of one batch, besides its limit in bytes (`frameBytes`). Together they bound the
 * memory that a slow consumer costs.
 */
const BATCH = { event: 500, metric: 1_000, telemetry: 1_000, log: 100 } as const satisfies Record<StreamKind, number>;
/** The size of a metric point or a sample, without the metric's name. */
const POINT_BYTES = 256;

/** Points and samples are limited by number only, events and log chunks also by bytes. */
export function rowsAtMost(kind: StreamKind, { frameBytes, textAtMost }: DomainLimits): number {
  return kind === 'metric' ? Math.max(1, Math.min(BATCH.metric, Math.floor(frameBytes / (textAtMost + POINT_BYTES)))) : BATCH[kind];
}

export interface RowsOf {
  event: EventRow;
  metric: MetricPointRow;
  telemetry: TelemetrySampleRow;
  log: LogChunkRow;
}

export interface JobStream<K extends StreamKind> {
  readonly kind: K;
  readonly jobId: string;
  readonly after?: Optional<string>;
  /** For a log: only this step. */
  readonly stepNumber?: Optional<number>;
  /** For metrics: only these names. */
  readonly names?: Optional<readonly string[]>;
  /** For events: only these types. */
  readonly eventTypes?: Optional<readonly EventType[]>;
}

/**
 * The frames of one stream of a job, until the job has ended and everything is sent. Throws
 * BAD_REQUEST for a cursor that is not of this stream.
 */
export async function jobStream<K extends StreamKind>(domain: Domain, wakeups: Waker, of: JobStream<K>): Promise<Frames<RowsOf[K]>> {
  const { kind, jobId } = of;
  const stream = { kind, jobId };
  const after = await decodeCursor(domain, of.after, stream);
  const wanted = wantedOf(of);
  return frames<RowsOf[K]>(
    domain,
    wakeups,
    {
      cursorOf: (seq) => encodeCursor(domain, { ...stream, seq }),
      name: JSON.stringify([kind, jobId, of.stepNumber ?? null, of.names ?? null, of.eventTypes ?? null]),
      // The end of the job is an event.
      topics: [...new Set([topicOf(kind, jobId), topics.events(jobId)])],
      rowsAtMost: rowsAtMost(kind, domain.limits),
      async read(after, rows) {
        // The status is read first: nothing is appended after a job was read as ended.
        const isOver = await hasEnded(domain, of);
        if (isOver === null) return null;
        const portion = { rows, bytes: domain.limits.frameBytes };
        const range = await readRange(domain.store.read, stream, after, () => read<K>(domain, of, after, portion));
        const found = wanted ? range.rows.filter(wanted) : range.rows;
        return { ...range, rows: found, read: range.rows.length, isOver } satisfies Batch<RowsOf[K]>;
      },
    },
    after,
  );
}

/** Whether nothing can be appended to the streams of a job any more. Null: there is no such job. */
export async function hasEnded(domain: Domain, of: Pick<JobStream<StreamKind>, 'jobId' | 'eventTypes'>): Promise<boolean | null> {
  const [job] = await domain.store.read.run(jobStatusById, { id: of.jobId });
  return job ? isTerminalJob(job.status) && !(job.isFederated && (await mayComeLate(domain, of))) : null;
}

/**
 * Whether a device may still submit a late model, with its reports, after its federated job
 * succeeded.
 */
async function mayComeLate(
  { store }: Domain,
  { jobId, eventTypes }: Pick<JobStream<StreamKind>, 'jobId' | 'eventTypes'>,
): Promise<boolean> {
  // Events of the job itself cannot follow any more.
  if (eventTypes?.every((type) => type.startsWith('JOB_'))) return false;
  return (await store.read.run(heldStepOfJob, { jobId })).length > 0;
}

function topicOf(kind: StreamKind, jobId: string) {
  return { event: topics.events, metric: topics.metrics, telemetry: topics.telemetry, log: topics.log }[kind](jobId);
}

function wantedOf<K extends StreamKind>({ names, eventTypes }: JobStream<K>): ((row: RowsOf[K]) => boolean) | null {
  if (names) return (row) => 'name' in row && names.includes(row.name);
  if (eventTypes) return (row) => 'type' in row && eventTypes.includes(row.type);
  return null;
}

function read<K extends StreamKind>(
  { store }: Domain,
  { kind, jobId, stepNumber = null }: JobStream<K>,
  after: number,
  portion: Portion,
): Promise<Cut<RowsOf[K]>> {
  const of = { jobId, after };
  const cuts: { readonly [Kind in StreamKind]: () => Promise<Cut<RowsOf[Kind]>> } = {
    event: () => readEvents(store.read, of, portion),
    metric: () => readMetricPoints(store.read, of, portion),
    telemetry: () => readTelemetrySamples(store.read, of, portion),
    log: () => readLogChunks(store.read, { ...of, stepNumber }, portion),
  };
  return cuts[kind]();
}

export interface FeedFilter {
  readonly jobId?: Optional<string>;
  readonly projectId?: Optional<string>;
  readonly types?: Optional<readonly EventType[]>;
}

/**
 * The frames of all events of jobs that pass the filter and that the principal sees. A feed of one
 * job ends with it, others never.
 */
export async function feedStream(
  domain: Domain,
  wakeups: Waker,
  principal: Principal,
  { filter, after: cursor }: { filter?: Optional<FeedFilter>; after?: Optional<string> },
): Promise<Frames<EventRow>> {
  const scope = scopeOf(principal);
  const jobId = filter?.jobId ?? scope.jobId;
  if (jobId) return jobStream(domain, wakeups, { kind: 'event', jobId, after: cursor, eventTypes: filter?.types });
  const after = await decodeCursor(domain, cursor, feed);
  const projectId = filter?.projectId ?? scope.projectId;
  const types = filter?.types ?? null;
  return frames<EventRow>(
    domain,
    wakeups,
    {
      cursorOf: (seq) => encodeCursor(domain, { ...feed, seq }),
      name: JSON.stringify(['feed', projectId, types]),
      topics: [feedTopic],
      rowsAtMost: BATCH.event,
      async read(after, rows) {
        const portion = { rows, bytes: domain.limits.frameBytes };
        const { read } = domain.store;
        const range = await readFeedRange(read, { after, projectId }, () => readFeed(read, { after, projectId, types }, portion));
        return { ...range, read: range.rows.length, isOver: false };
      },
    },
    after,
  );
}
