/**
 * Text that we compose, made acceptable to a gateway: what comes out is well-formed, holds no control character that is refused, and is cut between
 * characters. Text that others wrote may be anything, and a message that quotes it must not be refused for it.
 */
import { stripVTControlCharacters } from 'node:util';

const substitute = '\uFFFD';
/** A line break in a quoted name makes it look like a line of ours; a mark that turns the direction of writing makes it look like another name. */
const unseen = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** At most so many UTF-16 units, which is how a gateway counts: the start of a longer text, with … for the rest. */
export function cut(text: string, atMost: number): string {
  return text.length <= atMost ? text : `${text.slice(0, boundary(text, atMost - 1))}…`;
}

/** The end of a text, at most so many UTF-16 units of it. */
export function cutStart(text: string, atMost: number): string {
  if (text.length <= atMost) return text;
  const start = text.length - atMost;
  return text.slice(boundary(text, start) === start ? start : start + 1);
}

/** A description or message: lines and tabs stay, escape sequences go, and what else controls a terminal or is half a character becomes U+FFFD. */
export function acceptMessage(text: string, atMost: number): string {
  const clean = stripVTControlCharacters(text)
    .toWellFormed()
    .replaceAll('\r\n', '\n')
    .replaceAll(/[^\P{Cc}\n\t]/gu, substitute);
  return cut(clean, atMost);
}

/** A name of others as a sentence of ours quotes it: on one line, as it is seen, not too long. */
export function quoteName(name: string): string {
  return `"${cut(name.toWellFormed().replaceAll(unseen, substitute), 100)}"`;
}

/** The last place at or before `end` that is not inside a surrogate pair. */
function boundary(text: string, end: number): number {
  const isInside = /[\uDC00-\uDFFF]/.test(text.charAt(end)) && /[\uD800-\uDBFF]/.test(text.charAt(end - 1));
  return isInside ? end - 1 : end;
}
