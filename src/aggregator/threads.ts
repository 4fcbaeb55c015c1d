/** Threads that read models, seen from the gateway's own: it goes on answering while they work. */
import { on, once } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { type ModelToAverage, NoMean } from './average.ts';
import type { Averaged, Inspected, Task } from './worker.ts';

/** Memory that a thread may take for itself: a header of the largest size, parsed, for each of many models. */
const MOST_HEAP_MB = 1_024;

function startThread(task: Task): Worker {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: task,
    resourceLimits: { maxOldGenerationSizeMb: MOST_HEAP_MB },
  });
  // Whoever waits for it hears of its failure; one that comes when nobody waits any more must not end the gateway.
  worker.on('error', () => {});
  return worker;
}

/** A thousand devices can hand in at the same moment: so many are looked at at once, and the others wait. */
const INSPECTIONS_AT_ONCE = Math.max(1, availableParallelism() - 1);
let inspecting = 0;
const waiting: (() => void)[] = [];

/**
 * What is wrong with a model that was handed in, a sentence for each problem, naming the tensor: it is missing or additional, of another shape or
 * dtype than in the start model, has NaN or infinity, is of a type that has no mean here and differs (`isAveraged`), overlaps another or lies outside of the file; or the file is cut short, or no safetensors
 * file at all. Empty: nothing. Rejects with Node's error when a file cannot be read.
 */
export async function inspectModel(path: string, startPath: string | null, isAveraged: boolean): Promise<string[]> {
  if (inspecting >= INSPECTIONS_AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
  else inspecting += 1;
  try {
    const worker = startThread({ kind: 'inspect', path, startPath, isAveraged });
    const [inspected]: Inspected[] = await once(worker, 'message');
    return inspected?.problems ?? [];
  } finally {
    // Its place goes to who has waited longest.
    const next = waiting.shift();
    if (next) next();
    else inspecting -= 1;
  }
}

/** The bytes of the mean of these models, as they are computed. Each array is good until the next is asked for. Throws NoMean; ends the thread when it is left. */
export async function* averageOf(models: readonly ModelToAverage[], signal: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
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
