/** The log of an attempt: chunks of text, each at its offset in bytes. */

import { insertLogChunks, takeLogNumbers } from '../../store/changes/streams.ts';
import type { Optional } from '../../store/optional.ts';
import type { LogChunkRow, StepRow } from '../../store/schema/tables.ts';
import { insertRows } from '../../store/statements/inserts.ts';
import type { Mask } from '../../text/mask.ts';
import { type Change, topics } from '../core/change.ts';
import type { Checks } from '../core/checks.ts';
import { printableAfter } from '../core/text.ts';
import type { LogCounts, LogStream } from '../core/vocabulary.ts';
import { nextLine, nothingLogged, withChunk } from '../logs/lines.ts';

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
  const fresh: Omit<LogChunkRow, 'seq' | 'firstLine'>[] = [];
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
  const { first, isNumbered } = await takeLogNumbers(tx, step.jobId, { count: fresh.length, bytes: size - step.logSize });
  let logCounts: LogCounts = step.logCounts ?? nothingLogged;
  const rows: LogChunkRow[] = [];
  for (const chunk of fresh) {
    rows.push({ ...chunk, seq: first + rows.length, firstLine: isNumbered ? nextLine(logCounts, chunk.attempt) : null });
    logCounts = withChunk(logCounts, chunk);
  }
  await insertRows(tx, insertLogChunks, rows);
  tx.touch(topics.log(step.jobId));
  return { ...step, logSize: size, logCounts: isNumbered ? logCounts : step.logCounts };
}
