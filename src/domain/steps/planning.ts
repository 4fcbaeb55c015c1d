/** Creates the steps of a job, at its creation or while it runs. */

import { insertStep } from '../../store/changes/steps.ts';
import { deviceById } from '../../store/queries/rows.ts';
import type { JobRow, StepRow } from '../../store/schema/tables.ts';
import { emptyRow, insertRows } from '../../store/statements/inserts.ts';
import type { Change } from '../core/change.ts';
import { wrongInput } from '../core/refusals.ts';
import type { StepPart, StepTemplate } from '../core/vocabulary.ts';
import { announceQueued, queueFor } from './queues.ts';

type JobOfSteps = Pick<JobRow, 'id' | 'projectId' | 'priority' | 'isPreemptible'>;

export interface StepsToMake {
  readonly job: JobOfSteps;
  readonly templates: readonly StepTemplate[];
  /** The number of the first step. Steps are numbered from 0 without gaps. */
  readonly from: number;
  /** Whether the first step can be claimed at once, because no step comes before it. */
  readonly isFirstReady: boolean;
  /** Whether all the others can be claimed at once as well, as in a round. */
  readonly areAllReady?: boolean;
  /** Only for federated jobs. */
  readonly round?: number;
  readonly part?: StepPart;
  /** The event of the job that reports the new steps. */
  readonly seq: number;
  /** The path of the templates in the input, for error messages. */
  readonly path?: readonly string[];
}

export async function makeSteps(
  change: Change,
  { job, templates, from, isFirstReady, areAllReady = false, round, part, seq, path = ['steps'] }: StepsToMake,
): Promise<StepRow[]> {
  const { tx, domain, now } = change;
  const steps: StepRow[] = [];
  for (const [i, template] of templates.entries()) {
    await checkPinnedDevice(change, job.projectId, template.pinnedDeviceId, [...path, String(i), 'pinnedDeviceId']);
    const status = isFirstReady && (i === 0 || areAllReady) ? 'QUEUED' : 'BLOCKED';
    steps.push({
      ...emptyRow(tx.t, 'steps'),
      id: domain.ids.next('Step'),
      jobId: job.id,
      projectId: job.projectId,
      number: from + i,
      name: template.name,
      status,
      container: template.container,
      queueId: await queueFor(change, job.projectId, template, part ?? null),
      priority: job.priority,
      maxAttempts: template.maxAttempts,
      round: round ?? null,
      part: part ?? null,
      attemptCount: 0,
      failedCount: 0,
      lostCount: 0,
      createdSeq: seq,
      initialStatus: status,
      createdAt: now,
      queuedAt: status === 'QUEUED' ? now : null,
      isPreemptible: job.isPreemptible,
      inputs: template.inputs?.length ? template.inputs : null,
      logSize: 0,
    });
  }
  await insertRows(tx, insertStep, steps);
  for (const step of steps) if (step.status === 'QUEUED') announceQueued(change, step);
  return steps;
}

async function checkPinnedDevice({ tx }: Change, projectId: string, id: string | null, path: readonly string[]): Promise<void> {
  if (id === null) return;
  const [device] = await tx.run(deviceById, { id });
  if (!device || (device.projectId !== null && device.projectId !== projectId)) {
    throw wrongInput.noPinnedDevice(path, id);
  }
}
