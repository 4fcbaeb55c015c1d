/** The input of a job, and all checks that need only the input and its application. */

import type { Optional } from '../../store/optional.ts';
import { jobById } from '../../store/queries/rows.ts';
import type { ApplicationRow } from '../../store/schema/tables.ts';
import type { Principal } from '../access/principal.ts';
import { sees } from '../access/rights.ts';
import { Checks, type ContainerInput, containerOf, type StepInput, stepTemplateOf } from '../core/checks.ts';
import type { Domain } from '../core/domain.ts';
import type { Container, JobInitiator, JobType, StepTemplate, TerminationCriterion } from '../core/vocabulary.ts';
import { checkFederation, type FederationInput } from '../federation/federation.ts';
import { checkCode, type JobCodeInput } from './code.ts';
import { checkJobFields, type NewJobFields } from './fields.ts';
import { type CheckedItem, checkItems, type JobItemInput } from './items.ts';
import { checkSettings, type EffectiveSettings, type Judgement, judgeSettings, type SettingOverride } from './settings.ts';
import { checkStart, type NamedStart } from './start.ts';

export interface CreateJobInput extends NewJobFields, NamedStart {
  projectId: string;
  experimentId?: Optional<string>;
  applicationId?: Optional<string>;
  modelId?: Optional<string>;
  type?: Optional<JobType>;
  initiator?: Optional<JobInitiator>;
  items?: Optional<readonly JobItemInput[]>;
  settings?: Optional<Record<string, unknown>>;
  settingsOverrides?: Optional<readonly SettingOverride[]>;
  steps?: Optional<readonly StepInput[]>;
  federation?: Optional<FederationInput>;
  container?: Optional<ContainerInput>;
  code?: Optional<JobCodeInput>;
  idempotencyKey?: Optional<string>;
}

/** What a job takes from its application, as it was when the job was created. */
export type KeptApplication = Pick<
  ApplicationRow,
  'id' | 'name' | 'itemDefinitions' | 'settingsSchema' | 'container' | 'supportsContinualTraining'
>;

/**
 * A job's input as stored in its row. Updates and retries use it, even if the application has
 * changed since.
 */
export interface KeptInput extends CreateJobInput {
  readonly application: KeptApplication | null;
}

const optionalIds = [
  'experimentId',
  'applicationId',
  'modelId',
  'startModelId',
  'startModelVersionId',
  'datasetId',
  'datasetVersionId',
] as const;

/** The input without blank ids: they are empty fields of a form. */
export function withoutBlankIds(input: CreateJobInput): CreateJobInput {
  const blank = optionalIds.filter((field) => input[field]?.trim() === '');
  return blank.length === 0 ? input : { ...input, ...Object.fromEntries(blank.map((field) => [field, null])) };
}

/** The stored `jobs.input`. */
// Cast: `makeJob` put it there.
export const keptInputOf = ({ input }: { readonly input: Record<string, unknown> }) => input as unknown as KeptInput;

/**
 * The stored input of a job that the principal sees, read before a change. Null if it sees no such
 * job.
 */
export async function readKeptInput({ store }: Domain, principal: Principal, id: string): Promise<KeptInput | null> {
  const [job] = await store.read.run(jobById, { id });
  return job && sees(principal, { projectId: job.projectId, jobId: id }) ? keptInputOf(job) : null;
}

export interface CheckedJob {
  readonly settings: EffectiveSettings;
  readonly items: readonly CheckedItem[];
  readonly container: Container | null;
  readonly steps: readonly StepTemplate[];
  /** Only for federated jobs. */
  readonly criteria: readonly TerminationCriterion[];
}

/** Checks the settings of the input against the application's schema. Call it before the change. */
export const judgeJob = (
  domain: Domain,
  input: Pick<CreateJobInput, 'settings' | 'settingsOverrides'>,
  application: Optional<KeptApplication>,
) => judgeSettings(domain, input.settings, input.settingsOverrides, application?.settingsSchema);

/** Throws InvalidInput. */
export function checkJob(domain: Domain, { application, ...input }: KeptInput, judgement: Judgement): CheckedJob {
  const checks = new Checks(domain);
  checkJobFields(checks, input);
  checkStart(checks, input);
  checks.container(['container'], input.container);
  checks.steps(['steps'], input.steps);
  checkCode(checks, input.code);
  const criteria = input.federation ? checkFederation(checks, input.federation).criteria : [];
  if (input.federation && input.steps) checks.refuse(['steps'], 'must not be given together with federation: its rounds create the steps.');
  if (input.steps && input.container)
    checks.refuse(['container'], 'must not be given together with steps. Give each step its own container.');
  const items = checkItems(checks, input.items, application);
  const settings = checkSettings(checks, input.settings, input.settingsOverrides, application?.settingsSchema ?? null, judgement);
  checks.done();
  const container = containerOf(input.container) ?? application?.container ?? null;
  const { steps, federation } = input;
  if (federation) {
    const ofRound = Array.from({ length: federation.numDevices + (federation.numBufferDevices ?? 0) }, () => federation.trainContainer);
    checks.copiesOfContainers(
      ['federation'],
      ofRound.map((own) => own ?? container),
    );
  } else if (steps) {
    checks.copiesOfContainers(
      ['steps'],
      steps.map((step) => step.container ?? container),
    );
  }
  checks.done();
  return { settings, items, criteria, container, steps: input.federation ? [] : stepsOf(input.steps, container) };
}

/** A step without a container of its own runs the job's. */
function stepsOf(steps: Optional<readonly StepInput[]>, container: Container | null): StepTemplate[] {
  return (steps ?? [{ name: 'Run' }]).map((step) => stepTemplateOf({ ...step, container: step.container ?? container }));
}
