/** Values of a file that JSON has as well: settings, and whatever else is a document of the user's own. */
import { isMap, isScalar, isSeq } from 'yaml';
import { isBare, isNothing, type Source, type SourceNode, textOf } from './source.ts';

/** Something that would not arrive as it is written. */
export class NotKept extends Error {
  readonly node: SourceNode | null;
  constructor(node: SourceNode | null, message: string) {
    super(message);
    this.node = node;
  }
}

/** Aliases of aliases can stand for more than any machine holds. */
const MOST_VALUES = 200_000;
const DEEPEST = 64;

/**
 * The value of a node as JSON has it.
 * @throws NotKept for what JSON has no way to say: a number that is none there, or more digits than a number keeps.
 */
export function readValue(source: Source, node: SourceNode | null): unknown {
  let count = 0;
  const read = (node: SourceNode | null, depth: number): unknown => {
    count += 1;
    if (count > MOST_VALUES) throw new NotKept(node, `stands for more than ${MOST_VALUES} values.`);
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
  if (!text.isWellFormed()) throw new NotKept(node, 'holds half of a character (a lone surrogate).');
  return text;
}

/**
 * The number that is written there; undefined when it is no number.
 * @throws NotKept when another number, or none, would arrive.
 */
export function numberOf(node: SourceNode | null): number | undefined {
  if (!isScalar(node) || typeof node.value !== 'number') return undefined;
  const text = node.source ?? '';
  const problem = problemOf(text, node.value);
  if (problem !== undefined) throw new NotKept(node, `${text} ${problem}; write it in quotes if it is text.`);
  return node.value;
}

/** Why a number does not arrive as it is written; undefined when it does. */
function problemOf(text: string, value: number): string | undefined {
  if (!Number.isFinite(value)) return 'is no number that JSON has';
  if (/^[-+]?0\d/.test(text)) return 'can be read as decimal and as octal';
  if (Number.isInteger(value) && !Number.isSafeInteger(value) && /^[-+]?\w+$/.test(text)) return `would arrive as ${value}`;
  if (value === 0 && /^[-+.0]*[1-9]/.test(text)) return 'is too small to be told from 0';
  return undefined;
}
