/** Reports of a running step: metrics, telemetry, log, message, addresses. */
import { saveReport } from '../../store/changes/steps.ts';
import type { Optional } from '../../store/optional.ts';
import { lastTransitionOfStep } from '../../store/queries/history.ts';
import type { JobRow, StepRow } from '../../store/schema/tables.ts';
import type { Principal } from '../access/principal.ts';
import { type Change, record } from '../core/change.ts';
import { Checks } from '../core/checks.ts';
import type { Domain } from '../core/domain.ts';
import type { StatusReason } from '../core/lifecycle.ts';
import { later, moveStep, setJobFields } from '../core/transitions.ts';
import { COMMIT, withCommit } from '../jobs/code.ts';
import { type Directives, directivesOf, underLease } from '../steps/held.ts';
import { lockedJob } from '../steps/lock-order.ts';
import { checkLeaseSeconds, type Lease } from './claims.ts';
import { extend } from './leases.ts';
import { checkLog, type LogChunkInput, storeLog } from './log.ts';
import { checkMetrics, type IgnoredMetric, type MetricInput, type StoredMetrics, storeMetrics } from './metrics.ts';
import { checkTelemetry, storeTelemetry, type TelemetryInput } from './telemetry.ts';

export interface ComputeTimeInput {
  cpuStartedAt?: Optional<Date>;
  cpuEndedAt?: Optional<Date>;
  gpuStartedAt?: Optional<Date>;
  gpuEndedAt?: Optional<Date>;
}

export interface ReportProgressInput {
  leaseToken: string;
  reason?: Optional<StatusReason>;
  description?: Optional<string>;
  statusMessage?: Optional<string>;
  metrics?: Optional<readonly MetricInput[]>;
  telemetry?: Optional<readonly TelemetryInput[]>;
  log?: Optional<readonly LogChunkInput[]>;
  httpUrl?: Optional<string>;
  sshServer?: Optional<string>;
  internalHostname?: Optional<string>;
  gitCommit?: Optional<string>;
  computeTime?: Optional<ComputeTimeInput>;
  leaseSeconds?: Optional<number>;
}

/** Stores the whole report in one transaction. Returns the directives for the device. */
export async function reportProgress(
  domain: Domain,
  principal: Principal,
  input: ReportProgressInput,
): Promise<Directives & { lease: Lease; nextLogOffset: number; ignoredMetrics: readonly IgnoredMetric[] }> {
  checkProgress(domain, input);
  return underLease(domain, principal, input.leaseToken, async (change, held) => {
    const { step, mask } = held;
    await prepareStep(change, step, { ...input, description: input.description && mask.text(input.description) });
    const statusMessage = input.statusMessage && mask.text(input.statusMessage);
    const { ignored } = await storeMetrics(change, step, mask.value(input.metrics ?? []));
    await storeTelemetry(change, attemptAt(step), input.telemetry ?? []);
    const logged = await storeLog(change, step, input.log ?? [], mask);
    await recordReport(change, step, { ...logged, statusMessage: statusMessage ?? step.statusMessage });
    await updateJob(change, step, { ...input, statusMessage });
    const lease = input.leaseSeconds
      ? await extend(change, step, input.leaseToken, input.leaseSeconds)
      : { token: input.leaseToken, attempt: step.attemptCount, expiresAt: step.leaseExpiresAt ?? change.now };
    return { lease, nextLogOffset: logged.logSize, ignoredMetrics: ignored, ...directivesOf(held) };
  });
}

/** Reasons that a device may report before its command runs, or when it has just started. */
export const preparations: readonly StatusReason[] = ['CONTAINER_CREATING', 'CONTAINER_STARTED'];

/** Records how far the preparation of the step is. The same report twice is recorded once. */
async function prepareStep(change: Change, step: StepRow, { reason, description }: ReportProgressInput): Promise<void> {
  // A step that is to stop has another reason for its status.
  if (!reason || step.status !== 'RUNNING') return;
  const [last] = await change.tx.run(lastTransitionOfStep, { stepId: step.id });
  if (last?.attempt === step.attemptCount && last.reason === reason && last.description === (description ?? '')) return;
  const job = await lockedJob(change, step.jobId);
  await moveStep(change, step, 'prepare', { reason, description: description ?? '' });
  // A round has many steps that run at the same time: none of them speaks for the job.
  if (job.status !== 'RUNNING' || step.part !== null) return;
  const fields = { reason, reasonDescription: description ?? '', updatedAt: later(change.now, job.updatedAt) };
  await setJobFields(change, job.id, fields);
}

