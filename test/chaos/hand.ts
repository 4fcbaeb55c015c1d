/**
 * Histories written by hand: the notes of clients and the rows of a database, for the checker to
 * read.
 */
import type { AttemptRow, EventRow, LogRow, MetricRow, Stored } from './checker/database.ts';
import { type Evidence, gather } from './checker/evidence.ts';
import { readHistory } from './checker/history.ts';
import type { Entry, FrameSeen, Note, StreamKind } from './notes.ts';
import type { OperationName, Operations } from './operations.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer R)[] ? R[] : T[K] };

export const job = 'job_1';
export const step = 'step_1';
export const project = 'proj_1';

/** A cursor in the gateway's format. */
export const cursorOf = (kind: StreamKind, seq: number, jobId = kind === 'feed' ? '' : job) =>
  Buffer.from(`store.${kind}.${jobId}.${seq}`).toString('base64url');

export class Hand {
  readonly notes: Note[] = [];
  readonly stored: Mutable<Stored> = {
    ...{ jobs: [], steps: [], attempts: [], events: [], log: [], metrics: [] },
    ...{ telemetry: [], fragments: [], streams: [], keys: [], devices: [] },
  };
  /** The time of the next entry, in milliseconds. */
  time = 1_000;
  #calls = 0;
  readonly #lines = new Map<string, number>();

  /** Starts with a ready gateway and one job with one queued step. */
  constructor() {
    this.write('runner', { kind: 'fate', of: 'gateway 0', what: 'ready' });
    this.stored.jobs.push({ id: job, projectId: project, name: 'key-1', status: 'QUEUED' });
    this.stored.steps.push({ id: step, jobId: job, number: 0, name: 'step 0', status: 'QUEUED', attemptCount: 0, leaseExpiresAt: null });
    this.event({ type: 'JOB_CREATED', to: 'QUEUED', reason: 'CREATED' });
  }

