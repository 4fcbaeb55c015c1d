/** The thread that reads models. Its task comes with its start. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { type BlockingFile, FileMissing, openShared, type SharedFile } from '../store/files/file-store.ts';
import { averageModels, type ModelToAverage, NoMean } from './average.ts';
import { findProblems } from './inspection.ts';
import { Outlet, type Piece } from './outlet.ts';

export type Task =
  | { readonly kind: 'inspect'; readonly file: SharedFile; readonly start: SharedFile | null; readonly isAveraged: boolean }
  | { readonly kind: 'average'; readonly models: readonly SharedModel[] };

/** A model to average, before this thread has opened it. */
export type SharedModel = Omit<ModelToAverage, 'file'> & { readonly file: SharedFile };

/** The one message of an inspection. */
export interface Inspected {
  readonly problems: string[];
}

/** Messages of averaging: pieces, whose memory has to be returned, then the end. */
export type Averaged = Piece | { readonly kind: 'done' } | { readonly kind: 'refused'; readonly message: string };

const port = parentPort;
if (!port) throw new Error('This file runs only in a worker thread.');
const task: Task = workerData;
if (task.kind === 'average') await sendAverage(port, task.models);
else {
  const file = await openShared(task.file);
  const start = task.start && (await openShared(task.start));
  port.postMessage({ problems: findProblems(file, start, task.isAveraged) } satisfies Inspected);
}

async function sendAverage(port: MessagePort, models: readonly SharedModel[]): Promise<void> {
  const outlet = new Outlet(port);
  try {
    const opened: ModelToAverage[] = [];
    for (const model of models) opened.push({ ...model, file: await openModelOf(model) });
    for (const bytes of averageModels(opened)) await outlet.write(bytes);
    await outlet.flush();
    port.postMessage({ kind: 'done' } satisfies Averaged);
  } catch (error) {
    if (!(error instanceof NoMean)) throw error;
    port.postMessage({ kind: 'refused', message: error.message } satisfies Averaged);
  }
  port.close();
}

async function openModelOf({ file, label }: SharedModel): Promise<BlockingFile> {
  try {
    return await openShared(file);
  } catch (error) {
    if (error instanceof FileMissing) throw new NoMean(`${label} is not among the files of this gateway.`);
    throw error;
  }
}
