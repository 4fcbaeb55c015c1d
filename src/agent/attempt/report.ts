import { Refused, RequestRefused } from '../../client/errors.ts';
import { CompleteStepDocument, FailStepDocument, ReleaseStepDocument } from '../../client/generated.ts';
import type { Requester } from '../../client/request.ts';
import { acceptMessage } from '../../text/acceptable.ts';
import type { StepExit, StepFailure } from '../process/running.ts';
import { isKeyRefused, requestUntilAnswered } from '../retrying.ts';
import type { StopOrder } from './lease.ts';

/**
 * What the agent reports at an attempt's end. NOTHING: the lease is lost, so there is nothing to
 * report.
 */
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
      const description = order.reason ? `Stopped: ${order.reason}` : 'Stopped because the job was cancelled.';
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

/** Completes a sentence in the agent's log. */
export function describeOutcome(outcome: Outcome): string {
  if (outcome.kind === 'COMPLETE') return 'succeeded';
  if (outcome.kind === 'FAIL') return `failed: ${outcome.failure.description}`;
  return outcome.kind === 'RELEASE' ? `was given back: ${outcome.description}` : 'lost its lease: nothing was reported';
}

/** Of a description. The gateway takes more, but nobody reads more. */
const mostCharacters = 1_000;

/**
 * Reports the outcome until the gateway answers. If the answer to a first report was lost, the
 * lease is over and the second report gets STALE_LEASE: that counts as an answer. A refused report
 * is sent again in generic words, so that the outcome is not lost over its wording. Resolves with
 * what was reported. Rejects with Refused when the generic one is refused too, and with the
 * signal's reason.
 */
export async function reportOutcome(client: Requester, leaseToken: string, outcome: Outcome, signal: AbortSignal): Promise<Outcome> {
  if (outcome.kind === 'NOTHING') return outcome;
  const refusal = await ask(client, leaseToken, outcome, signal);
  if (refusal === null) return outcome;
  const plain = inGenericWords(outcome, refusal);
  const again = await ask(client, leaseToken, plain, signal);
  if (again !== null) throw again;
  return plain;
}

/**
 * The same outcome in words that no gateway refuses. A refused success becomes a failure: the step
 * did not leave what its job requires.
 */
function inGenericWords(outcome: Reportable, refusal: Refused | RequestRefused): Reportable {
  if (outcome.kind === 'RELEASE') return { kind: 'RELEASE', description: 'The device gave the step back.' };
  const description =
    outcome.kind === 'FAIL'
      ? 'The step failed. The gateway refused the description that the device gave.'
      : `The gateway refused the step’s success: ${acceptMessage(refusal.message, mostCharacters)}`;
  return { kind: 'FAIL', failure: { reason: 'DEVICE_REPORTED', description }, exitCode: outcome.kind === 'FAIL' ? outcome.exitCode : 0 };
}

type Reportable = Exclude<Outcome, { kind: 'NOTHING' }>;

/** Resolves with the refusal, if there was one. */
async function ask(
  client: Requester,
  leaseToken: string,
  outcome: Reportable,
  signal: AbortSignal,
): Promise<Refused | RequestRefused | null> {
  try {
    const result = await send(client, leaseToken, outcome, signal);
    return 'code' in result && result.code !== 'STALE_LEASE' ? new Refused(result) : null;
  } catch (error) {
    // If the key is refused, other words do not help.
    if (error instanceof RequestRefused && !isKeyRefused(error)) return error;
    throw error;
  }
}

async function send(client: Requester, leaseToken: string, outcome: Reportable, signal: AbortSignal) {
  switch (outcome.kind) {
    case 'COMPLETE':
      return (await requestUntilAnswered(client, CompleteStepDocument, { input: { leaseToken, exitCode: 0 } }, { signal })).completeStep;
    case 'RELEASE': {
      const input = { leaseToken, description: acceptMessage(outcome.description, mostCharacters) };
      return (await requestUntilAnswered(client, ReleaseStepDocument, { input }, { signal })).releaseStep;
    }
    case 'FAIL': {
      const { reason, description } = outcome.failure;
      const input = { leaseToken, reason, description: acceptMessage(description, mostCharacters), exitCode: outcome.exitCode };
      return (await requestUntilAnswered(client, FailStepDocument, { input }, { signal })).failStep;
    }
  }
}
