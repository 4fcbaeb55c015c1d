/** Reads values that are JSON: settings, and other documents of the user's own. */
import { isMap, isScalar, isSeq } from 'yaml';
import { isBare, isNothing, type Source, type SourceNode, textOf } from './source.ts';

/** A value that JSON would change. */
export class NotKept extends Error {
  readonly node: SourceNode | null;
  constructor(node: SourceNode | null, message: string) {
    super(message);
    this.node = node;
  }
}

/** Aliases of aliases can expand to more than any machine holds. */
const MOST_VALUES = 200_000;
const DEEPEST = 64;

/**
 * A node's value as JSON.
 * @throws NotKept for what JSON cannot express: a number that it does not have, or one with more
 *   digits than a double keeps.
 */
export function readValue(source: Source, node: SourceNode | null): unknown {
  let count = 0;
  const read = (node: SourceNode | null, depth: number): unknown => {
    count += 1;
    if (count > MOST_VALUES) throw new NotKept(node, `expands to more than ${MOST_VALUES} values.`);
    if (depth > DEEPEST) throw new NotKept(node, `is nested deeper than ${DEEPEST} levels.`);
    if (isSeq(node)) return node.items.map((item) => read(source.follow(item), depth + 1));
    if (isMap(node)) return Object.fromEntries(source.entriesOf(node).map(({ key, value }) => [key, read(value, depth + 1)]));
    return readScalar(node);
  };
  return read(node, 0);
}

function readScalar(node: SourceNode | null): unknown {
  if (isNothing(node) || !isScalar(node)) return null;
  if (isBare(node)) {
    if (typeof node.value === 'boolean') return node.value;
    const number = numberOf(node);
    if (number !== undefined) return number;
  }
  const text = textOf(node) ?? '';
  if (!text.isWellFormed()) throw new NotKept(node, 'contains half a character (a lone surrogate).');
  return text;
}

/**
 * A node's number. Undefined if it is not one.
 * @throws NotKept if JSON would change it.
 */
export function numberOf(node: SourceNode | null): number | undefined {
  if (!isScalar(node) || typeof node.value !== 'number') return undefined;
  const text = node.source ?? '';
  const problem = problemOf(text, node.value);
  if (problem !== undefined) throw new NotKept(node, `${text} ${problem}; write it in quotes if it is text.`);
  return node.value;
}

/** Why JSON would change a number. Undefined if it would not. */
function problemOf(text: string, value: number): string | undefined {
  if (!Number.isFinite(value)) return 'is not a number in JSON';
  if (/^[-+]?0\d/.test(text)) return 'could be decimal or octal';
  if (Number.isInteger(value) && !Number.isSafeInteger(value) && /^[-+]?\w+$/.test(text)) return `would become ${value}`;
  if (value === 0 && /^[-+.0]*[1-9]/.test(text)) return 'is too small to differ from 0';
  return undefined;
}