/** The attempt that reports. */
const attemptAt = ({ jobId, number, attemptCount }: StepRow) => ({ jobId, stepNumber: number, attempt: attemptCount });

function checkProgress(domain: Domain, input: ReportProgressInput): void {
  const checks = new Checks(domain);
  checks.text(['statusMessage'], input.statusMessage);
  checks.text(['description'], input.description);
  if (input.reason && !preparations.includes(input.reason)) checks.refuse(['reason'], `must be one of ${preparations.join(', ')}.`);
  if (input.description && !input.reason)
    checks.refuse(['description'], 'needs reason as well: it explains the reason. Give both or neither.');
  checkMetrics(checks, ['metrics'], input.metrics);
  checkTelemetry(checks, ['telemetry'], input.telemetry);
  checkLog(checks, ['log'], input.log);
  for (const field of ['httpUrl', 'sshServer', 'internalHostname'] as const) checks.text([field], input[field], 2_048);
  // The path is the gateway's own: an agent with a tunnel reports it.
  if (input.httpUrl && !/^https?:\/\/|^\/jobs\/job_\w{26}\/http\/$/i.test(input.httpUrl))
    checks.refuse(['httpUrl'], 'must start with http:// or https://, or be /jobs/ID/http/.');
  if (input.gitCommit && !COMMIT.test(input.gitCommit)) checks.refuse(['gitCommit'], 'must be 40 or 64 hexadecimal digits in lower case.');
  checks.done();
  if (input.leaseSeconds !== null && input.leaseSeconds !== undefined) checkLeaseSeconds(domain, input.leaseSeconds);
}

async function recordReport({ tx }: Change, before: StepRow, after: StepRow): Promise<void> {
  if (after.logSize === before.logSize && after.statusMessage === before.statusMessage) return;
  await tx.run(saveReport, after);
}

/** Updates the fields of the job that the report contains. */
async function updateJob(change: Change, step: StepRow, input: ReportProgressInput): Promise<void> {
  const { statusMessage, httpUrl, sshServer, internalHostname, computeTime, gitCommit } = input;
  const said: Partial<JobRow> = {};
  for (const [field, value] of Object.entries({ statusMessage, httpUrl, sshServer, internalHostname, ...computeTime })) {
    if (value !== null && value !== undefined) Object.assign(said, { [field]: value });
  }
  if (Object.keys(said).length === 0 && !gitCommit) return;
  const job = await lockedJob(change, step.jobId);
  const code = gitCommit ? withCommit(job, gitCommit) : null;
  if (code) said.code = code;
  const changed = (Object.keys(said) as (keyof JobRow)[]).filter((field) => !isSame(said[field], job[field])); // keys of a Partial<JobRow>
  if (changed.length === 0) return;
  await setJobFields(change, job.id, { ...said, updatedAt: later(change.now, job.updatedAt) });
  record(change, job, { type: 'JOB_UPDATED', details: changed });
}

/** Compares two values of a text or time column. */
function isSame(one: unknown, other: unknown): boolean {
  return one instanceof Date && other instanceof Date ? one.getTime() === other.getTime() : one === other;
}

export async function reportMetrics(
  domain: Domain,
  principal: Principal,
  { leaseToken, metrics }: { leaseToken: string; metrics: readonly MetricInput[] },
): Promise<StoredMetrics & { step: StepRow }> {
  const checks = new Checks(domain);
  checkMetrics(checks, ['metrics'], metrics);
  checks.done();
  return underLease(domain, principal, leaseToken, async (change, { step, mask }) => ({
    step,
    ...(await storeMetrics(change, step, mask.value(metrics))),
  }));
}

export async function reportTelemetry(
  domain: Domain,
  principal: Principal,
  { leaseToken, samples }: { leaseToken: string; samples: readonly TelemetryInput[] },
): Promise<{ accepted: number }> {
  const checks = new Checks(domain);
  checkTelemetry(checks, ['samples'], samples);
  checks.done();
  return underLease(domain, principal, leaseToken, async (change, { step }) => ({
    accepted: await storeTelemetry(change, attemptAt(step), samples),
  }));
}

export async function appendLog(
  domain: Domain,
  principal: Principal,
  { leaseToken, chunks }: { leaseToken: string; chunks: readonly LogChunkInput[] },
): Promise<{ nextLogOffset: number }> {
  const checks = new Checks(domain);
  checkLog(checks, ['chunks'], chunks);
  checks.done();
  return underLease(domain, principal, leaseToken, async (change, { step, mask }) => {
    const logged = await storeLog(change, step, chunks, mask);
    await recordReport(change, step, logged);
    return { nextLogOffset: logged.logSize };
  });
}
