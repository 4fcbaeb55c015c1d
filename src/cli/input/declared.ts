/**
 * The settings that a job declares: in its application's schema and in its job file. Only these are
 * flags of `submit`. Their types decide how a value on the command line is read: `5` is text if the
 * schema says string.
 */

import { didYouMean } from '../../text/nearest.ts';
import { UsageError } from '../io.ts';
import type { FlagSet } from './flags.ts';
import type { SettingFlag } from './overrides.ts';
import { parseSource } from './source.ts';
import { NotKept, readValue } from './values.ts';

type Json = Readonly<Record<string, unknown>>;

/** A setting overridden on the command line. `flag` is what the user typed. */
export interface SettingOverride {
  readonly path: string;
  readonly value: unknown;
  readonly flag: string;
}

export interface Declared {
  /** The application's JSON Schema. Null if there is none. */
  readonly schema: Json | null;
  /** The settings of the job file, or of `--settings`. */
  readonly settings: Json;
}

/** The JSON Schema types that a setting may have. Null if the schema does not say. */
type Types = ReadonlySet<string> | null;

/**
 * Reads flags as declared settings.
 * @throws UsageError for one that is not declared, with a suggestion.
 */
export function readSettingFlags(given: readonly SettingFlag[], declared: Declared, flags: FlagSet): SettingOverride[] {
  const seen = new Set<string>();
  return given.map(({ path, text }) => {
    const flag = `--${path}`;
    if (!isDeclared(declared, path)) throw new UsageError(explainUndeclared(path, text, declared, flags));
    if (seen.has(path)) throw new UsageError(`${flag} is given twice.`);
    seen.add(path);
    return { path, flag, value: readText(flag, text, typesOf(declared, path)) };
  });
}

/** Reads the values of `--set PATH=VALUE`, which may name any setting. */
export function readSet(pairs: readonly { readonly key: string; readonly value: string }[], declared: Declared): SettingOverride[] {
  return pairs.map(({ key, value }) => {
    const flag = `--set ${key}`;
    if (key.split('.').some((part) => part === '')) throw new UsageError(`${flag} is not a path: give names joined by dots.`);
    return { path: key, flag, value: readText(flag, value, typesOf(declared, key)) };
  });
}

/**
 * Reads a value from the command line: JSON if it parses, else text.
 * @throws UsageError for a number that would be changed.
 */
export function parseValue(flag: string, text: string): unknown {
  try {
    JSON.parse(text);
  } catch {
    return text;
  }
  try {
    const source = parseSource(text, flag);
    return readValue(source, source.root);
  } catch (error) {
    if (error instanceof NotKept) throw new UsageError(`${flag}: ${error.message}`);
    throw error;
  }
}

function readText(flag: string, text: string | undefined, types: Types): unknown {
  if (text === undefined) {
    if (types === null || types.has('boolean')) return true;
    throw new UsageError(`${flag} takes a value (${[...types].join(' or ')}).`);
  }
  if (types === null) return parseValue(flag, text);
  if (types.size === 1 && types.has('string')) return text;
  const value = parseValue(flag, text);
  if (typeNamesOf(value).some((name) => types.has(name))) return value;
  if (types.has('string')) return text;
  // `.5` and `+5` are numbers, though not in JSON. The gateway refuses other text by the schema.
  const isNumber = (types.has('number') || types.has('integer')) && /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text);
  return isNumber && !/^[-+]?0\d/.test(text) ? Number(text) : value;
}

function typeNamesOf(value: unknown): string[] {
  if (value === null) return ['null'];
  if (Array.isArray(value)) return ['array'];
  if (typeof value === 'number') return Number.isInteger(value) ? ['integer', 'number'] : ['number'];
  return [typeof value];
}

function explainUndeclared(path: string, text: string | undefined, declared: Declared, flags: FlagSet): string {
  const known = [...Object.keys(flags), ...pathsOf(declared)];
  const suggestion = didYouMean(path, known, (word) => `--${word}`);
  return `There is no flag --${path}, and this job declares no such setting.${suggestion} To set any setting, use --set ${path}=${text ?? 'true'}.`;
}

