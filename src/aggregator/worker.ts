/** The thread in which models are read: what it is to do comes with its start. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { averageModels, type ModelToAverage, NoMean } from './average.ts';
import { findProblems } from './inspection.ts';
import { Outlet, type Piece } from './outlet.ts';

export type Task =
  | { readonly kind: 'inspect'; readonly path: string; readonly startPath: string | null; readonly isAveraged: boolean }
  | { readonly kind: 'average'; readonly models: readonly ModelToAverage[] };

/** Of an inspection: the one message. */
export interface Inspected {
  readonly problems: string[];
}

/** Of averaging: pieces, whose memory is to be given back; then the end. */
export type Averaged = Piece | { readonly kind: 'done' } | { readonly kind: 'refused'; readonly message: string };

const port = parentPort;
if (!port) throw new Error('This file is the start of a thread.');
const task: Task = workerData;
if (task.kind === 'inspect') port.postMessage({ problems: findProblems(task.path, task.startPath, task.isAveraged) } satisfies Inspected);
else await sendAverage(port, task.models);

async function sendAverage(port: MessagePort, models: readonly ModelToAverage[]): Promise<void> {
  const outlet = new Outlet(port);
  try {
    for (const bytes of averageModels(models)) await outlet.write(bytes);
    await outlet.flush();
    port.postMessage({ kind: 'done' } satisfies Averaged);
  } catch (error) {
    if (!(error instanceof NoMean)) throw error;
    port.postMessage({ kind: 'refused', message: error.message } satisfies Averaged);
  }
  port.close();
}
