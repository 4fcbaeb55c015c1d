/**
 * Creating a job: from steps, from one container, from a project's pipeline, or with a single
 * default step.
 */

import { lockFragment } from '../../store/changes/fragments.ts';
import { insertJob, insertJobItem, insertJobLabel } from '../../store/changes/jobs.ts';
import type { Optional } from '../../store/optional.ts';
import { jobById } from '../../store/queries/rows.ts';
import type { JobRow } from '../../store/schema/tables.ts';
import { emptyRow, insertRows } from '../../store/statements/inserts.ts';
import { addKey } from '../access/keys.ts';
import type { Principal } from '../access/principal.ts';
import { requireRight } from '../access/rights.ts';
import { visibleJob, visibleProject } from '../access/visible.ts';
import { type Change, change, recordNow } from '../core/change.ts';
import type { Domain } from '../core/domain.ts';
import { once } from '../core/idempotency.ts';
import { isTerminalJob } from '../core/lifecycle.ts';
import { NotFound, wrongState } from '../core/refusals.ts';
import type { JobInitiator } from '../core/vocabulary.ts';
import { beginFederation } from '../federation/federation.ts';
import { requireOwnModel } from '../files/models.ts';
import { makeSteps } from '../steps/planning.ts';
import { applicationFor, readApplication } from './applications.ts';
import { codeColumns, type JobCodeInput } from './code.ts';
import { enterExperiment, requireModel } from './experiments.ts';
import { newJobFields } from './fields.ts';
import {
  type CheckedJob,
  type CreateJobInput,
  checkJob,
  judgeJob,
  type KeptInput,
  keptInputOf,
  readKeptInput,
  withoutBlankIds,
} from './input.ts';
import { withJudgement } from './settings.ts';
import { startOf } from './start.ts';

export interface CreatedJob {
  readonly job: JobRow;
  /** A key for this job alone. Empty for a replay. */
  readonly token: string;
  readonly isReplay: boolean;
}

/** Creates a job. Its first step can be claimed at once. */
export async function createJob(domain: Domain, principal: Principal, given: CreateJobInput): Promise<CreatedJob> {
  requireRight(principal, 'createJob');
  const input = withoutBlankIds(given);
  const ask = async () => judgeJob(domain, input, await readApplication(domain, principal, input.applicationId));
  return withJudgement(ask, (judgement) =>
    change(domain, principal, async (change) => {
      const project = await visibleProject(change, principal, input.projectId);
      return once(change, {
        operation: 'createJob',
        scope: project.id,
        input,
        run: async () => {
          const kept: KeptInput = { ...input, application: await applicationFor(change, principal, input.applicationId) };
          return made(await makeJob(change, principal, kept, checkJob(domain, kept, judgement)));
        },
        replay: (ids) => replayed(change, ids),
      });
    }),
  );
}

/** Starts a job of a project from its pipeline. */
export async function triggerJob(
  domain: Domain,
  principal: Principal,
  input: {
    projectId: string;
    initiator?: Optional<JobInitiator>;
    name?: Optional<string>;
    code?: Optional<JobCodeInput>;
    idempotencyKey?: Optional<string>;
  },
): Promise<CreatedJob> {
  requireRight(principal, 'createJob');
  return change(domain, principal, async (change) => {
    const project = await visibleProject(change, principal, input.projectId);
    const job: KeptInput = {
      projectId: project.id,
      initiator: input.initiator,
      name: input.name ?? project.name,
      code: input.code,
      steps: project.pipeline,
      application: null,
    };
    return once(change, {
      operation: 'triggerJob',
      scope: project.id,
      input,
      run: async () => made(await makeJob(change, principal, job, checkJob(domain, job, { schema: null, outcome: null }))),
      replay: (ids) => replayed(change, ids),
    });
  });
}

/** Creates a job with the input of one that has ended, and with the application as it was then. */
export async function retryJob(
  domain: Domain,
  principal: Principal,
  input: { jobId: string; idempotencyKey?: Optional<string> },
): Promise<CreatedJob> {
  requireRight(principal, 'createJob');
  const ask = async () => {
    const again = await readKeptInput(domain, principal, input.jobId);
    return judgeJob(domain, again ?? {}, again?.application);
  };
  return withJudgement(ask, (judgement) =>
    change(domain, principal, async (change) => {
      const job = await visibleJob(change, principal, input.jobId);
      if (!isTerminalJob(job.status)) throw wrongState.jobNotEnded(job);
      const again = keptInputOf(job);
      if (again.code?.archive && !(await hasFragment(change, again.code.archive.fragmentId))) throw wrongState.codeDeleted(job);
      return once(change, {
        operation: 'retryJob',
        scope: job.projectId,
        input,
        run: async () => made(await makeJob(change, principal, again, checkJob(domain, again, judgement))),
        replay: (ids) => replayed(change, ids),
      });
    }),
  );
}

