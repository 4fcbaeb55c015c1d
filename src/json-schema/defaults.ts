/**
 * What a validator does not do with a JSON Schema: finds the keys that it knows in any of its
 * alternatives, and its defaults, also for omitted objects.
 *
 * References are followed within the schema, by pointer, anchor or id. A reference elsewhere says
 * nothing, so it causes no warnings.
 */
import type { JsonPath } from '../domain/core/schemas.ts';
import { compilePattern } from './patterns.ts';

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json => value !== null && typeof value === 'object' && !Array.isArray(value);

/** Keywords that contain schemas, by their form. */
const single = [
  'additionalProperties',
  'unevaluatedProperties',
  'additionalItems',
  'unevaluatedItems',
  'items',
  'contains',
  'propertyNames',
  'if',
  'then',
  'else',
  'not',
];
const listed = ['allOf', 'anyOf', 'oneOf', 'prefixItems', 'items'];
const named = ['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas', 'dependencies'];

/** These keys would reach the prototype of the object that gets the settings. */
const forbidden = new Set(['__proto__', 'constructor', 'prototype']);

const own = (of: Json, key: string): unknown => (Object.hasOwn(of, key) ? of[key] : undefined);
const inside = (schema: Json, keyword: string): Json => {
  const map = own(schema, keyword);
  return isObject(map) ? map : {};
};
const listIn = (schema: Json, keyword: string): readonly unknown[] => {
  const list = own(schema, keyword);
  return Array.isArray(list) ? list : [];
};

/** The schemas directly inside a schema. */
function* partsOf(schema: Json): Generator<Json> {
  for (const keyword of single) {
    const part = own(schema, keyword);
    if (isObject(part)) yield part;
  }
  for (const keyword of listed) yield* listIn(schema, keyword).filter(isObject);
  for (const keyword of named) yield* Object.values(inside(schema, keyword)).filter(isObject);
}

/**
 * The same schema, with no object closed to unknown keys. Schemas below `not` stay: there it means
 * the opposite.
 */
export function withoutClosing(schema: Json): Json {
  const open = (part: unknown): unknown => (isObject(part) ? withoutClosing(part) : part);
  const result: Json = {};
  for (const [keyword, value] of Object.entries(schema)) {
    if ((keyword === 'additionalProperties' || keyword === 'unevaluatedProperties') && value === false) continue;
    if (named.includes(keyword) && isObject(value)) {
      result[keyword] = Object.fromEntries(Object.entries(value).map(([name, part]) => [name, open(part)]));
    } else if (listed.includes(keyword) && Array.isArray(value)) result[keyword] = value.map(open);
    else result[keyword] = single.includes(keyword) && keyword !== 'not' ? open(value) : value;
  }
  return result;
}

