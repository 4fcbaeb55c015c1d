/**
 * The numbers of lines. Stdout and stderr of an attempt are one text, in the order in which they
 * were written, and each `\n` in it ends a line. A `\r` ends none: progress bars overwrite their
 * line.
 */
import type { LogChunkRow } from '../../store/schema/tables.ts';
import { countBreaks } from '../../text/lines.ts';
import type { LogCounts } from '../core/vocabulary.ts';

export const nothingLogged: LogCounts = { bytes: 0, lines: 0, attempt: 0, breaks: 0, isOpen: false };

/** The number of the line that the next text of an attempt belongs to. */
export function nextLine(counts: LogCounts, attempt: number): number {
  return counts.attempt === attempt ? counts.breaks + 1 : 1;
}

/** The counts of a step's log with one more chunk. */
export function withChunk(
  counts: LogCounts,
  { attempt, offset, size, text }: Pick<LogChunkRow, 'attempt' | 'offset' | 'size' | 'text'>,
): LogCounts {
  const isFirst = counts.attempt !== attempt;
  const { breaks, isOpen } = isFirst ? nothingLogged : counts;
  const added = countBreaks(text);
  const staysOpen = !text.endsWith('\n');
  return {
    // Text before the first chunk that is there was removed by retention before it was counted.
    bytes: counts.bytes + (isFirst ? offset : 0) + size,
    lines: counts.lines + added + Number(staysOpen) - Number(isOpen),
    attempt,
    breaks: breaks + added,
    isOpen: staysOpen,
  };
}
