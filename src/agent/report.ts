import { Refused } from '../client/errors.ts';
import type { Client } from '../client/fetch.ts';
import { CompleteStepDocument, FailStepDocument, ReleaseStepDocument } from '../client/generated.ts';
import { askUntilAnswered } from './asking.ts';
import type { StopOrder } from './lease.ts';
import type { StepExit, StepFailure } from './running.ts';

/** What the agent says of an attempt at its end. NOTHING: the lease is lost, and there is nobody to say it to. */
export type Outcome =
  | { readonly kind: 'COMPLETE' }
  | { readonly kind: 'FAIL'; readonly failure: StepFailure; readonly exitCode: number | null }
  | { readonly kind: 'RELEASE'; readonly description: string }
  | { readonly kind: 'NOTHING' };

/** The outcome of a step whose command was told to stop. */
export function outcomeOfOrder(order: StopOrder, exit: StepExit | null): Outcome {
  switch (order.kind) {
    case 'LOST':
      return { kind: 'NOTHING' };
    case 'PREEMPT':
      return { kind: 'RELEASE', description: 'Preempted: the device gave the step back.' };
    case 'RELEASE':
      return { kind: 'RELEASE', description: 'The agent is stopping and gave the step back.' };
    case 'CANCEL': {
      const description = order.reason ? `Stopped: ${order.reason}` : 'Stopped, as the job was cancelled.';
      return { kind: 'FAIL', failure: { reason: 'DEVICE_REPORTED', description }, exitCode: exit?.exitCode ?? null };
    }
  }
}

/** The outcome of a step whose command came to its own end. */
export function outcomeOfExit(exit: StepExit): Outcome {
  if (exit.exitCode === 0) return { kind: 'COMPLETE' };
  const failure = exit.failure ?? { reason: 'EXIT_CODE', description: `The command ended with exit code ${exit.exitCode}.` };
  return { kind: 'FAIL', failure, exitCode: exit.exitCode };
}

/** A sentence for the agent's own log. */
export function describeOutcome(outcome: Outcome): string {
  if (outcome.kind === 'COMPLETE') return 'succeeded';
  if (outcome.kind === 'FAIL') return `failed: ${outcome.failure.description}`;
  return outcome.kind === 'RELEASE' ? `was given back: ${outcome.description}` : 'is not this device’s any more: nothing was reported';
}

/**
 * Reports the outcome until the gateway answers. When the answer of a first report was lost, the lease is over and the second one is answered with
 * STALE_LEASE: that is an answer too. Rejects with Refused for another refusal, and with the signal's reason.
 */
export async function reportOutcome(client: Client, leaseToken: string, outcome: Outcome, signal: AbortSignal): Promise<void> {
  if (outcome.kind === 'NOTHING') return;
  const result = await ask(client, leaseToken, outcome, signal);
  if ('code' in result && result.code !== 'STALE_LEASE') throw new Refused(result);
}

async function ask(client: Client, leaseToken: string, outcome: Exclude<Outcome, { kind: 'NOTHING' }>, signal: AbortSignal) {
  switch (outcome.kind) {
    case 'COMPLETE':
      return (await askUntilAnswered(client, CompleteStepDocument, { input: { leaseToken, exitCode: 0 } }, { signal })).completeStep;
    case 'RELEASE': {
      const input = { leaseToken, description: outcome.description };
      return (await askUntilAnswered(client, ReleaseStepDocument, { input }, { signal })).releaseStep;
    }
    case 'FAIL': {
      const { reason, description } = outcome.failure;
      const input = { leaseToken, reason, description: description.slice(0, 1_000), exitCode: outcome.exitCode };
      return (await askUntilAnswered(client, FailStepDocument, { input }, { signal })).failStep;
    }
  }
}
