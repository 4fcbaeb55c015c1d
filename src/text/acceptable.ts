/**
 * Makes composed text acceptable to a gateway: well-formed, without refused control characters, and
 * cut between characters. Quoted text of others may be anything, and must not cause a refusal.
 */
import { withoutEscapes } from './escapes.ts';

const substitute = '\uFFFD';
/**
 * A line break in a quoted name makes it look like a line of ours. A direction mark makes it look
 * like another name.
 */
const unseen = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/**
 * The start of a text, at most this many UTF-16 units (which is how a gateway counts), with … for
 * the rest.
 */
export function cut(text: string, atMost: number): string {
  return text.length <= atMost ? text : `${text.slice(0, boundary(text, atMost - 1))}…`;
}

/** The end of a text, at most this many UTF-16 units. */
export function cutStart(text: string, atMost: number): string {
  if (text.length <= atMost) return text;
  const start = text.length - atMost;
  return text.slice(boundary(text, start) === start ? start : start + 1);
}

/** The part of a text around a position, at most this many UTF-16 units, with … for the rest. */
export function cutAround(text: string, position: number, atMost: number): string {
  const start = Math.max(0, Math.min(position - Math.floor(atMost / 4), text.length - atMost));
  if (start === 0) return cut(text, atMost);
  const from = boundary(text, start + 1) === start + 1 ? start + 1 : start + 2;
  return `…${cut(text.slice(from), atMost - 1)}`;
}

/**
 * A description or message: keeps lines and tabs, and removes escape sequences. Other control
 * characters and half characters become U+FFFD.
 */
export function acceptMessage(text: string, atMost: number): string {
  const clean = withoutEscapes(text)
    .toWellFormed()
    .replaceAll('\r\n', '\n')
    .replaceAll(/[^\P{Cc}\n\t]/gu, substitute);
  return cut(clean, atMost);
}

/** Quotes a name that others chose: on one line, visible, not too long. */
export function quoteName(name: string): string {
  return `"${cut(name.toWellFormed().replaceAll(unseen, substitute), 100)}"`;
}

/** The last position at or before `end` that is not inside a surrogate pair. */
function boundary(text: string, end: number): number {
  const isInside = /[\uDC00-\uDFFF]/.test(text.charAt(end)) && /[\uD800-\uDBFF]/.test(text.charAt(end - 1));
  return isInside ? end - 1 : end;
}