function isDeclared(declared: Declared, path: string): boolean {
  return valueAt(declared.settings, path) !== undefined || schemasAt(declared.schema, path) !== null;
}

function typesOf(declared: Declared, path: string): Types {
  const said = typesOfSchemas(schemasAt(declared.schema, path) ?? []);
  if (said !== null) return said;
  // A string in the file makes it text. Other values say nothing about the type.
  return typeof valueAt(declared.settings, path) === 'string' ? new Set(['string']) : null;
}

function valueAt(settings: Json, path: string): unknown {
  let at: unknown = settings;
  for (const key of path.split('.')) at = isObject(at) && Object.hasOwn(at, key) ? at[key] : undefined;
  return at;
}

function typesOfSchemas(schemas: readonly Json[]): Types {
  const types = schemas.flatMap((schema) => schema.type ?? []);
  const values = schemas.flatMap((schema) => [...listOf(schema.enum), ...('const' in schema ? [schema.const] : [])]);
  const names = types.length > 0 ? types.map(String) : values.flatMap(typeNamesOf);
  if (names.length > 0) return new Set(names);
  const defaults = schemas.flatMap((schema) => ('default' in schema ? typeNamesOf(schema.default) : []));
  return defaults.includes('string') ? new Set(['string']) : null;
}

/**
 * The schemas of a path. Null if the schema does not know it. An object without declared keys may
 * have any.
 */
function schemasAt(root: Json | null, path: string): Json[] | null {
  if (root === null) return null;
  let views = viewsOf(root, [root]);
  for (const [depth, key] of path.split('.').entries()) {
    const named = views.flatMap((view) => namedIn(view, key));
    const others = views.map((view) => view.additionalProperties);
    const isOpen = depth > 0 && (others.some((other) => other === true || isObject(other)) || !views.some((view) => 'properties' in view));
    if (named.length === 0 && !isOpen) return null;
    views = viewsOf(root, named.length > 0 ? named : others);
  }
  return views;
}

function namedIn(schema: Json, key: string): unknown[] {
  const { properties, patternProperties } = schema;
  if (isObject(properties) && Object.hasOwn(properties, key)) return [properties[key]];
  const patterns = isObject(patternProperties) ? Object.entries(patternProperties) : [];
  return patterns.filter(([pattern]) => new RegExp(pattern, 'u').test(key)).map(([, schema]) => schema);
}

/** All schemas that apply at one place: references and alternatives included. */
function viewsOf(root: Json, schemas: readonly unknown[]): Json[] {
  const seen = new Set<Json>();
  const open = schemas.filter(isObject);
  for (let schema = open.pop(); schema; schema = open.pop()) {
    if (seen.has(schema)) continue;
    seen.add(schema);
    const alternatives = [schema.allOf, schema.anyOf, schema.oneOf].flatMap(listOf);
    open.push(...[...alternatives, schema.if, schema.then, schema.else, resolve(root, schema.$ref)].filter(isObject));
  }
  return [...seen];
}

function resolve(root: Json, reference: unknown): unknown {
  if (typeof reference !== 'string' || !/^#(\/|$)/.test(reference)) return undefined;
  const keys = reference.split('/').slice(1);
  return keys.reduce<unknown>((at, key) => (isObject(at) ? at[key.replaceAll('~1', '/').replaceAll('~0', '~')] : undefined), root);
}

/** The declared paths, two levels deep, for suggestions. */
function pathsOf({ schema, settings }: Declared): string[] {
  const below = (key: string, inner: readonly string[]): string[] => [key, ...inner.map((name) => `${key}.${name}`)];
  const named = (part: unknown): [string, unknown][] =>
    viewsOf(schema ?? {}, [part]).flatMap(({ properties }) => (isObject(properties) ? Object.entries(properties) : []));
  const said = named(schema).flatMap(([key, part]) =>
    below(
      key,
      named(part).map(([name]) => name),
    ),
  );
  return [...said, ...Object.entries(settings).flatMap(([key, value]) => below(key, isObject(value) ? Object.keys(value) : []))];
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);
