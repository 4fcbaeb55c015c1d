/** The log of an attempt: chunks of text, each at its offset in bytes. */

import { insertLogChunks, takeNumbers } from '../../store/changes/streams.ts';
import type { Optional } from '../../store/optional.ts';
import type { LogChunkRow, StepRow } from '../../store/schema/tables.ts';
import { insertRows } from '../../store/statements/inserts.ts';
import type { Mask } from '../../text/mask.ts';
import { type Change, topics } from '../core/change.ts';
import type { Checks } from '../core/checks.ts';
import { printableAfter } from '../core/text.ts';
import type { LogStream } from '../core/vocabulary.ts';

export interface LogChunkInput {
  /** Bytes (UTF-8) of this attempt's log before this chunk. */
  offset: number;
  text: string;
  stream: LogStream;
  at?: Optional<Date>;
}

export function checkLog(checks: Checks, path: readonly string[], chunks: Optional<readonly LogChunkInput[]>): void {
  checks.count(path, chunks, checks.limits.entriesAtMost);
  for (const [i, { offset }] of (chunks ?? []).entries()) checks.range([...path, i, 'offset'], offset, 0, Number.MAX_SAFE_INTEGER);
}

/**
 * Appends the chunks that are new. Returns the step with the offset to continue from. Skips a chunk
 * that is stored, fully or in part. Stops at a chunk that would leave a gap; the returned offset
 * tells the device where to continue.
 */
export async function storeLog(change: Change, step: StepRow, chunks: readonly LogChunkInput[], mask: Mask): Promise<StepRow> {
  const { tx, now } = change;
  let size = step.logSize;
  const fresh: Omit<LogChunkRow, 'seq'>[] = [];
  for (const { offset, text, stream, at } of chunks) {
    if (offset > size) break;
    const known = size - offset;
    const added = Buffer.byteLength(text) - known;
    if (added <= 0) continue;
    fresh.push({
      jobId: step.jobId,
      stepNumber: step.number,
      attempt: step.attemptCount,
      offset: size,
      size: added,
      stream,
      text: printableAfter(mask.bytewise(text), known),
      at: at ?? now,
    });
    size += added;
  }
  if (fresh.length === 0) return step;
  const first = await takeNumbers(tx, step.jobId, 'log', fresh.length, size - step.logSize);
  await insertRows(
    tx,
    insertLogChunks,
    fresh.map((chunk, i) => ({ ...chunk, seq: first + i })),
  );
  tx.touch(topics.log(step.jobId));
  return { ...step, logSize: size };
}
