/**
 * Reads an API input from a file, by the API's own types. Where the schema takes text, the file's
 * text is taken as written (`010`, `1.10`, `yes`). Where it takes a number, the file must have one.
 * This file knows no single fields, only how pairs may be shortened.
 */
import {
  type GraphQLInputObjectType,
  type GraphQLInputType,
  type GraphQLList,
  getNamedType,
  getNullableType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isScalarType,
} from 'graphql';
import { isMap, isScalar, isSeq, type YAMLMap } from 'yaml';
import { didYouMean } from '../../text/nearest.ts';
import { UsageError } from '../io.ts';
import { isBare, isNothing, type Source, type SourceEntry, type SourceNode, textOf } from './source.ts';
import { NotKept, numberOf, readValue } from './values.ts';

/** The deepest nesting, aliases included: one that contains itself never ends. */
const DEEPEST = 64;

/** Items are text that may hold JSON, so their lists and mappings are passed as JSON. */
const jsonInText = new Set(['JobItemInput', 'ItemDefinitionInput']);

/**
 * The field that names an entry of pairs (labels, env, items). Their list may be written as a
 * mapping of name to value.
 */
export function pairKeyOf(type: GraphQLInputType): 'key' | 'name' | undefined {
  const entry = isListType(type) ? getNullableType(type.ofType) : undefined;
  if (!isInputObjectType(entry)) return undefined;
  const fields = entry.getFields();
  if (fields.value === undefined) return undefined;
  return fields.key === undefined ? 'name' : 'key';
}

/** What was read, and what is wrong with it: one line each. */
export interface Reading {
  readonly value: Readonly<Record<string, unknown>>;
  readonly problems: readonly string[];
  /** The position of each value, by its dot path in the input. */
  readonly places: ReadonlyMap<string, number>;
}

/** Reads these entries as an input object of this type. Fields in `given` may be missing. */
export function readInput(
  source: Source,
  type: GraphQLInputObjectType,
  entries: readonly SourceEntry[],
  given: ReadonlySet<string>,
): Reading {
  const reader = new InputReader(source, type);
  const value = reader.readFields(type, entries, [], { node: source.root, known: given });
  return { value, problems: reader.problems, places: reader.places };
}

type Path = readonly (string | number)[];
type Json = Record<string, unknown>;

class InputReader {
  readonly problems: string[] = [];
  readonly places = new Map<string, number>();
  readonly #source: Source;
  readonly #top: GraphQLInputObjectType;

  constructor(source: Source, top: GraphQLInputObjectType) {
    this.#source = source;
    this.#top = top;
  }

  readFields(
    type: GraphQLInputObjectType,
    entries: readonly SourceEntry[],
    path: Path,
    { node, known }: { node: SourceNode | null; known: ReadonlySet<string> },
  ): Json {
    const fields = type.getFields();
    const read: [string, unknown][] = [];
    for (const { key, at, value } of entries) {
      const field = Object.hasOwn(fields, key) ? fields[key] : undefined;
      if (field === undefined) this.#refuse(at, path, explainUnknown(this.#top, type, key));
      else read.push([key, this.#read(field.type, value, [...path, key], type)]);
    }
    const names = new Set([...known, ...read.map(([key]) => key)]);
    for (const field of Object.values(fields)) {
      const isNeeded = isNonNullType(field.type) && field.defaultValue === undefined;
      if (isNeeded && !names.has(field.name)) this.#refuse(node, path, `"${field.name}" is missing.`);
    }
    if (type.isOneOf && read.filter(([, value]) => value !== null).length !== 1)
      this.#refuse(node, path, `takes one of ${Object.keys(fields).join(', ')}.`);
    return Object.fromEntries(read);
  }

  #read(type: GraphQLInputType, node: SourceNode | null, path: Path, owner: GraphQLInputObjectType): unknown {
    this.places.set(path.join('.'), node?.range?.[0] ?? 0);
    if (path.length > DEEPEST) throw new UsageError(this.#source.wrong(node, `is nested deeper than ${DEEPEST} levels.`));
    const inner = getNullableType(type);
    if (isNothing(node) && !(isNonNullType(type) && isText(inner))) {
      if (isNonNullType(type)) this.#refuse(node, path, `takes ${describeType(inner)}, not nothing.`);
      return null;
    }
    if (isListType(inner)) return this.#readList(inner, node, path, owner);
    if (isInputObjectType(inner)) {
      if (isMap(node)) return this.readFields(inner, this.#source.entriesOf(node), path, { node, known: new Set() });
      return this.#refuse(node, path, `takes a mapping, not ${describe(node)}.`);
    }
    try {
      return this.#readLeaf(inner, node, jsonInText.has(owner.name));
    } catch (error) {
      if (error instanceof NotKept) return this.#refuse(error.node, path, error.message);
      throw error;
    }
  }

  #readList(type: GraphQLList<GraphQLInputType>, node: SourceNode | null, path: Path, owner: GraphQLInputObjectType): unknown {
    const pairKey = pairKeyOf(type);
    if (isSeq(node)) return node.items.map((item, i) => this.#read(type.ofType, this.#source.follow(item), [...path, i], owner));
    if (pairKey !== undefined && isMap(node)) return this.#readPairs(type, pairKey, node, path);
    return this.#refuse(node, path, `takes a list${pairKey ? ' or a mapping of names to values' : ''}, not ${describe(node)}.`);
  }

  /**
   * Reads `{SEED: 7}` as `[{name: SEED, value: 7}]`. A mapping as the value gives the entry's other
   * fields.
   */
  #readPairs(type: GraphQLList<GraphQLInputType>, pairKey: string, map: YAMLMap, path: Path): unknown {
    const entryType = getNullableType(type.ofType);
    if (!isInputObjectType(entryType)) return null;
    return this.#source.entriesOf(map).map(({ key, at, value }, i) => {
      const isRest = isMap(value) && !jsonInText.has(entryType.name);
      const entries = isRest ? this.#source.entriesOf(value) : [{ key: 'value', at, value }];
      return { [pairKey]: key, ...this.readFields(entryType, entries, [...path, i], { node: value, known: new Set([pairKey]) }) };
    });
  }