  write(client: string, entry: Entry): number {
    const line = (this.#lines.get(client) ?? 0) + 1;
    this.#lines.set(client, line);
    this.time += 1;
    this.notes.push({ ...entry, mono: this.time, wall: this.time, client, line });
    return line;
  }

  wait(ms: number): this {
    this.time += ms;
    return this;
  }

  /** A call and its answer, or `null` for none. Returns the call's number, for `again`. */
  call<K extends OperationName>(
    client: string,
    operation: K,
    input: Operations[K]['input'],
    result: unknown,
    again: number | null = null,
  ): number {
    const call = ++this.#calls;
    // Casts: only the parts of an answer that a check reads are written.
    this.write(client, { kind: 'asked', call, again, operation, input } as unknown as Entry);
    if (result === null) this.write(client, { kind: 'lost', call, isSent: true, why: 'cut' });
    else this.write(client, { kind: 'answered', call, operation, result } as unknown as Entry);
    return call;
  }

  /** A claim of the step, noted and stored. Returns the token. */
  claim(client: string, attempt: number, { isStored = true, leaseSeconds = 1 } = {}): string {
    const token = `lease ${client} ${attempt}`;
    const claims = [{ step: { id: step, number: 0, job: { id: job } }, lease: { token, attempt } }];
    this.call(client, 'claimNextSteps', { leaseSeconds }, { __typename: 'ClaimNextStepsPayload', claims });
    if (isStored) this.storeAttempt(attempt, { claimedAt: this.time, leaseExpiresAt: this.time + leaseSeconds * 1_000 });
    return token;
  }

  /** The rows of a claim. */
  storeAttempt(number: number, row: Partial<AttemptRow> = {}): void {
    const times = { claimedAt: this.time, leaseExpiresAt: this.time + 1_000, finishedAt: null };
    this.stored.attempts.push({ stepId: step, number, deviceId: null, outcome: 'RUNNING', ...times, ...row });
    this.event({ from: 'QUEUED', to: 'RUNNING', attempt: number, reason: 'CLAIMED' });
    this.change({ status: 'RUNNING', attemptCount: number });
  }

  /** The rows of the end of the newest attempt. */
  storeEnd(outcome: string, to: string, reason = 'COMPLETED'): void {
    const attempt = this.stored.attempts.at(-1);
    if (attempt) this.stored.attempts[this.stored.attempts.length - 1] = { ...attempt, outcome, finishedAt: this.time };
    this.event({ from: 'RUNNING', to, attempt: attempt?.number ?? null, reason });
    this.change({ status: to });
  }

  /** Changes columns of the step's row. */
  change(columns: Partial<Stored['steps'][number]>): void {
    const [row] = this.stored.steps;
    if (row) this.stored.steps[0] = { ...row, ...columns };
  }

  event(columns: Partial<EventRow>): EventRow {
    const seq = this.stored.events.length + 1;
    const isOfStep = (columns.type ?? 'STEP_STATUS_CHANGED') === 'STEP_STATUS_CHANGED';
    const row: EventRow = {
      ...{ jobId: job, seq, position: seq, projectId: project, type: 'STEP_STATUS_CHANGED', at: this.time },
      ...{ stepId: isOfStep ? step : null, fragmentId: null, from: null, to: null, attempt: null, reason: null },
      ...columns,
    };
    this.stored.events.push(row);
    return row;
  }

  line(text: string, columns: Partial<LogRow> = {}): LogRow {
    const before = this.stored.log.filter(({ attempt }) => attempt === (columns.attempt ?? 1));
    const offset = before.reduce((sum, { size }) => sum + size, 0);
    const firstLine = before
      .map((row) => row.text)
      .join('')
      .split('\n').length;
    const at = { jobId: job, seq: this.stored.log.length + 1, stepNumber: 0, attempt: 1 };
    const row: LogRow = { ...at, offset, size: Buffer.byteLength(text), text, firstLine, ...columns };
    this.stored.log.push(row);
    return row;
  }

  metric(columns: Partial<MetricRow> = {}): void {
    const seq = this.stored.metrics.length + 1;
    this.stored.metrics.push({ jobId: job, seq, stepNumber: 0, attempt: 1, name: 'loss', value: 1, iteration: 1, ...columns });
  }

  subscribe(client: string, stream: StreamKind, after: string | null = null): string {
    const subscription = `${this.notes.length} ${stream}`;
    const jobId = stream === 'feed' ? '' : job;
    this.write(client, { kind: 'subscribed', subscription, stream, jobId, projectId: project, after, slowMs: 0 });
    return subscription;
  }

  frame(client: string, subscription: string, cursor: string, rows: FrameSeen['rows'], more: Partial<FrameSeen> = {}): void {
    this.write(client, { kind: 'frame', subscription, cursor, state: 'LIVE', missed: 0, rows, ...more });
  }

  evidence(): Evidence {
    return gather(readHistory(this.notes), this.stored);
  }
}

/** Rows of a frame, as the documents select them. */
export const seenLog = ({ seq, stepNumber, attempt, offset, text }: LogRow) => ({
  cursor: cursorOf('log', seq),
  stepNumber,
  attempt,
  offset,
  text,
});

export function seenEvent({ type, from, to, attempt, reason, jobId }: EventRow): Record<string, unknown> {
  if (type === 'STEP_STATUS_CHANGED')
    return { __typename: 'StepStatusChangedEvent', job: { id: jobId }, step: { number: 0 }, stepFrom: from, stepTo: to, attempt, reason };
  if (type === 'JOB_STATUS_CHANGED') return { __typename: 'JobStatusChangedEvent', job: { id: jobId }, jobFrom: from, jobTo: to, reason };
  return { __typename: 'JobCreatedEvent', job: { id: jobId } };
}

export const stale = { __typename: 'StaleLeaseError', code: 'STALE_LEASE' };
export const completed = { __typename: 'CompleteStepPayload', step: { status: 'SUCCEEDED' }, job: { status: 'RUNNING' } };
export const reported = (nextLogOffset: number) => ({ __typename: 'ReportProgressPayload', nextLogOffset });
