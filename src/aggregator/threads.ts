/** Threads that read models, seen from the gateway's own: it goes on answering while they work. */
import { on } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { StoredModel } from '../domain/core/domain.ts';
import { NoMean } from './average.ts';
import { Inspections, usualInspections } from './inspections.ts';
import type { Averaged, SharedModel, Task } from './worker.ts';

/** Memory that a thread may take for itself: a header of the largest size, parsed, for each of many models. */
const MOST_HEAP_MB = 1_024;

export function startThread(task: Task): Worker {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: task,
    resourceLimits: { maxOldGenerationSizeMb: MOST_HEAP_MB },
  });
  // Whoever waits for it hears of its failure; one that comes when nobody waits any more must not end the gateway.
  worker.on('error', () => {});
  return worker;
}

const inspections = new Inspections({ ...usualInspections, startThread });

/**
 * Returns what is wrong with a model that was handed in, a sentence for each problem, naming the tensor: it is missing or additional, of
 * another shape or dtype than in the start model, has NaN or infinity, is of a type that has no mean here and differs (`isAveraged`),
 * overlaps another or lies outside of the file; or the file is cut short, or no safetensors file at all. Rejects with the file store's
 * error when a file cannot be read, and with StoreUnavailable when it cannot be read in its time.
 */
export const inspectModel = ({ file, sizeBytes }: StoredModel, start: StoredModel | null, isAveraged: boolean): Promise<string[]> =>
  inspections.inspect({ kind: 'inspect', file, start: start?.file ?? null, isAveraged }, sizeBytes);

/** The bytes of the mean of these models, as they are computed. Each array is good until the next is asked for. Throws NoMean; ends the thread when it is left. */
export async function* averageOf(models: readonly SharedModel[], signal: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
  const worker = startThread({ kind: 'average', models });
  try {
    for await (const [message] of on(worker, 'message', { signal, close: ['exit'] })) {
      const said: Averaged = message;
      if (said.kind === 'done') return;
      if (said.kind === 'refused') throw new NoMean(said.message);
      const { buffer } = said.bytes;
      yield said.bytes;
      worker.postMessage(buffer, [buffer]);
    }
    throw new Error('The thread that averages ended before its time.');
  } finally {
    await worker.terminate();
  }
}