function resolve(root: Json, reference: unknown): Json | null {
  if (typeof reference !== 'string') return null;
  if (reference === '#') return root;
  if (!reference.startsWith('#/')) return findNamed(root, reference);
  let at: unknown = root;
  for (const part of reference.slice(2).split('/')) {
    const key = decode(part).replaceAll('~1', '/').replaceAll('~0', '~');
    at = Array.isArray(at) ? at[Number(key)] : isObject(at) ? own(at, key) : undefined;
  }
  return isObject(at) ? at : null;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The schema with this anchor or id. */
function findNamed(root: Json, reference: string): Json | null {
  const open: Json[] = [root];
  for (let schema = open.pop(); schema; schema = open.pop()) {
    if ([own(schema, '$anchor'), own(schema, '$dynamicAnchor')].some((anchor) => `#${String(anchor)}` === reference)) return schema;
    if (own(schema, '$id') === reference) return schema;
    open.push(...partsOf(schema));
  }
  return null;
}

/**
 * The schemas that apply to the same place as this one: references and parts, with or without
 * alternatives.
 */
function viewsOf(root: Json, schemas: readonly unknown[], withAlternatives: boolean): Json[] {
  const seen = new Set<Json>();
  const open = schemas.filter(isObject);
  for (let schema = open.pop(); schema; schema = open.pop()) {
    if (seen.has(schema)) continue;
    seen.add(schema);
    for (const keyword of ['$ref', '$dynamicRef', '$recursiveRef']) {
      const target = resolve(root, own(schema, keyword));
      if (target) open.push(target);
    }
    open.push(...listIn(schema, 'allOf').filter(isObject));
    if (!withAlternatives) continue;
    for (const keyword of ['anyOf', 'oneOf']) open.push(...listIn(schema, keyword).filter(isObject));
    for (const keyword of ['if', 'then', 'else']) open.push(...[own(schema, keyword)].filter(isObject));
    for (const keyword of ['dependentSchemas', 'dependencies']) open.push(...Object.values(inside(schema, keyword)).filter(isObject));
  }
  return [...seen];
}

/** What a schema says of a list's entry. */
function entryOf(schema: Json, i: number): unknown {
  const items = own(schema, 'items');
  const tuple = Array.isArray(items) ? items : listIn(schema, 'prefixItems');
  if (i < tuple.length) return tuple[i];
  return Array.isArray(items) ? own(schema, 'additionalItems') : (items ?? own(schema, 'unevaluatedItems'));
}

/** The paths of keys that no part of the schema knows. What is below such a key is not searched. */
export function unknownKeys(root: Json, settings: Json): JsonPath[] {
  const unknown: JsonPath[] = [];
  const walk = (value: unknown, schemas: readonly unknown[], place: JsonPath): void => {
    const views = viewsOf(root, schemas, true);
    if (Array.isArray(value)) {
      for (const [i, entry] of value.entries()) {
        const said = views.map((view) => entryOf(view, i));
        walk(entry, said, [...place, String(i)]);
      }
    }
    // An object without declared keys may have any.
    if (!isObject(value) || !views.some(saysKeys)) return;
    for (const [key, entry] of Object.entries(value)) {
      const said = views.flatMap((view) => saidOf(view, key));
      if (said.length === 0) unknown.push([...place, key]);
      else walk(entry, said, [...place, key]);
    }
  };
  walk(settings, [root], []);
  return unknown;
}

const saysKeys = (schema: Json): boolean =>
  ['properties', 'patternProperties', 'additionalProperties', 'unevaluatedProperties'].some((keyword) => Object.hasOwn(schema, keyword));

/** What a schema says of a key. Empty if it does not know the key. */
function saidOf(schema: Json, key: string): unknown[] {
  const said: unknown[] = [];
  const properties = inside(schema, 'properties');
  if (Object.hasOwn(properties, key)) said.push(properties[key]);
  for (const [pattern, part] of Object.entries(inside(schema, 'patternProperties')))
    if (compilePattern(pattern, 'u').test(key)) said.push(part);
  if (said.length > 0) return said;
  return [own(schema, 'additionalProperties'), own(schema, 'unevaluatedProperties')].filter((rest) => rest === true || isObject(rest));
}

/**
 * Fills in defaults that the settings lack, and returns their paths. Alternatives have none,
 * because it is not known yet which of them holds.
 */
export function fillDefaults(root: Json, settings: Json): JsonPath[] {
  const filled: JsonPath[] = [];
  /** Schemas in progress, so that one that contains itself does not nest defaults without end. */
  const making = new Set<Json>();

  const fill = (target: unknown, schemas: readonly unknown[], place: JsonPath): void => {
    const views = viewsOf(root, schemas, false);
    if (Array.isArray(target)) {
      for (const [i, entry] of target.entries()) {
        const said = views.map((view) => entryOf(view, i));
        fill(entry, said, [...place, String(i)]);
      }
    }
    if (!isObject(target)) return;
    for (const view of views) {
      for (const [key, schema] of Object.entries(inside(view, 'properties'))) {
        if (forbidden.has(key) || !isObject(schema)) continue;
        if (Object.hasOwn(target, key)) {
          fill(target[key], [schema], [...place, key]);
          continue;
        }
        const made = make(schema);
        if (made === undefined) continue;
        target[key] = made;
        filled.push([...place, key]);
      }
    }
  };

  /** The default of a missing value. Undefined if there is none. */
  const make = (schema: Json): unknown => {
    const views = viewsOf(root, [schema], false);
    const said = views.find((view) => Object.hasOwn(view, 'default'));
    const made: unknown = said ? structuredClone(said.default) : {};
    if (!isObject(made) || views.some((view) => making.has(view))) return said ? made : undefined;
    for (const view of views) making.add(view);
    const before = filled.length;
    fill(made, [schema], []);
    // The path of the whole object is reported instead.
    filled.length = before;
    for (const view of views) making.delete(view);
    if (said) return made;
    // An omitted object is created if its defaults are all that it requires.
    const needed = views.flatMap((view) => listIn(view, 'required'));
    const isWhole = needed.every((key) => typeof key === 'string' && Object.hasOwn(made, key));
    return isWhole && Object.keys(made).length > 0 ? made : undefined;
  };

  fill(settings, [root], []);
  return filled;
}
