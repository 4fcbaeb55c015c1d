/** Queues: steps that ask the same of a device stand in line together. */
import { insertRows } from '../store/changes/inserts.ts';
import { insertQueue, queueByDemand } from '../store/changes/steps.ts';
import type { QueueRow } from '../store/tables.ts';
import type { Change } from './change.ts';
import type { StepTemplate } from './vocabulary.ts';

/** The queue for this demand; made when it is the first of its kind. */
export async function queueFor({ tx, domain }: Change, projectId: string, template: StepTemplate): Promise<string> {
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
  const [known] = await tx.run(queueByDemand, { demand });
  if (known) return known.id;
  // No prefix of its own in the API: a queue is never named to a client.
  const queue: QueueRow = {
    id: domain.ids.next('Step').replace('step_', 'queue_'),
    demand,
    projectId,
    pinnedDeviceId,
    resources,
    requiredLabels,
  };
  await insertRows(tx, insertQueue, [queue]);
  return queue.id;
}
