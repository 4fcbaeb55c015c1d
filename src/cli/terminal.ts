/**
 * Makes other people's text safe for a terminal. A job's name, a message or a log comes from anyone
 * who may write to the gateway. An escape sequence in it could rename the window, move the cursor
 * or make the terminal type. So names lose every control character, and logs keep only lines, tabs
 * and colours.
 */
import stringWidth from 'string-width';
import { lastWrite } from '../text/lines.ts';

// All control characters except tab and line feed, and the marks that change the writing direction.
const controls = /[^\P{Cc}\t\n]|[\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

const [esc, bell] = ['\u001b', '\u0007'];

// Matches whole sequences, so that their letters do not stay behind: CSI … letter; OSC, DCS, SOS,
// PM, APC … BEL or ST; ESC and one letter.
const sequences = new RegExp(
  `${esc}\\[[0-?]*[ -/]*[@-~]|${esc}[\\]PX^_][^${bell}${esc}\\n]*(?:${bell}|${esc}\\\\)?|${esc}[ -/]*[0-~]`,
  'g',
);
const colour = new RegExp(`^${esc}\\[[0-9;:]*m$`);

const reset = '\u001b[0m';

/** A name, message or value on one line, without anything that a terminal would obey. */
export function cleanName(text: string): string {
  return text
    .replace(sequences, '')
    .replace(/[\t\n]/g, ' ')
    .replace(controls, '');
}

/**
 * Cleans lines of a log: each keeps its last write. Colours stay if wanted, and end with their
 * line.
 */
export function cleanLog(text: string, keepColours: boolean): string {
  const lines = text.split('\n');
  return lines.map((line) => cleanLine(lastWrite(line), keepColours)).join('\n');
}

function cleanLine(line: string, keepColours: boolean): string {
  const parts: string[] = [];
  let end = 0;
  let isColoured = false;
  for (const match of line.matchAll(sequences)) {
    parts.push(line.slice(end, match.index).replace(controls, ''));
    end = match.index + match[0].length;
    if (keepColours && colour.test(match[0])) {
      parts.push(match[0]);
      isColoured = true;
    }
  }
  parts.push(line.slice(end).replace(controls, ''));
  return isColoured ? `${parts.join('')}${reset}` : parts.join('');
}

const segmenter = new Intl.Segmenter();

/** Cuts a clean text to `width` columns, with … at the cut. */
export function truncate(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  let kept = '';
  let used = 0;
  for (const { segment } of segmenter.segment(text)) {
    used += stringWidth(segment);
    if (used > width - 1) break;
    kept += segment;
  }
  return `${kept}…`;
}
