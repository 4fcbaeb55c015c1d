/**
 * Experiments: an ordered queue of jobs. One runs at a time, and each starts from the model that
 * the one before it produced.
 */
import { firstUnfinishedJob, insertExperiment, lockExperiment, newestResult } from '../../store/changes/experiments.ts';
import { lockFederation } from '../../store/changes/federations.ts';
import { lockJob } from '../../store/changes/jobs.ts';
import { lockNextBlockedStep } from '../../store/changes/steps.ts';
import type { Optional } from '../../store/optional.ts';
import { fragmentById } from '../../store/queries/rows.ts';
import type { ExperimentRow, JobRow } from '../../store/schema/tables.ts';
import { insertRows } from '../../store/statements/inserts.ts';
import type { Queries } from '../../store/store.ts';
import type { Principal } from '../access/principal.ts';
import { requireRight, sees } from '../access/rights.ts';
import { visibleProject } from '../access/visible.ts';
import { type Change, change, record } from '../core/change.ts';
import { Checks } from '../core/checks.ts';
import type { Domain } from '../core/domain.ts';
import { NotFound, wrongInput } from '../core/refusals.ts';
import { type Cause, later, moveJob, moveStep, setJobFields } from '../core/transitions.ts';
import { tryRound } from '../federation/federation.ts';
import { lockRounds } from '../steps/lock-order.ts';
import { announceQueued } from '../steps/queues.ts';

export interface CreateExperimentInput {
  projectId: string;
  name: string;
  hyperparameters?: Optional<Record<string, unknown>>;
  startModelFragmentId?: Optional<string>;
}

export async function createExperiment(
  domain: Domain,
  principal: Principal,
  input: CreateExperimentInput,
): Promise<{ experiment: ExperimentRow }> {
  requireRight(principal, 'createExperiment');
  const checks = new Checks(domain);
  checks.name(['name'], input.name);
  checks.json(['hyperparameters'], input.hyperparameters);
  checks.done();
  return change(domain, principal, async (change) => {
    const project = await visibleProject(change, principal, input.projectId);
    const startModelId = input.startModelFragmentId?.trim() || null;
    if (startModelId !== null) await requireModel(change.tx, principal, project.id, startModelId, ['startModelFragmentId']);
    const experiment: ExperimentRow = {
      id: domain.ids.next('Experiment'),
      projectId: project.id,
      name: input.name,
      hyperparameters: input.hyperparameters ?? {},
      startModelId,
      createdAt: change.now,
      updatedAt: change.now,
    };
    await insertRows(change.tx, insertExperiment, [experiment]);
    return { experiment };
  });
}

/** Refuses a fragment that is not a completely uploaded model of this project. */
export async function requireModel(
  queries: Queries,
  principal: Principal,
  projectId: string,
  id: string,
  path: readonly string[],
): Promise<void> {
  const [fragment] = await queries.run(fragmentById, { id });
  if (!fragment || fragment.projectId !== projectId || !sees(principal, fragment)) throw wrongInput.noFragment(path, id);
  if (fragment.type !== 'MODEL') throw wrongInput.fragmentIsNoModel(path, fragment);
  if (fragment.status !== 'READY') throw wrongInput.fragmentNotUploaded(path, fragment);
}

/**
 * The newest result of an experiment, or else its start model: a fragment's id, or null.
 * `withoutJobId`: as if this job did not exist.
 */
async function currentModelOf(queries: Queries, experiment: ExperimentRow, withoutJobId = ''): Promise<string | null> {
  const [newest] = await queries.run(newestResult, { experimentId: experiment.id, withoutJobId });
  return newest?.id ?? experiment.startModelId;
}

export interface PlaceInQueue {
  /** Whether an earlier job of the experiment has not ended. */
  readonly isBlocked: boolean;
  /** The start model of a job that starts now. */
  readonly startModelId: string | null;
}

