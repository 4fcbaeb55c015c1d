/** Changing an existing job: updating it, adding steps, deleting it. */

import { insertJobItem, insertJobLabel, lockJob, removeJobLabels, removeJobs, takeJobItems } from '../../store/changes/jobs.ts';
import { lockStepsOfJob, setPriorityOfSteps, stepsOfJobInOrder } from '../../store/changes/steps.ts';
import type { Optional } from '../../store/optional.ts';
import type { JobRow, StepRow } from '../../store/schema/tables.ts';
import { insertRows } from '../../store/statements/inserts.ts';
import { audit } from '../access/audit.ts';
import type { Principal } from '../access/principal.ts';
import { requireRight, sees } from '../access/rights.ts';
import { type Change, change, record, recordNow, storeEvents, topics } from '../core/change.ts';
import { Checks, type StepInput, stepTemplateOf } from '../core/checks.ts';
import type { Domain } from '../core/domain.ts';
import { differingPaths, once } from '../core/idempotency.ts';
import { type JobTransition, jobStatusesThatAllow, nextJobStatus } from '../core/lifecycle.ts';
import { NotFound, wrongState } from '../core/refusals.ts';
import { later, moveJob, setJobFields } from '../core/transitions.ts';
import type { JobType, Label } from '../core/vocabulary.ts';
import { removeFiles } from '../files/fragments.ts';
import { makeSteps } from '../steps/planning.ts';
import { applicationFor, readApplication } from './applications.ts';
import { withdrawResult } from './experiments.ts';
import { type ChangedJobFields, changedJobFields, checkJobFields, touchesConfiguration } from './fields.ts';
import { type KeptApplication, keptInputOf, readKeptInput } from './input.ts';
import { type CheckedItem, checkItems, type JobItemInput } from './items.ts';
import { checkSettings, type Judgement, judgeSettings, withJudgement } from './settings.ts';
import { checkStart, type NamedStart, namesStart, startOf } from './start.ts';

export interface UpdateJobInput extends ChangedJobFields, NamedStart {
  jobId: string;
  expectedUpdatedAt?: Optional<Date>;
  items?: Optional<readonly JobItemInput[]>;
  settings?: Optional<Record<string, unknown>>;
  type?: Optional<JobType>;
  applicationId?: Optional<string>;
}

/**
 * Changes the given fields. Null leaves a field as it is. With expectedUpdatedAt, refused if the
 * job has changed since.
 */
export async function updateJob(domain: Domain, principal: Principal, input: UpdateJobInput): Promise<{ job: JobRow }> {
  requireRight(principal, 'updateJob');
  // A key of the job itself may not change its priority.
  if (input.priority != null) requireRight(principal, 'setPriority');
  // Nor its start model: it could read the models of other jobs.
  if (isRedirected(input)) requireRight(principal, 'createJob');
  const ask = async () => {
    const application =
      (await readApplication(domain, principal, input.applicationId || null)) ??
      (input.settings && (await readKeptInput(domain, principal, input.jobId))?.application);
    return judgeSettings(domain, input.settings, null, application?.settingsSchema);
  };
  return withJudgement(ask, (judgement) =>
    change(domain, principal, async (change) => {
      // Lock order: steps before their job.
      if (input.priority != null) await change.tx.run(lockStepsOfJob, { jobId: input.jobId });
      const job = await requireJob(change, principal, input.jobId);
      requireTransition(job, 'update');
      if (input.expectedUpdatedAt && input.expectedUpdatedAt.getTime() !== job.updatedAt.getTime()) {
        throw wrongState.jobChanged(job);
      }
      const isReconfigured = input.items || input.settings || touchesConfiguration(input) || isRedirected(input);
      if (isReconfigured) requireTransition(job, 'reconfigure');
      const application = input.applicationId ? await applicationFor(change, principal, input.applicationId) : keptInputOf(job).application;
      const { items, configured } = checkUpdate(domain, job, input, { application, judgement });
      const redirected = await redirect(change, job, input, application);
      const given = changedJobFields(job, input);
      const fields = { ...given, ...configured, ...redirected };
      const named = Object.keys(fields).filter((name) => !derived.includes(name));
      const changed = [...named, ...(items ? ['items'] : [])];
      if (changed.length === 0) return { job };
      const updated = { ...job, ...fields, updatedAt: later(change.now, job.updatedAt) };
      await setJobFields(change, job.id, { ...fields, updatedAt: updated.updatedAt });
      if (fields.labels) await replaceLabels(change, job, fields.labels);
      if (items) await replaceItems(change, job.id, items);
      if (fields.priority !== undefined) {
        await change.tx.run(setPriorityOfSteps, { jobId: job.id, priority: fields.priority });
      }
      record(change, job, { type: 'JOB_UPDATED', details: changed });
      return { job: updated };
    }),
  );
}