const hasFragment = async ({ tx }: Change, id: string): Promise<boolean> => (await tx.run(lockFragment, { id })).length > 0;

const made = ({ job, token }: { job: JobRow; token: string }) => ({ value: { job, token, isReplay: false }, ids: [job.id] });

async function replayed({ tx }: Change, [id = '']: readonly string[]): Promise<CreatedJob> {
  const [job] = await tx.run(jobById, { id });
  if (!job) throw new NotFound('job', id);
  return { job, token: '', isReplay: true };
}

/** The start model that the input itself names. It comes before that of the experiment. */
async function namedStart(
  change: Change,
  principal: Principal,
  input: KeptInput,
): Promise<Pick<JobRow, 'startModelId' | 'startModelVersionId'>> {
  const { projectId, federation, application } = input;
  const version = await startOf(change, projectId, input, application?.supportsContinualTraining ?? false);
  if (version) return { startModelId: version.fragmentId, startModelVersionId: version.id };
  const id = federation?.startModelFragmentId?.trim() || null;
  if (id !== null) await requireModel(change.tx, principal, projectId, id, ['federation', 'startModelFragmentId']);
  return { startModelId: id, startModelVersionId: null };
}

async function makeJob(
  change: Change,
  principal: Principal,
  input: KeptInput,
  { settings: { settings, warnings, sources }, items, container, steps, criteria }: CheckedJob,
): Promise<{ job: JobRow; token: string }> {
  const { tx, domain, now, actor } = change;
  const { idempotencyKey: _, ...again } = input;
  // The model is locked before the experiment, in the same order as at the end of a job.
  if (input.modelId) await requireOwnModel(change, input.projectId, input.modelId);
  const place = input.experimentId
    ? await enterExperiment(change, input.projectId, input.experimentId)
    : { isBlocked: false, startModelId: null };
  const start = await namedStart(change, principal, input);
  const code = await codeColumns(change, principal, input.projectId, input.code);
  const fields = newJobFields(input);
  const { scheduleTimeoutSeconds } = fields;
  const job: JobRow = {
    ...emptyRow(tx.t, 'jobs'),
    ...fields,
    id: domain.ids.next('Job'),
    projectId: input.projectId,
    type: input.type ?? 'TRAINING',
    initiator: input.initiator ?? 'MANUAL',
    status: place.isBlocked ? 'BLOCKED' : 'QUEUED',
    reason: place.isBlocked ? 'BLOCKED_BY_JOB' : 'CREATED',
    reasonDescription: '',
    owner: actor,
    container,
    settings,
    settingsWarnings: warnings,
    settingsSources: sources,
    applicationId: input.applicationId ?? null,
    experimentId: input.experimentId ?? null,
    modelId: input.modelId ?? null,
    startModelVersionId: start.startModelVersionId,
    startModelId: start.startModelId ?? place.startModelId,
    isFederated: input.federation != null,
    ...code,
    input: again as unknown as Record<string, unknown>, // a plain object: kept as JSON
    stepCount: steps.length,
    createdAt: now,
    updatedAt: now,
    deadlineAt: scheduleTimeoutSeconds === null || place.isBlocked ? null : new Date(now.getTime() + scheduleTimeoutSeconds * 1_000),
  };
  await insertRows(tx, insertJob, [job]);
  await insertRows(
    tx,
    insertJobLabel,
    job.labels.map(({ key, value }) => ({ jobId: job.id, projectId: job.projectId, key, value })),
  );
  await insertRows(
    tx,
    insertJobItem,
    items.map((item) => ({ ...item, id: domain.ids.next('JobItem'), jobId: job.id, createdAt: now, updatedAt: now })),
  );
  let { stepCount } = job;
  const seq = await recordNow(change, job, { type: 'JOB_CREATED', to: job.status, reason: job.reason });
  if (input.federation)
    stepCount = await beginFederation(change, job, input.federation, {
      criteria,
      container: job.container,
      seq,
      isBlocked: place.isBlocked,
    });
  else await makeSteps(change, { job, templates: steps, from: 0, isFirstReady: !place.isBlocked, seq });
  const { secret } = await addKey(change, { name: `token of ${job.id}`, kind: 'JOB', projectId: job.projectId, jobId: job.id });
  return { job: { ...job, stepCount }, token: secret };
}
