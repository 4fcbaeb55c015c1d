/** Lines of text that programs have printed. Only `\n` ends one. */
import { withoutEscapes } from './escapes.ts';

/** The number of line breaks. */
export function countBreaks(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count += 1;
  return count;
}

/**
 * Where the last write of a line begins: after the last `\r` that text follows, since progress bars
 * overwrite their line. A final `\r` belongs to the line break.
 */
export function lastWriteOf(line: string): number {
  const end = endOf(line);
  return end === 0 ? 0 : line.lastIndexOf('\r', end - 1) + 1;
}

/** What remains of a line that is overwritten after each `\r`. */
export function lastWrite(line: string): string {
  return line.includes('\r') ? line.slice(lastWriteOf(line), endOf(line)) : line;
}

/** A line as a terminal shows it, without escape sequences. */
export function shownLine(line: string): string {
  return withoutEscapes(lastWrite(line));
}

/** The end of a line without the `\r` of its line break. */
function endOf(line: string): number {
  let end = line.length;
  while (line[end - 1] === '\r') end -= 1;
  return end;
}
