/**
 * Power loss: the files as they would be if the power had failed at a given moment. It rebuilds the
 * disk from the record of all that a process did to its files (`recordInto`), without anything that
 * was not synced, or without any part of that.
 */

import type { Disk, Loss } from './disk.ts';
import { readTrace } from './trace.ts';

export interface PowerLoss {
  /** The traces of `recordInto`, in the order in which the processes ran on the folder. */
  readonly traces: readonly string[];
  /** The folder as the processes knew it; `disk` is its content before the first of them. */
  readonly root: string;
  readonly disk: Disk;
  /**
   * The moments of the power loss, in milliseconds of the wall clock, ascending. Each is examined
   * separately.
   */
  readonly moments: readonly number[];
  /** The folder for what is left. */
  readonly target: string;
  readonly loss: Loss;
}

/** Calls `look` for each moment, with the disk of that moment in `target`. */
export async function cutPower(
  { traces, root, disk, moments, target, loss }: PowerLoss,
  look: (moment: number) => Promise<void>,
): Promise<void> {
  const left = [...moments];
  for (const trace of traces) {
    for await (const change of readTrace(trace, root)) {
      for (let moment = left[0]; moment !== undefined && moment < change.at; moment = left[0]) {
        left.shift();
        disk.leave(target, loss);
        await look(moment);
      }
      disk.take(change);
    }
  }
  for (const moment of left) {
    disk.leave(target, loss);
    await look(moment);
  }
}

/**
 * When files were written, synced and renamed, to choose moments from: during a checkpoint, or
 * between a rename and its sync.
 */
export async function momentsOf(
  traces: readonly string[],
  root: string,
): Promise<readonly { readonly at: number; readonly what: string }[]> {
  const moments: { at: number; what: string }[] = [];
  for (const trace of traces)
    for await (const { at, kind, path } of readTrace(trace, root)) moments.push({ at, what: `${kind} ${path.slice(root.length + 1)}` });
  return moments;
}