  #readLeaf(type: GraphQLInputType, node: SourceNode | null, takesJson: boolean): unknown {
    if (isEnumType(type)) {
      const words = type.getValues().map(({ name }) => name);
      const word = textOf(node);
      if (word !== null && words.includes(word)) return word;
      throw new NotKept(node, `takes ${words.join(', ')}, not ${describe(node)}.${didYouMean(word ?? '', words, (known) => known)}`);
    }
    const { name } = getNamedType(type);
    if (name === 'JSON') return readValue(this.#source, node);
    if (name === 'JSONObject') {
      if (isMap(node)) return readValue(this.#source, node);
      throw new NotKept(node, `takes a mapping, not ${describe(node)}.`);
    }
    if (name === 'Boolean') {
      if (isScalar(node) && isBare(node) && typeof node.value === 'boolean') return node.value;
      throw new NotKept(node, `takes true or false, not ${describe(node)}.`);
    }
    if (numberTypes.has(name)) {
      const value = isBare(node) ? numberOf(node) : undefined;
      if (value !== undefined && (name === 'Float' || Number.isSafeInteger(value))) return value;
      throw new NotKept(node, `takes ${describeType(type)}, not ${describe(node)}.`);
    }
    const text = textOf(node);
    if (text === null && takesJson) return JSON.stringify(readValue(this.#source, node));
    if (text === null) throw new NotKept(node, `takes text, not ${describe(node)}.`);
    if (!text.isWellFormed()) throw new NotKept(node, 'contains half a character (a lone surrogate).');
    return text;
  }

  #refuse(at: number | SourceNode | null, path: Path, message: string): undefined {
    this.problems.push(this.#source.wrong(at, `${path.length === 0 ? '' : `${path.join('.')}: `}${message}`));
    return undefined;
  }
}

const numberTypes = new Set(['Int', 'Float', 'ByteCount']);

/** Whether it takes text as written: strings, ids, times. */
function isText(type: GraphQLInputType): boolean {
  return isScalarType(type) && !numberTypes.has(type.name) && !['Boolean', 'JSON', 'JSONObject'].includes(type.name);
}

/** Explains an unknown key: where it belongs, or which was probably meant. */
function explainUnknown(top: GraphQLInputObjectType, type: GraphQLInputObjectType, key: string): string {
  const fields = Object.keys(type.getFields());
  const inside = pathTo(type, key);
  if (inside) return `there is no field "${key}" here; it belongs in "${inside.slice(0, -1).join('.')}": write ${nest(inside)}.`;
  const suggestion = didYouMean(key, fields);
  const elsewhere = suggestion === '' && type !== top ? pathTo(top, key) : undefined;
  if (elsewhere)
    return `there is no field "${key}" here; it is a field of ${elsewhere.length === 1 ? 'the top level' : `"${elsewhere.slice(0, -1).join('.')}"`}.`;
  return `there is no field "${key}".${suggestion || ` Known are ${fields.join(', ')}.`}`;
}

/** The shortest path to a field of this name, without list indexes. */
function pathTo(from: GraphQLInputObjectType, key: string): string[] | undefined {
  const seen = new Set<GraphQLInputObjectType>();
  let level: [type: GraphQLInputObjectType, path: string[]][] = [[from, []]];
  while (level.length > 0) {
    const found = level.find(([type]) => Object.hasOwn(type.getFields(), key));
    if (found) return [...found[1], key];
    level = level.flatMap(([type, path]) => {
      if (seen.has(type)) return [];
      seen.add(type);
      return Object.values(type.getFields()).flatMap((field): typeof level => {
        const inner = getNullableType(field.type);
        return isInputObjectType(inner) ? [[inner, [...path, field.name]]] : [];
      });
    });
  }
  return undefined;
}

const nest = (path: readonly string[]): string => path.reduceRight((inner, key) => (inner === '' ? `${key}: …` : `${key}: {${inner}}`), '');

function describeType(type: GraphQLInputType): string {
  if (isListType(type)) return 'a list';
  if (isInputObjectType(type)) return 'a mapping';
  const { name } = getNamedType(type);
  return (
    { Int: 'a whole number', ByteCount: 'a whole number', Float: 'a number', Boolean: 'true or false', JSONObject: 'a mapping' }[name] ??
    'text'
  );
}

function describe(node: SourceNode | null): string {
  if (isNothing(node)) return 'nothing';
  if (isSeq(node)) return 'a list';
  if (isMap(node)) return 'a mapping';
  const text = textOf(node) ?? '';
  const shown = text.length > 60 ? `${text.slice(0, 60)}…` : text;
  return isBare(node) ? shown : JSON.stringify(shown);
}
