/** How an attempt ends from the device's side: completed or failed. */

import type { Optional } from '../../store/optional.ts';
import type { JobRow, StepRow } from '../../store/schema/tables.ts';
import type { Principal } from '../access/principal.ts';
import type { Change } from '../core/change.ts';
import { Checks } from '../core/checks.ts';
import type { Domain } from '../core/domain.ts';
import { isTerminalJob, type StatusReason } from '../core/lifecycle.ts';
import { type OutputDocument, storeOutput, withDocument } from '../jobs/outputs.ts';
import { advanceJob, endAttempt, endJob, endStopped } from '../jobs/progression.ts';
import { evict } from '../preemption/preemption.ts';
import { advanceRound, dropStep } from '../rounds/rounds.ts';
import { inspectSubmission } from '../rounds/submissions.ts';
import { type Held, jobOfLease, underLease } from '../steps/held.ts';
import { lockedJob } from '../steps/lock-order.ts';
import { checkMetrics, type MetricInput, storeMetrics } from './metrics.ts';

export interface CompleteStepInput {
  leaseToken: string;
  exitCode?: Optional<number>;
  description?: Optional<string>;
  metrics?: Optional<readonly MetricInput[]>;
  output?: Optional<Record<string, unknown>>;
  /** For a federated training step: the number of samples that the model was trained on. */
  numSamples?: Optional<number>;
}

/** Records that the step succeeded. Then the next step can be claimed, or the job has succeeded. */
export async function completeStep(
  domain: Domain,
  principal: Principal,
  input: CompleteStepInput,
): Promise<{ step: StepRow; job: JobRow }> {
  const checks = new Checks(domain);
  checks.text(['description'], input.description);
  checkMetrics(checks, ['metrics'], input.metrics);
  checks.json(['output'], input.output);
  checks.range(['numSamples'], input.numSamples, 1, 2 ** 31 - 1);
  checks.done();
  // The model that was inspected, if any. Undefined: not looked yet, as most steps submit none.
  let inspectedId: string | null | undefined;
  const complete =
    (document: OutputDocument | null) =>
    async (change: Change, { step, mask }: Held) => {
      if (step.part !== null && inspectedId === undefined) return null;
      await storeMetrics(change, step, mask.value(input.metrics ?? []));
      const exitCode = input.exitCode ?? 0;
      const cause = { reason: 'COMPLETED', description: mask.text(input.description ?? ''), exitCode } as const;
      const completed = await endAttempt(change, step, 'SUCCEEDED', 'complete', cause);
      const replaced = document && (await storeLastOutput(change, principal, step, document));
      const submission = { inspectedId: inspectedId ?? null, numSamples: input.numSamples ?? null };
      const job =
        step.part === null
          ? await advanceJob(change, await lockedJob(change, step.jobId), completed, exitCode)
          : await advanceRound(change, completed, submission);
      return { value: { step: completed, job }, replaced };
    };
  const write = async (document: OutputDocument | null) => {
    for (;;) {
      const completed = await underLease(domain, principal, input.leaseToken, complete(document), { mayEnd: true });
      if (completed) return completed;
      // Not within the change: it reads whole models.
      inspectedId = await inspectSubmission(domain, principal, input.leaseToken);
    }
  };
  const { output } = input;
  const jobId = output ? await jobOfLease(domain, principal, input.leaseToken) : null;
  // An invalid token, or another device's, has no output to store: the lease check below refuses
  // it.
  if (!output || jobId === null) return (await write(null)).value;
  return withDocument(domain, principal, { jobId, output, leaseToken: input.leaseToken }, write);
}

/**
 * Completes many steps. Each succeeds or is refused by itself; the results are in the order of the
 * input. All of them wait for the store together, so SQLite stores them in one transaction.
 */
export async function completeSteps(
  domain: Domain,
  principal: Principal,
  { steps }: { steps: readonly CompleteStepInput[] },
): Promise<PromiseSettledResult<{ step: StepRow; job: JobRow }>[]> {
  const checks = new Checks(domain);
  checks.count(['steps'], steps, domain.limits.claimsAtMost);
  const tokens = new Set<string>();
  for (const [i, { leaseToken }] of steps.entries()) {
    // On PostgreSQL the steps are completed at the same time, and either of the two could win.
    if (tokens.has(leaseToken)) checks.refuse(['steps', i, 'leaseToken'], 'is that of an earlier step of the list.');
    tokens.add(leaseToken);
  }
  checks.done();
  return Promise.allSettled(steps.map((step) => completeStep(domain, principal, step)));
}

/**
 * Stores the attempt's output as that of the job. Returns the id of the fragment that it replaces,
 * if any.
 */
async function storeLastOutput(change: Change, principal: Principal, step: StepRow, document: OutputDocument): Promise<string | null> {
  const job = await lockedJob(change, step.jobId);
  // A model that arrives after its job has ended is stored, but the job's result does not change.
  if (isTerminalJob(job.status)) return document.id;
  return (await storeOutput(change, principal, job, document)).replaced;
}

/** Reasons that a device may report for a failed attempt. Only the gateway gives the others. */
export const reportedReasons: readonly StatusReason[] = [
  'DEVICE_REPORTED',
  'EXIT_CODE',
  'IMAGE_PULL_FAILED',
  'OUT_OF_MEMORY',
  'RUN_TIMEOUT',
];

export interface FailStepInput {
  leaseToken: string;
  reason?: Optional<StatusReason>;
  description?: Optional<string>;
  exitCode?: Optional<number>;
}

/**
 * Records that the attempt failed. The step is queued again while maxAttempts allows; otherwise its
 * job fails.
 */
export async function failStep(domain: Domain, principal: Principal, input: FailStepInput): Promise<{ step: StepRow; job: JobRow }> {
  const reason = input.reason ?? 'DEVICE_REPORTED';
  const checks = new Checks(domain);
  checks.text(['description'], input.description);
  if (!reportedReasons.includes(reason)) checks.refuse(['reason'], `must be one of ${reportedReasons.join(', ')}.`);
  checks.done();
  const fail = async (change: Change, { step, mask }: Held) => {
    const cause = { reason, description: mask.text(input.description ?? ''), exitCode: input.exitCode ?? null };
    if (step.status === 'CANCELLING') return endStopped(change, step, 'CANCELLED', 'fail', cause);
    // A step that stopped because it was told to has not failed, even if the device reports that it
    // did.
    if (step.preemptedForId !== null) return evict(change, step, cause.description);
    const failedCount = step.failedCount + 1;
    if (failedCount < step.maxAttempts) {
      const requeued = await endAttempt(change, step, 'FAILED', 'requeue', cause, { failedCount });
      return { step: requeued, job: await lockedJob(change, step.jobId) };
    }
    const failed = await endAttempt(change, step, 'FAILED', 'fail', cause, { failedCount });
    if (step.part !== null) return { step: failed, job: await dropStep(change, failed, cause) };
    const description = cause.description || `Step ${step.number} (${step.name}) failed.`;
    return { step: failed, job: await endJob(change, await lockedJob(change, step.jobId), 'fail', { ...cause, description }) };
  };
  return underLease(domain, principal, input.leaseToken, fail, { mayEnd: true });
}
