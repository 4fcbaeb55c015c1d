/**
 * P1: an answered mutation is stored. Each mutation that was confirmed has its effect in the
 * database, whatever was killed since.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { attemptKey, type Evidence } from './evidence.ts';
import type { Finding } from './finding.ts';
import { type Call, type CallOf, type Lease, tell } from './history.ts';

export function checkDurable(evidence: Evidence): Finding[] {
  return evidence.history.calls.flatMap((call) =>
    missingOf(evidence, call).map((missing) => ({
      promise: 'P1' as const,
      says: `${call.operation} was answered as done, but ${missing}.`,
      evidence: [tell(call)],
    })),
  );
}

/** What an answered call should have stored and did not. */
function missingOf(evidence: Evidence, call: Call): string[] {
  switch (call.operation) {
    case 'createJob':
      return missingOfJob(evidence, call);
    case 'cancelJob':
      return missingOfCancel(evidence, call);
    case 'registerDevice':
      return missingOfDevice(evidence, call);
    case 'claimNextSteps':
      return missingOfClaim(evidence, call);
    case 'renewLease':
      return missingOfRenewal(evidence, call);
    case 'reportProgress':
      return missingOfReport(evidence, call);
    case 'createFragment':
    case 'uploadFragment':
      return missingOfFragment(evidence, call);
    case 'completeStep':
    case 'failStep':
    case 'releaseStep':
      return missingOfEnd(evidence, call);
  }
}

function missingOfJob({ jobs, stored, events }: Evidence, { input, result }: CallOf<'createJob'>): string[] {
  if (result?.__typename !== 'CreateJobPayload') return [];
  const { id } = result.job;
  if (!jobs.has(id)) return [`job ${id} is not stored`];
  const steps = stored.steps.filter(({ jobId }) => jobId === id).map(({ name }) => name);
  const wanted = (input.steps ?? []).map(({ name }) => name);
  const first = events.get(id)?.[0];
  return [
    ...(steps.join() === wanted.join() ? [] : [`job ${id} has the steps ${steps.join()} in place of ${wanted.join()}`]),
    ...(first?.type === 'JOB_CREATED' && first.seq === 1 ? [] : [`the first event of job ${id} does not say that it was made`]),
  ];
}

function missingOfCancel({ jobs, events }: Evidence, { input, result }: CallOf<'cancelJob'>): string[] {
  if (result?.__typename !== 'CancelJobPayload') return [];
  const job = jobs.get(input.jobId);
  const isAsked = events
    .get(input.jobId)
    ?.some(({ to, type }) => type === 'JOB_STATUS_CHANGED' && (to === 'CANCELLING' || to === 'CANCELLED'));
  const isEnding = job?.status === 'CANCELLED' || (job?.status === 'CANCELLING' && result.job.status === 'CANCELLING');
  return isEnding && isAsked ? [] : [`job ${input.jobId} is ${job?.status ?? 'gone'} in the end`];
}

function missingOfDevice({ stored }: Evidence, { result }: CallOf<'registerDevice'>): string[] {
  if (result?.__typename !== 'RegisterDevicePayload') return [];
  const { id } = result.device;
  return stored.devices.some((device) => device.id === id) ? [] : [`device ${id} is not stored`];
}

function missingOfClaim({ attempts, eventsOfStep }: Evidence, { result }: CallOf<'claimNextSteps'>): string[] {
  if (result?.__typename !== 'ClaimNextStepsPayload') return [];
  return result.claims.flatMap(({ step, lease }) => {
    const isTold = eventsOfStep.get(step.id)?.some(({ reason, attempt }) => reason === 'CLAIMED' && attempt === lease.attempt);
    if (!attempts.has(attemptKey(step.id, lease.attempt))) return [`attempt ${lease.attempt} at ${step.id} is not stored`];
    return isTold ? [] : [`no event says that ${step.id} was claimed for attempt ${lease.attempt}`];
  });
}

/**
 * Later renewals of the attempt ask for the same duration, so the end in the answer is never after
 * the stored one.
 */
function missingOfRenewal({ history, attempts }: Evidence, { input, result }: CallOf<'renewLease'>): string[] {
  const lease = history.leases.get(input.leaseToken);
  if (result?.__typename !== 'RenewLeasePayload' || !lease) return [];
  const stored = attempts.get(attemptKey(lease.stepId, lease.attempt))?.leaseExpiresAt ?? 0;
  const answered = Date.parse(result.lease.expiresAt);
  return stored >= answered ? [] : [`the lease of attempt ${lease.attempt} at ${lease.stepId} ends ${answered - stored} ms earlier`];
}

function missingOfReport(evidence: Evidence, { input, result }: CallOf<'reportProgress'>): string[] {
  const lease = evidence.history.leases.get(input.leaseToken);
  if (result?.__typename !== 'ReportProgressPayload' || !lease) return [];
  return [
    ...missingOfLog(evidence, lease, result.nextLogOffset),
    ...missingOfMetrics(evidence, lease, input.metrics ?? []),
    ...missingOfTelemetry(evidence, lease, input.telemetry ?? []),
  ];
}

