/** Queues: steps that ask the same of a device stand in line together. */
import { createHash } from 'node:crypto';
import { ensureQueue } from '../store/changes/steps.ts';
import type { Change } from './change.ts';
import type { StepTemplate } from './vocabulary.ts';

/** The queue for this demand; made when it is the first of its kind. */
export async function queueFor({ tx }: Change, projectId: string, template: StepTemplate): Promise<string> {
  const { pinnedDeviceId, resources } = template;
  const requiredLabels = [...template.requiredLabels].sort((a, b) => (a.key < b.key ? -1 : 1));
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
  ]);
  const id = createHash('sha256').update(demand).digest('base64url').slice(0, 22);
  await tx.run(ensureQueue, { id, demand, projectId, pinnedDeviceId, resources, requiredLabels });
  return id;
}