/** Columns that follow from others. */
const derived: readonly string[] = ['settingsWarnings', 'settingsSources', 'startModelId', 'input'] satisfies (keyof JobRow)[];

/** Whether it becomes a job of another type, application or start model. */
const isRedirected = (input: UpdateJobInput): boolean => Boolean(input.type || input.applicationId) || namesStart(input);

/** The columns of its type, application and start model that change, and its input for a retry. */
async function redirect(change: Change, job: JobRow, input: UpdateJobInput, application: KeptApplication | null): Promise<Partial<JobRow>> {
  if (!isRedirected(input)) return {};
  const kept = keptInputOf(job);
  const version = await startOf(change, job.projectId, input, application?.supportsContinualTraining ?? false);
  const fields: Partial<JobRow> = {
    ...(input.type && input.type !== job.type ? { type: input.type } : {}),
    ...(input.applicationId && input.applicationId !== job.applicationId ? { applicationId: input.applicationId } : {}),
    ...(version && version.id !== job.startModelVersionId ? { startModelVersionId: version.id, startModelId: version.fragmentId } : {}),
  };
  if (Object.keys(fields).length === 0) return {};
  const again = {
    ...kept,
    ...{ type: input.type ?? kept.type, applicationId: input.applicationId || kept.applicationId, application },
    ...(input.applicationId ? { items: input.items ?? null, settings: input.settings ?? null, settingsOverrides: null } : {}),
    ...(version ? { startModelId: null, startModelVersionId: version.id } : {}),
  };
  return { ...fields, input: again as unknown as Record<string, unknown> }; // a plain object: kept as JSON
}

/**
 * Checks the input against the rules of the application: a new one, or its own as it was when the
 * job was created.
 */
function checkUpdate(
  domain: Domain,
  job: JobRow,
  input: UpdateJobInput,
  { application, judgement }: { application: KeptApplication | null; judgement: Judgement },
): { items: CheckedItem[] | null; configured: Partial<JobRow> } {
  const checks = new Checks(domain);
  checkJobFields(checks, input);
  checkStart(checks, input);
  if (job.isFederated && namesStart(input))
    checks.refuse([input.startModelId ? 'startModelId' : 'startModelVersionId'], 'cannot be changed: its first round has one already.');
  if (input.applicationId && application?.settingsSchema && !input.settings)
    checks.refuse(['settings'], `must be given anew: ${application.name} has a schema for them.`);
  const items = input.items || input.applicationId ? checkItems(checks, input.items, application) : null;
  const effective = input.settings ? checkSettings(checks, input.settings, null, application?.settingsSchema ?? null, judgement) : null;
  checks.done();
  if (!effective || differingPaths(effective.settings, job.settings).length === 0) return { items, configured: {} };
  const { settings, warnings: settingsWarnings, sources: settingsSources } = effective;
  return { items, configured: { settings, settingsWarnings, settingsSources } };
}

async function replaceLabels({ tx }: Change, { id: jobId, projectId }: JobRow, labels: readonly Label[]): Promise<void> {
  await removeJobLabels(tx, jobId);
  await insertRows(
    tx,
    insertJobLabel,
    labels.map(({ key, value }) => ({ jobId, projectId, key, value })),
  );
}

