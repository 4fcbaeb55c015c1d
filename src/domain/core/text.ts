/**
 * Text that can be stored. Strings in JavaScript, and so in JSON, can contain half of a surrogate
 * pair. It is not a character and has no encoding: it would be stored as U+FFFD, which is not what
 * the client sent.
 */
import { type InputIssue, InvalidInput } from './refusals.ts';

const HALF = 'must be well-formed Unicode: it contains half of a surrogate pair.';

/**
 * Deeper than any input that passes its checks. With 150,000 levels, each with a path of its own,
 * one request took minutes.
 */
const DEEPEST = 64;
/** Enough to see what is wrong. */
const MOST_ISSUES = 100;

/**
 * Refuses input with such text anywhere in its keys or values. Fields in `except` are not checked.
 */
export function requireWellFormed(input: object, except: readonly string[] = []): void {
  if (isWellFormed(input)) return;
  const issues: InputIssue[] = [];
  // Without recursion, and no deeper than JSON may be: unlimited nesting is refused only later.
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

/** The same for all fields, without the paths, which take most of the time. */
function isWellFormed(input: object): boolean {
  const open = [input];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (!Array.isArray(next) && !Object.keys(next).every((key) => key.isWellFormed())) return false;
    for (const value of Object.values(next) as unknown[]) {
      if (typeof value === 'string' && !value.isWellFormed()) return false;
      if (typeof value === 'object' && value !== null && !(value instanceof Date)) open.push(value);
    }
  }
  return true;
}

/**
 * Replaces a byte that stored text cannot contain: U+001A SUBSTITUTE exists for this, and is one
 * byte.
 */
const SUBSTITUTE = '\u001a';
const NUL = /\0/g;

/**
 * The printed output of a program as it is stored: NUL, which PostgreSQL's text cannot contain,
 * becomes U+001A, and half of a surrogate pair U+FFFD. Each has as many bytes in UTF-8 as what it
 * replaces, so offsets in bytes stay valid for writers and readers.
 */
const printable = (text: string): string => text.toWellFormed().replace(NUL, SUBSTITUTE);

/**
 * The same for a text of which this many bytes are cut off. Each byte left of a cut character
 * becomes U+001A.
 */
export function printableAfter(text: string, bytes: number): string {
  if (bytes === 0) return printable(text);
  const rest = Buffer.from(text).subarray(bytes);
  const isContinuation = (byte: number | undefined) => byte !== undefined && (byte & 0xc0) === 0x80;
  let cut = 0;
  while (isContinuation(rest[cut])) cut++;
  return SUBSTITUTE.repeat(cut) + printable(rest.subarray(cut).toString());
}
