/** Rows of a stream, stored and as seen by a subscriber, as texts that can be compared. */
import type { FrameSeen, Subscribed } from '../notes.ts';
import { readCursor } from './cursors.ts';
import type { EventRow, LogRow, MetricRow, TelemetryRow } from './database.ts';
import type { Evidence } from './evidence.ts';

export interface Printed {
  /** Its number in the stream, or its position in the feed. */
  readonly seq: number;
  readonly text: string;
}

/** The stored rows of a stream, in order. */
export function storedRows(
  evidence: Evidence,
  { stream, jobId, projectId }: Pick<Subscribed, 'stream' | 'jobId' | 'projectId'>,
): readonly Printed[] {
  switch (stream) {
    case 'feed':
      return evidence.stored.events
        .filter((row) => row.projectId === projectId)
        .map((row) => ({ seq: row.position, text: printEvent(row) }))
        .sort((a, b) => a.seq - b.seq);
    case 'event':
      return (evidence.events.get(jobId) ?? []).map((row) => ({ seq: row.seq, text: printEvent(row) }));
    case 'log':
      return (evidence.log.get(jobId) ?? []).map((row) => ({ seq: row.seq, text: printLog(row) }));
    case 'metric':
      return (evidence.metrics.get(jobId) ?? []).map((row) => ({ seq: row.seq, text: printMetric(row) }));
    case 'telemetry':
      return (evidence.telemetry.get(jobId) ?? []).map((row) => ({ seq: row.seq, text: printSample(row) }));
  }
}

/** The rows of a frame. Rows of metrics and telemetry have no cursor of their own. */
export function seenRows({ stream }: Pick<Subscribed, 'stream'>, { rows }: Pick<FrameSeen, 'rows'>): string[] {
  // Casts: each document selects exactly these.
  switch (stream) {
    case 'feed':
    case 'event':
      return rows.map((row) => seenEvent(row as unknown as SeenEvent));
    case 'log':
      return rows.map((row) => printLog({ ...(row as unknown as LogRow & { cursor: string }), seq: readCursor(String(row.cursor)).seq }));
    case 'metric':
      return rows.map((row) => printMetric(row as unknown as MetricRow));
    case 'telemetry':
      return rows.map((row) => printSample({ ...(row as unknown as TelemetryRow), at: Date.parse(String(row.at)) }));
  }
}

interface SeenEvent {
  readonly __typename: string;
  readonly job: { readonly id: string };
  readonly jobFrom?: string;
  readonly jobTo?: string;
  readonly stepFrom?: string;
  readonly stepTo?: string;
  readonly attempt?: number | null;
  readonly reason?: string;
}

/** For a status event: from, to, attempt and reason. For other events: only the type. */
function seenEvent({ __typename, job, jobFrom, jobTo, stepFrom, stepTo, attempt, reason }: SeenEvent): string {
  if (__typename === 'JobStatusChangedEvent') return `${job.id} ${jobFrom} → ${jobTo} ${reason}`;
  if (__typename === 'StepStatusChangedEvent') return `${job.id} step ${stepFrom} → ${stepTo} ${attempt} ${reason}`;
  return `${job.id} ${__typename}`;
}

function printEvent({ type, jobId, from, to, attempt, reason }: EventRow): string {
  if (type === 'JOB_STATUS_CHANGED') return `${jobId} ${from} → ${to} ${reason}`;
  if (type === 'STEP_STATUS_CHANGED') return `${jobId} step ${from} → ${to} ${attempt} ${reason}`;
  const name = type
    .toLowerCase()
    .replace(/(^|_)([a-z])/g, (_, __, letter: string) => letter.toUpperCase())
    .concat('Event');
  return `${jobId} ${name}`;
}

const printLog = ({ seq, stepNumber, attempt, offset, text }: Pick<LogRow, 'seq' | 'stepNumber' | 'attempt' | 'offset' | 'text'>) =>
  `${seq} step ${stepNumber} attempt ${attempt} at ${offset}: ${text}`;
const printMetric = ({ stepNumber, attempt, name, iteration, value }: Omit<MetricRow, 'jobId' | 'seq'>) =>
  `step ${stepNumber} attempt ${attempt} ${name} ${iteration} ${value}`;
const printSample = ({ stepNumber, attempt, at, cpu, memoryMb }: Omit<TelemetryRow, 'jobId' | 'seq'>) =>
  `step ${stepNumber} attempt ${attempt} ${at} ${cpu} ${memoryMb}`;
