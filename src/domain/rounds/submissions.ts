/**
 * Checks submitted models. It happens before the transaction that takes the model, because reading
 * one may take long.
 */

import { modelOfAttempt, participantsOfRound, roundByNumber } from '../../store/changes/federations.ts';
import { federationsOfJobs } from '../../store/queries/federations.ts';
import { fragmentById, stepById } from '../../store/queries/rows.ts';
import type { FragmentRow, StepRow } from '../../store/schema/tables.ts';
import type { Queries } from '../../store/store.ts';
import { holds } from '../access/keys.ts';
import type { Principal } from '../access/principal.ts';
import { requireRight, sees } from '../access/rights.ts';
import { parseLeaseToken } from '../access/secrets.ts';
import type { Domain, StoredModel } from '../core/domain.ts';
import { InvalidInput } from '../core/refusals.ts';

/**
 * Refuses a file that is not a model, or whose tensors differ from those the round started from.
 * Returns the id of the fragment that was checked. Returns null if there is nothing to check; the
 * change itself then says what is missing.
 */
export async function inspectSubmission(domain: Domain, principal: Principal, token: string): Promise<string | null> {
  requireRight(principal, 'useLease');
  const { read } = domain.store;
  const name = parseLeaseToken(token);
  const [step] = name ? await read.run(stepById, { id: name.stepId }) : [];
  if (!name || !step || step.part === null || !sees(principal, step)) return null;
  if (step.attemptCount !== name.attempt || !holds(step, token, domain.clockGuard.dueBy())) return null;
  const [model] = await read.run(modelOfAttempt, { jobId: step.jobId, stepId: step.id, attempt: step.attemptCount });
  const stored = model && storedModel(domain, model);
  if (!model || !stored) return null;
  const findings = await domain.models.inspect(stored, await referenceOf(domain, step), await isAveraged(read, step));
  if (findings.length > 0) throw new InvalidInput(findings.map((message) => ({ path: ['leaseToken'], message })));
  return model.id;
}

/**
 * Whether the gateway averages the models. A worker with its own aggregation program may accept any
 * model.
 */
async function isAveraged(queries: Queries, { jobId, part }: StepRow): Promise<boolean> {
  const [federation] = part === 'TRAIN' ? await federationsOfJobs(queries, [jobId]) : [];
  return federation !== undefined && federation.aggregateContainer === null;
}

const storedModel = ({ files }: Domain, { id, sha256, sizeBytes }: FragmentRow): StoredModel | null =>
  sha256 === null || sizeBytes === null ? null : { file: files.share({ id, sha256 }), sizeBytes };

/**
 * The model that the round started from. Without one, the first submitted model says which tensors
 * the others must have.
 */
async function referenceOf(domain: Domain, step: StepRow): Promise<StoredModel | null> {
  const { read } = domain.store;
  const [round] = await read.run(roundByNumber, { jobId: step.jobId, number: step.round ?? 0 });
  const id = round?.startModelId ?? (await firstSubmitted(read, step));
  const [fragment] = id ? await read.run(fragmentById, { id }) : [];
  return fragment ? storedModel(domain, fragment) : null;
}

async function firstSubmitted(queries: Queries, { jobId, round }: StepRow): Promise<string | null> {
  const participants = await queries.run(participantsOfRound, { jobId, round: round ?? 0 });
  return participants.find(({ status }) => status === 'SUBMITTED')?.fragmentId ?? null;
}