function missingOfLog({ log }: Evidence, lease: Lease, nextLogOffset: number): string[] {
  const size = (log.get(lease.jobId) ?? []).filter((row) => isOf(row, lease)).reduce((sum, row) => sum + row.size, 0);
  return size >= nextLogOffset
    ? []
    : [`of the log of attempt ${lease.attempt} at ${lease.stepId} ${size} of ${nextLogOffset} bytes are stored`];
}

interface Point {
  readonly name: string;
  readonly value: number;
  readonly iteration?: number | null | undefined;
}

function missingOfMetrics({ metrics }: Evidence, lease: Lease, points: readonly Point[]): string[] {
  const rows = (metrics.get(lease.jobId) ?? []).filter((row) => isOf(row, lease));
  return points
    .filter(({ name, value, iteration }) => !rows.some((row) => row.name === name && row.iteration === iteration && row.value === value))
    .map(({ name, value, iteration }) => `${name} ${value} of iteration ${iteration} of ${lease.stepId} is not stored`);
}

function missingOfTelemetry(
  { telemetry }: Evidence,
  lease: Lease,
  samples: readonly { readonly at?: string | null | undefined }[],
): string[] {
  const rows = (telemetry.get(lease.jobId) ?? []).filter((row) => isOf(row, lease));
  return samples
    .filter(({ at }) => !rows.some((row) => row.at === Date.parse(at ?? '')))
    .map(({ at }) => `the sample of ${at} of ${lease.stepId} is not stored`);
}

const isOf = (row: { stepNumber: number; attempt: number }, lease: Lease) =>
  row.stepNumber === lease.stepNumber && row.attempt === lease.attempt;

function missingOfFragment(evidence: Evidence, call: CallOf<'createFragment'> | CallOf<'uploadFragment'>): string[] {
  const wanted = storedBy(call);
  if (wanted === null) return [];
  const { id, sha256, isReady } = wanted;
  const row = evidence.fragments.get(id);
  if (!row) return [`fragment ${id} is not stored`];
  if (!isReady) return [];
  if (row.status !== 'READY' || row.sha256 !== sha256) return [`fragment ${id} is ${row.status} with ${row.sha256} in place of ${sha256}`];
  if (evidence.fragmentsDir === null) return [];
  const hash = hashOfFile(join(evidence.fragmentsDir, id.slice(-2), `${id}-${sha256}`));
  return hash === sha256 ? [] : [`the bytes of fragment ${id} are ${hash === null ? 'gone' : `others: ${hash}`}`];
}

function storedBy(call: CallOf<'createFragment'> | CallOf<'uploadFragment'>) {
  if (call.operation === 'uploadFragment') {
    return call.result?.__typename === 'Uploaded' ? { id: call.input.fragmentId, sha256: call.result.sha256, isReady: true } : null;
  }
  if (call.result?.__typename !== 'CreateFragmentPayload') return null;
  const { id } = call.result.fragment;
  const isReady = typeof call.input.text === 'string';
  return {
    id,
    isReady,
    sha256: isReady
      ? createHash('sha256')
          .update(call.input.text ?? '')
          .digest('hex')
      : null,
  };
}

function hashOfFile(path: string): string | null {
  try {
    return createHash('sha256').update(readFileSync(path)).digest('hex');
  } catch {
    return null;
  }
}

const outcomes = { completeStep: ['SUCCEEDED'], failStep: ['FAILED', 'CANCELLED'], releaseStep: ['RELEASED', 'CANCELLED'] } as const;

function missingOfEnd(
  { history, attempts, steps, jobs }: Evidence,
  call: CallOf<'completeStep'> | CallOf<'failStep'> | CallOf<'releaseStep'>,
): string[] {
  const lease = history.leases.get(call.input.leaseToken);
  const { result } = call;
  if (!lease || result === null || !('step' in result)) return [];
  const missing: string[] = [];
  const outcome = attempts.get(attemptKey(lease.stepId, lease.attempt))?.outcome;
  if (!(outcomes[call.operation] as readonly (string | undefined)[]).includes(outcome))
    missing.push(`attempt ${lease.attempt} at ${lease.stepId} is ${outcome ?? 'not stored'}`);
  const step = steps.get(lease.stepId);
  if (isTerminal(result.step.status) && step?.status !== result.step.status)
    missing.push(`${lease.stepId} is ${step?.status ?? 'gone'} in the end, and was answered as ${result.step.status}`);
  const job = 'job' in result ? jobs.get(lease.jobId) : undefined;
  if ('job' in result && isTerminal(result.job.status) && job?.status !== result.job.status)
    missing.push(`job ${lease.jobId} is ${job?.status ?? 'gone'} in the end, and was answered as ${result.job.status}`);
  return missing;
}

const isTerminal = (status: string) => ['SUCCEEDED', 'FAILED', 'CANCELLED', 'SKIPPED'].includes(status);
