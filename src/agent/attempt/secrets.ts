/** An attempt's secrets, which nobody else may read. */
import type { Requester } from '../../client/request.ts';
import { Mask } from '../../text/mask.ts';
import type { Outcome } from './report.ts';
import type { Claim } from './worker.ts';

/** The claim with its secret variables filled in. In the step itself they read `***`. */
export function reveal(claim: Claim): Claim {
  const { container } = claim.step;
  if (container === null || claim.secretEnv.length === 0) return claim;
  const values = new Map(claim.secretEnv.map(({ name, value }) => [name, value]));
  const env = container.env.map((variable) => ({ ...variable, value: values.get(variable.name) ?? variable.value }));
  return { ...claim, step: { ...claim.step, container: { ...container, env } } };
}

/**
 * Hides the job's secrets, the lease token, and the device's own key, which a step that runs as the
 * agent's user may find.
 */
export function maskOf({ lease, secretEnv }: Claim, { target }: Requester): Mask {
  return new Mask([lease.token, target.token ?? '', ...secretEnv.map(({ value }) => value)]);
}

/** The outcome without secrets in its description. */
export function masked(outcome: Outcome, mask: Mask): Outcome {
  if (outcome.kind === 'RELEASE') return { ...outcome, description: mask.text(outcome.description) };
  if (outcome.kind !== 'FAIL') return outcome;
  return { ...outcome, failure: { ...outcome.failure, description: mask.text(outcome.failure.description) } };
}
