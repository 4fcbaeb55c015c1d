/**
 * Text that can be stored. JavaScript's strings, and so JSON's, can hold half of a surrogate pair, which is no character and which no encoding has:
 * stored, it would come back as U+FFFD, and what was asked for would not be what is there.
 */
import { type InputIssue, InvalidInput } from './refusals.ts';

const HALF = 'must be well-formed Unicode: it holds half of a surrogate pair.';

/** More than any input is nested that passes its checks: of 150,000 levels, each with a path of its own, one request took minutes. */
const DEEPEST = 64;
/** Enough to see what is wrong. */
const MOST_ISSUES = 100;

/** Refuses input that has such text anywhere in it, in its keys as in its values; fields named in `except` are not looked into. */
export function requireWellFormed(input: object, except: readonly string[] = []): void {
  const issues: InputIssue[] = [];
  // Without recursion, and no deeper than JSON may be: what is nested without end is refused for that only later.
  const open: { readonly path: readonly string[]; readonly value: unknown }[] = [];
  const enter = (path: readonly string[], value: object) => {
    for (const [key, inner] of Object.entries(value)) {
      if (!key.isWellFormed()) issues.push({ path: [...path, key.toWellFormed()], message: `as a key ${HALF}` });
      else if (path.length < DEEPEST && (path.length > 0 || !except.includes(key))) open.push({ path: [...path, key], value: inner });
    }
  };
  enter([], input);
  for (let next = open.pop(); next !== undefined && issues.length < MOST_ISSUES; next = open.pop()) {
    const { path, value } = next;
    if (typeof value === 'string' && !value.isWellFormed()) issues.push({ path, message: HALF });
    if (typeof value === 'object' && value !== null && !(value instanceof Date)) enter(path, value);
  }
  if (issues.length > 0) throw new InvalidInput(issues.reverse());
}

/** What stands for a byte that text of ours does not take: U+001A SUBSTITUTE, which is for that, and is one byte itself. */
const SUBSTITUTE = '\u001a';
const NUL = /\0/g;

/**
 * What a program printed, as it is kept: NUL, which PostgreSQL's text does not hold, becomes U+001A, and half of a surrogate pair U+FFFD. Each has as
 * many bytes in UTF-8 as what it stands for, so that offsets in bytes mean the same to who wrote and to who reads.
 */
const printable = (text: string): string => text.toWellFormed().replace(NUL, SUBSTITUTE);

/** The same of what is left of a text when this many of its bytes are cut off. A character that was cut through leaves a U+001A for each byte left of it. */
export function printableAfter(text: string, bytes: number): string {
  if (bytes === 0) return printable(text);
  const rest = Buffer.from(text).subarray(bytes);
  const isContinuation = (byte: number | undefined) => byte !== undefined && (byte & 0xc0) === 0x80;
  let cut = 0;
  while (isContinuation(rest[cut])) cut++;
  return SUBSTITUTE.repeat(cut) + printable(rest.subarray(cut).toString());
}