/**
 * Adds a new job to the experiment, under the experiment's lock. Returns whether it has to wait,
 * and its start model.
 */
export async function enterExperiment({ tx }: Change, projectId: string, experimentId: string): Promise<PlaceInQueue> {
  const [experiment] = await tx.run(lockExperiment, { id: experimentId });
  if (!experiment || experiment.projectId !== projectId) throw new NotFound('experiment', experimentId);
  const [earlier] = await tx.run(firstUnfinishedJob, { experimentId });
  return { isBlocked: earlier !== undefined, startModelId: earlier ? null : await currentModelOf(tx, experiment) };
}

/**
 * Call this before ending a job that waits in its experiment: the experiment is locked before its
 * jobs.
 */
export async function lockQueueOf({ tx }: Change, { experimentId }: JobRow): Promise<void> {
  if (experimentId !== null) await tx.run(lockExperiment, { id: experimentId });
}

/**
 * After a job of an experiment ended, starts the next one from the newest result. Returns the next
 * one if it cannot start.
 */
export async function handOn(change: Change, ended: JobRow): Promise<Unstartable | null> {
  if (ended.experimentId === null) return null;
  const { tx, now } = change;
  const [experiment] = await tx.run(lockExperiment, { id: ended.experimentId });
  const [first] = await tx.run(firstUnfinishedJob, { experimentId: ended.experimentId });
  if (!experiment || first?.status !== 'BLOCKED') return null;
  await lockRounds(change, { jobId: first.id, part: 'TRAIN' });
  const [step] = await tx.run(lockNextBlockedStep, { jobId: first.id });
  const [job] = await tx.run(lockJob, { id: first.id });
  if (!job) return null;
  // A model version that the job itself names comes first.
  const startModelId = job.startModelId ?? (await currentModelOf(tx, experiment));
  await setJobFields(change, job.id, { startModelId });
  const deadlineAt = job.scheduleTimeoutSeconds === null ? null : new Date(now.getTime() + job.scheduleTimeoutSeconds * 1_000);
  const description = `Job ${ended.name} before it has ended.`;
  await moveJob(change, { ...job, startModelId }, 'unblock', { reason: 'COMPLETED', description }, { deadlineAt });
  if (job.isFederated) return beginWaiting(change, job.id);
  if (step) announceQueued(change, await moveStep(change, step, 'unblock', { reason: 'COMPLETED', description }, { queuedAt: now }));
  return null;
}

/**
 * Before a job is deleted: its model no longer counts. The next job, unless it has begun, starts
 * from the model before.
 */
export async function withdrawResult(change: Change, job: JobRow): Promise<void> {
  if (job.experimentId === null || job.resultModelId === null) return;
  const { tx, now } = change;
  const [experiment] = await tx.run(lockExperiment, { id: job.experimentId });
  const [first] = await tx.run(firstUnfinishedJob, { experimentId: job.experimentId });
  const [heir] = first ? await tx.run(lockJob, { id: first.id }) : [];
  // The first round of a federated job starts with the job.
  if (!experiment || heir?.status !== 'QUEUED' || heir.isFederated) return;
  if (heir.startModelVersionId !== null || heir.startModelId !== job.resultModelId) return;
  const startModelId = await currentModelOf(tx, experiment, job.id);
  await setJobFields(change, heir.id, { startModelId, updatedAt: later(now, heir.updatedAt) });
  record(change, heir, { type: 'JOB_UPDATED', details: ['startModel'] });
}

/** A federated job whose turn has come while too few devices are online. */
export interface Unstartable {
  readonly job: JobRow;
  readonly cause: Cause;
}

async function beginWaiting(change: Change, jobId: string): Promise<Unstartable | null> {
  const { tx } = change;
  const [federation] = await tx.run(lockFederation, { jobId });
  const [job] = await tx.run(lockJob, { id: jobId });
  if (!federation || !job) return null;
  const cause = await tryRound(change, job, federation, 1);
  return cause ? { job, cause } : null;
}
