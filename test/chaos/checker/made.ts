/** Rows whose call is known: when it was requested, and by when it was done. */
import type { EventRow } from './database.ts';
import type { Evidence } from './evidence.ts';
import { type Call, groupBy, isDone, type Lease, tell } from './history.ts';

export interface Made {
  /** Made between these two moments on the monotonic clock, in milliseconds. */
  readonly asked: number;
  readonly answered: number;
  readonly call: string;
}

export interface MadeEvent extends Made {
  readonly row: EventRow;
}

export interface MadeRow extends Made {
  readonly stream: 'log' | 'metric';
  readonly jobId: string;
  readonly seq: number;
}

/** Each call that was confirmed as done, with the first request of the same intent. */
function doneCalls({ history }: Evidence): { call: Call; made: Made }[] {
  return [...groupBy(history.calls, ({ intent }) => intent).values()].flatMap((calls) => {
    const done = calls.find(isDone);
    const asked = Math.min(...calls.map((call) => call.asked.mono));
    return done?.answered ? [{ call: done, made: { asked, answered: done.answered.mono, call: tell(done) } }] : [];
  });
}

export function madeEvents(evidence: Evidence): MadeEvent[] {
  const { history, events, eventsOfStep } = evidence;
  return doneCalls(evidence).flatMap(({ call, made }) => {
    const rows: (EventRow | undefined)[] = [];
    if (call.operation === 'createJob' && call.result?.__typename === 'CreateJobPayload' && !call.result.isReplay)
      rows.push(events.get(call.result.job.id)?.[0]);
    if (call.operation === 'claimNextSteps' && call.result?.__typename === 'ClaimNextStepsPayload') {
      for (const { step, lease } of call.result.claims)
        rows.push(eventsOfStep.get(step.id)?.find(({ attempt, to }) => attempt === lease.attempt && to === 'RUNNING'));
    }
    if (call.operation === 'completeStep' || call.operation === 'failStep' || call.operation === 'releaseStep') {
      const lease = history.leases.get(call.input.leaseToken);
      rows.push(lease && eventsOfStep.get(lease.stepId)?.find((row) => endsAttempt(row, lease)));
    }
    return rows.flatMap((row) => (row ? [{ ...made, row }] : []));
  });
}

/**
 * Events of expired leases, which no call made: the gateway stored them at the time that they
 * carry. That is wall-clock time, which the last note converts.
 */
export function expiredLeases({ history, stored }: Evidence): MadeEvent[] {
  const toMono = history.end.mono - history.end.wall;
  return stored.events
    .filter(({ reason, type }) => reason === 'LEASE_EXPIRED' && type === 'STEP_STATUS_CHANGED')
    .map((row) => ({ row, asked: row.at + toMono, answered: row.at + toMono, call: `events ${row.jobId} ${row.seq}` }));
}

const endsAttempt = ({ attempt, from, to }: EventRow, lease: Lease) =>
  attempt === lease.attempt && to !== 'RUNNING' && to !== 'CANCELLING' && (from === 'RUNNING' || from === 'CANCELLING');

/** The last rows of log and metrics that each report wrote. */
export function madeRows(evidence: Evidence): MadeRow[] {
  const { history, log, metrics } = evidence;
  return doneCalls(evidence).flatMap(({ call, made }) => {
    if (call.operation !== 'reportProgress' || call.result?.__typename !== 'ReportProgressPayload') return [];
    const lease = history.leases.get(call.input.leaseToken);
    if (!lease) return [];
    const { jobId } = lease;
    const isOf = (row: { stepNumber: number; attempt: number }) => row.stepNumber === lease.stepNumber && row.attempt === lease.attempt;
    const { nextLogOffset } = call.result;
    const line = call.input.log?.length ? log.get(jobId)?.findLast((row) => isOf(row) && row.offset < nextLogOffset) : undefined;
    const point = call.input.metrics?.at(-1);
    const metric = point && metrics.get(jobId)?.find((row) => isOf(row) && row.name === point.name && row.iteration === point.iteration);
    return [
      ...(line ? [{ ...made, stream: 'log' as const, jobId, seq: line.seq }] : []),
      ...(metric ? [{ ...made, stream: 'metric' as const, jobId, seq: metric.seq }] : []),
    ];
  });
}
