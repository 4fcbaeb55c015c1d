import { quoteName } from '../../text/acceptable.ts';

/** A number that a script reported. */
export interface MetricEntry {
  readonly name: string;
  readonly value: number;
  readonly iteration: number;
  readonly at: string;
}

export interface MetricsLine {
  /** Whether it is a JSON object. */
  readonly isObject: boolean;
  readonly iteration: number | null;
  readonly values: ReadonlyArray<readonly [string, number]>;
  /** What is wrong with it, one sentence each. */
  readonly problems: readonly string[];
}

/**
 * Parses one line of the metrics file, a JSON object. `iteration` is the iteration; every other
 * number is a metric of that name. NaN and Infinity, which Python's json writes, are left out, but
 * the line's other metrics count. Text, null, booleans and nested values are ignored, so a script
 * can write its whole record.
 *
 * Never throws. `problems` says what cannot be used. It quotes nothing of a line that is not JSON,
 * so the bytes of whatever file a step puts there do not reach the log.
 */
export function parseMetricsLine(text: string): MetricsLine {
  const { record, notFinite } = parseRecord(text);
  if (record === null)
    return {
      isObject: false,
      iteration: null,
      values: [],
      problems: [`${Buffer.byteLength(text)} bytes that are not a JSON object, ignored.`],
    };
  const problems: string[] = [];
  const { iteration, ...others } = record;
  if (iteration !== undefined && iteration !== null && !isIteration(iteration)) {
    return {
      isObject: true,
      iteration: null,
      values: [],
      problems: ['"iteration" is not a whole number from 0 to 2147483647, line ignored.'],
    };
  }
  const values: Array<readonly [string, number]> = [];
  for (const [name, value] of Object.entries(others)) {
    if (notFinite.has(value) || (typeof value === 'number' && !Number.isFinite(value)))
      problems.push(`${quoteName(name)} is not a finite number, ignored.`);
    else if (typeof value === 'number') values.push([name, value]);
  }
  return { isObject: true, iteration: iteration ?? null, values, problems };
}

/** GraphQL's Int. */
const isIteration = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 2_147_483_647;

/**
 * JSON has no NaN, but Python's json and NumPy write NaN, Infinity and -Infinity bare. If strict
 * parsing fails, these words outside of strings are replaced by a marker: an object, because no
 * text in the line can be mistaken for one.
 */
function parseRecord(text: string): { record: Record<string, unknown> | null; notFinite: ReadonlySet<unknown> } {
  const strict = parseObject(text);
  if (strict !== null) return { record: strict, notFinite: new Set() };
  const marker = {};
  const words = /"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g;
  const lenient = text.replace(words, (match) => (match.startsWith('"') ? match : '{"notFinite":true}'));
  const record = parseObject(lenient, (value) => (isMarked(value) ? marker : value));
  return { record, notFinite: new Set([marker]) };
}

const isMarked = (value: unknown) => typeof value === 'object' && value !== null && 'notFinite' in value;

function parseObject(text: string, revive: (value: unknown) => unknown = (value) => value): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text, (_key, each) => revive(each));
    // A JSON object has string keys. Nothing is claimed about its values.
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
