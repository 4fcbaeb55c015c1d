/**
 * Power loss: what would be there if, at some moment, the power had gone. From the record of all that a process did to its files (`recordInto`)
 * this builds the disk as it would be then, with everything lost that was not synced, or any part of it.
 */

import type { Disk, Loss } from './disk.ts';
import { readTrace } from './trace.ts';

export interface PowerLoss {
  /** What `recordInto` was given, in the order in which the processes ran on the folder. */
  readonly traces: readonly string[];
  /** The folder as the processes knew it; `disk` is what was in it before the first of them. */
  readonly root: string;
  readonly disk: Disk;
  /** When the power goes, in milliseconds of the wall clock, ascending; each is looked at on its own. */
  readonly moments: readonly number[];
  /** Where to put what is left. */
  readonly target: string;
  readonly loss: Loss;
}

/** Calls `look` for each moment, with `target` as the disk would be. */
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

/** When files were written to, synced and named, to choose moments from: in the middle of a checkpoint, between a move and its sync. */
export async function momentsOf(
  traces: readonly string[],
  root: string,
): Promise<readonly { readonly at: number; readonly what: string }[]> {
  const moments: { at: number; what: string }[] = [];
  for (const trace of traces)
    for await (const { at, kind, path } of readTrace(trace, root)) moments.push({ at, what: `${kind} ${path.slice(root.length + 1)}` });
  return moments;
}
