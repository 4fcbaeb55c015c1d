/** Runs the threads that read models, so the gateway goes on answering while they work. */
import { on } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { StoredModel } from '../domain/core/domain.ts';
import { entryPoint } from '../installation.ts';
import { NoMean } from './average.ts';
import { Inspections, usualInspections } from './inspections.ts';
import type { Averaged, SharedModel, Task } from './worker.ts';

/** The heap of a thread: parsed headers of the largest size, for many models. */
const MOST_HEAP_MB = 1_024;

export function startThread(task: Task): Worker {
  const worker = new Worker(entryPoint('aggregator/worker'), {
    workerData: task,
    resourceLimits: { maxOldGenerationSizeMb: MOST_HEAP_MB },
  });
  // A caller that waits sees the error. An error without a waiting caller must not crash the
  // gateway.
  worker.on('error', () => {});
  return worker;
}

const inspections = new Inspections({ ...usualInspections, startThread });

/**
 * Finds what is wrong with a submitted model, one sentence for each problem, naming the tensor. It
 * may be missing or additional, differ in shape or dtype from the start model, contain NaN or
 * infinity, change although it has no mean (`isAveraged`), overlap another or lie outside of the
 * file. Or the file may be truncated, or not a safetensors file. Rejects with the file store's
 * error if a file cannot be read, and with StoreUnavailable if it cannot be read in time.
 */
export const inspectModel = ({ file, sizeBytes }: StoredModel, start: StoredModel | null, isAveraged: boolean): Promise<string[]> =>
  inspections.inspect({ kind: 'inspect', file, start: start?.file ?? null, isAveraged }, sizeBytes);

/**
 * Yields the bytes of the mean of these models as they are computed. Each array is valid until the
 * next one is requested. Throws NoMean. Ends the thread when the loop is left.
 */
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
    throw new Error('The averaging thread ended early.');
  } finally {
    await worker.terminate();
  }
}
