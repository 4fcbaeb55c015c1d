/** Queues: steps that ask the same of a device stand in line together. */
import { createHash } from 'node:crypto';
import { ensureQueue } from '../../store/changes/steps.ts';
import { type Change, topics } from '../core/change.ts';
import type { Need, StepPart, StepTemplate } from '../core/vocabulary.ts';

/** In the id of a queue whose steps one device alone may claim, before that device: whoever queues a step knows whom to wake. */
const PINNED = '@';

/** What those who run the steps of a round go by: their own names count the rounds. */
const partNames: Readonly<Record<StepPart, string>> = { TRAIN: 'Train', AGGREGATE: 'Aggregate' };

/** What the step asks of its device to be run at all. */
export function needOf({ container, name }: Pick<StepTemplate, 'container' | 'name'>, part: StepPart | null): Need {
  if (container?.image || container?.build) return { runs: 'CONTAINER' };
  const isBlank = [container?.entrypoint, container?.command].every((text) => !text?.trim());
  return isBlank ? { stepName: part === null ? name : partNames[part] } : { runs: 'PROCESS' };
}

/** The queue for this demand; made when it is the first of its kind. */
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

/** Wakes who waits for work: where one device alone may do it, that one. */
export function announceQueued({ tx }: Change, { projectId, queueId, part }: Queued): void {
  tx.touch(topics.queue(projectId));
  tx.touch(topics.anyQueue);
  const [, pinnedDeviceId] = queueId.split(PINNED);
  tx.touch(pinnedDeviceId === undefined ? topics.work(queueId) : topics.device(pinnedDeviceId));
  if (part === 'AGGREGATE') tx.touch(topics.aggregations);
}
