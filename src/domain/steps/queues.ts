/** Queues: steps that ask the same of a device share a queue. */
import { createHash } from 'node:crypto';
import { ensureQueue } from '../../store/changes/steps.ts';
import { type Change, topics } from '../core/change.ts';
import type { Need, StepPart, StepTemplate } from '../core/vocabulary.ts';

/**
 * Separates the device in the id of a queue that is pinned to one device, so that queueing a step
 * shows which device to wake.
 */
const PINNED = '@';

/**
 * The names by which devices declare the steps of a round: their own names contain the round's
 * number.
 */
const partNames: Readonly<Record<StepPart, string>> = { TRAIN: 'Train', AGGREGATE: 'Aggregate' };

/** What a device must be able to run for this step. */
export function needOf({ container, name }: Pick<StepTemplate, 'container' | 'name'>, part: StepPart | null): Need {
  if (container?.image || container?.build) return { runs: 'CONTAINER' };
  const isBlank = [container?.entrypoint, container?.command].every((text) => !text?.trim());
  return isBlank ? { stepName: part === null ? name : partNames[part] } : { runs: 'PROCESS' };
}

/** Returns the queue for this demand. Creates it for the first step of its kind. */
export async function queueFor({ tx }: Change, projectId: string, template: StepTemplate, part: StepPart | null): Promise<string> {
  const { pinnedDeviceId, resources } = template;
  const requiredLabels = [...template.requiredLabels].sort((a, b) => (a.key < b.key ? -1 : 1));
  const need = needOf(template, part);
  const { memoryMb, cpu, gpu, gpuModel, shm } = resources;
  const demand = JSON.stringify([
    projectId,
    pinnedDeviceId,
    memoryMb,
    cpu,
    gpu,
    gpuModel,
    shm,
    requiredLabels.map(({ key, value }) => [key, value]),
    need,
  ]);
  const hash = createHash('sha256').update(demand).digest('base64url').slice(0, 22);
  const id = pinnedDeviceId === null ? hash : `${hash}${PINNED}${pinnedDeviceId}`;
  await tx.run(ensureQueue, { id, demand, projectId, pinnedDeviceId, resources, requiredLabels, need });
  return id;
}

export interface Queued {
  readonly projectId: string;
  readonly queueId: string;
  readonly part: StepPart | null;
}

/** Wakes waiting claims: only that device if the queue is pinned to one. */
export function announceQueued({ tx }: Change, { projectId, queueId, part }: Queued): void {
  tx.touch(topics.queue(projectId));
  tx.touch(topics.anyQueue);
  const [, pinnedDeviceId] = queueId.split(PINNED);
  tx.touch(pinnedDeviceId === undefined ? topics.work(queueId) : topics.device(pinnedDeviceId));
  if (part === 'AGGREGATE') tx.touch(topics.aggregations);
}
