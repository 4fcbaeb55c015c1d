/** The input of all checks: the notes and the stored rows, with lookups. */
import type { AttemptRow, EventRow, FragmentRow, JobRow, LogRow, MetricRow, StepRow, Stored, StreamRow, TelemetryRow } from './database.ts';
import { groupBy, type History } from './history.ts';

export interface Evidence {
  readonly history: History;
  readonly stored: Stored;
  /** The folder of the fragments' bytes; null: bytes are not checked. */
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

/** How long the time-bound promises may take, including what a busy machine adds. */
export interface Bounds {
  /**
   * From the answer to the writer of a row to the row's arrival at a subscriber. Well below the
   * safety poll of 5 s, and above any pause of a busy machine.
   */
  readonly arrivalMs: number;
  /** If the machine is slower than usual by this factor, arrivals are not judged. */
  readonly arrivalSlowdown: number;
  /** What P5 allows beyond the lease. */
  readonly reclaimMs: number;
  /** What an idle machine may add. A slower machine adds as many times more. */
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