/** Items with the same name keep their ids. */
async function replaceItems({ tx, domain, now }: Change, jobId: string, items: readonly CheckedItem[]): Promise<void> {
  const known = new Map((await takeJobItems(tx, jobId)).map((row) => [row.name, row]));
  await insertRows(
    tx,
    insertJobItem,
    items.map((item) => {
      const before = known.get(item.name);
      return { ...item, id: before?.id ?? domain.ids.next('JobItem'), jobId, createdAt: before?.createdAt ?? now, updatedAt: now };
    }),
  );
}

/** Appends steps to an unfinished job. They run after its existing steps. */
export async function addSteps(
  domain: Domain,
  principal: Principal,
  input: { jobId: string; steps: readonly StepInput[]; idempotencyKey?: Optional<string> },
): Promise<{ job: JobRow; steps: StepRow[] }> {
  requireRight(principal, 'addSteps');
  const checks = new Checks(domain);
  checks.steps(['steps'], input.steps, null);
  checks.done();
  return change(domain, principal, async (change) => {
    const job = await requireJob(change, principal, input.jobId);
    return once(change, {
      operation: 'addSteps',
      scope: job.id,
      input,
      run: async () => {
        requireTransition(job, 'addSteps');
        if (job.isFederated) throw wrongState.jobFederated(job);
        if (job.stepCount + input.steps.length > domain.limits.stepsAtMost) {
          checks.refuse(
            ['steps'],
            `exceeds the limit of ${domain.limits.stepsAtMost} steps per job; it has ${job.stepCount} already. Add fewer.`,
          );
          checks.done();
        }
        checks.inputs(['steps'], input.steps, job.stepCount);
        checks.copiesOfContainers(
          ['steps'],
          input.steps.map((step) => step.container ?? job.container),
        );
        checks.done();
        const templates = input.steps.map((step) => stepTemplateOf({ ...step, container: step.container ?? job.container }));
        const grown = await moveJob(change, job, 'addSteps', { reason: 'CREATED' }, { stepCount: job.stepCount + templates.length });
        const seq = await recordNow(change, job, { type: 'STEPS_ADDED', details: templates.map((_, i) => String(job.stepCount + i)) });
        // An unfinished job has a step that has not succeeded, so the new ones wait for it.
        const steps = await makeSteps(change, { job, templates, from: job.stepCount, isFirstReady: false, seq });
        return { value: { job: grown, steps }, ids: steps.map(({ id }) => id) };
      },
      replay: async (ids) => ({
        job,
        steps: (await change.tx.run(stepsOfJobInOrder, { jobId: job.id })).filter(({ id }) => ids.includes(id)),
      }),
    });
  });
}

/** Deletes a job that has ended, with its steps, fragments and streams. */
export async function deleteJob(domain: Domain, principal: Principal, { jobId }: { jobId: string }): Promise<{ deletedJobId: string }> {
  requireRight(principal, 'deleteJob');
  const files = await change(domain, principal, async (change) => {
    await change.tx.run(lockStepsOfJob, { jobId });
    const job = await requireJob(change, principal, jobId);
    requireTransition(job, 'delete');
    change.tx.touch(topics.events(jobId));
    await withdrawResult(change, job);
    for (const topic of [topics.log(jobId), topics.metrics(jobId), topics.telemetry(jobId)]) change.tx.touch(topic);
    await audit(
      change,
      'JOB_DELETED',
      { type: 'JOB', id: jobId, name: job.name, projectId: job.projectId },
      { status: { from: job.status } },
    );
    await storeEvents(change);
    return removeJobs(change.tx, [jobId], change);
  });
  await removeFiles(domain, files);
  return { deletedJobId: jobId };
}

/** Returns the job under its lock, if the principal sees it. */
async function requireJob(change: Change, principal: Principal, id: string): Promise<JobRow> {
  const [job] = await change.tx.run(lockJob, { id });
  if (!job || !sees(principal, { projectId: job.projectId, jobId: id })) throw new NotFound('job', id);
  return job;
}

function requireTransition(job: JobRow, transition: JobTransition): void {
  if (nextJobStatus(job.status, transition) !== null) return;
  throw wrongState.job(job, jobStatusesThatAllow(transition));
}
