/** All that the checks read: what was noted, and what is stored, with the ways to look things up. */
import type { AttemptRow, EventRow, FragmentRow, JobRow, LogRow, MetricRow, StepRow, Stored, StreamRow, TelemetryRow } from './database.ts';
import { groupBy, type History } from './history.ts';

export interface Evidence {
  readonly history: History;
  readonly stored: Stored;
  /** Where the bytes of fragments are; null: they are not looked at. */
  readonly fragmentsDir: string | null;
  readonly bounds: Bounds;
  readonly jobs: ReadonlyMap<string, JobRow>;
  readonly steps: ReadonlyMap<string, StepRow>;
  readonly fragments: ReadonlyMap<string, FragmentRow>;
  /** By `attemptKey`. */
  readonly attempts: ReadonlyMap<string, AttemptRow>;
  /** By job, in order. */
  readonly events: ReadonlyMap<string, readonly EventRow[]>;
  readonly log: ReadonlyMap<string, readonly LogRow[]>;
  readonly metrics: ReadonlyMap<string, readonly MetricRow[]>;
  readonly telemetry: ReadonlyMap<string, readonly TelemetryRow[]>;
  /** By step, in order. */
  readonly eventsOfStep: ReadonlyMap<string, readonly EventRow[]>;
  /** By `streamKey`. */
  readonly streams: ReadonlyMap<string, StreamRow>;
}

/** How long things may take that the promises bound in time, with what a busy machine adds. */
export interface Bounds {
  /** From the answer to whoever made a row, to its arrival at who watches: well under the safety poll of 5 s, and above any pause of a busy machine. */
  readonly arrivalMs: number;
  /** On a machine that takes more than so many times as long as usual, this says nothing. */
  readonly arrivalSlowdown: number;
  /** What P5 allows beyond the lease. */
  readonly reclaimMs: number;
  /** What a machine with nothing else to do may add; one that takes longer adds so many times as much. */
  readonly reclaimMachineMs: number;
}

const defaultBounds: Bounds = { arrivalMs: 3_000, arrivalSlowdown: 6, reclaimMs: 1_000, reclaimMachineMs: 1_000 };

export const attemptKey = (stepId: string, attempt: number) => `${stepId} ${attempt}`;
export const streamKey = (jobId: string, kind: string) => `${jobId} ${kind}`;

export function gather(
  history: History,
  stored: Stored,
  { fragmentsDir = null, bounds = defaultBounds }: { fragmentsDir?: string | null; bounds?: Bounds } = {},
): Evidence {
  const byId = <T extends { readonly id: string }>(rows: readonly T[]) => new Map(rows.map((row) => [row.id, row]));
  return {
    history,
    stored,
    fragmentsDir,
    bounds,
    jobs: byId(stored.jobs),
    steps: byId(stored.steps),
    fragments: byId(stored.fragments),
    attempts: new Map(stored.attempts.map((row) => [attemptKey(row.stepId, row.number), row])),
    events: groupBy(stored.events, ({ jobId }) => jobId),
    log: groupBy(stored.log, ({ jobId }) => jobId),
    metrics: groupBy(stored.metrics, ({ jobId }) => jobId),
    telemetry: groupBy(stored.telemetry, ({ jobId }) => jobId),
    eventsOfStep: groupBy(
      stored.events.filter(({ stepId, type }) => stepId !== null && type === 'STEP_STATUS_CHANGED'),
      ({ stepId }) => stepId ?? '',
    ),
    streams: new Map(stored.streams.map((row) => [streamKey(row.jobId, row.kind), row])),
  };
}
