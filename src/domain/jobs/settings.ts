/**
 * Settings of a job: nested JSON. Overrides by dot path are applied on top of the given settings,
 * and the defaults of the application's schema below.
 */

import type { Optional } from '../../store/optional.ts';
import { Checks } from '../core/checks.ts';
import type { Domain } from '../core/domain.ts';
import { type JsonPath, type SchemaOutcome, type SchemaProblem, SchemaUnusable } from '../core/schemas.ts';
import type { SettingSource } from '../core/vocabulary.ts';

export interface SettingOverride {
  path: string;
  value?: unknown;
}

export interface EffectiveSettings {
  readonly settings: Record<string, unknown>;
  /** Dot paths of settings that the application's schema does not define. */
  readonly warnings: readonly string[];
  /**
   * The source of each setting, by its dot path. A list is one setting, and so is an object without
   * keys.
   */
  readonly sources: Readonly<Record<string, SettingSource>>;
}

/**
 * Below this path, the settings differ from those given. `override` is the index of the override
 * that set them.
 */
interface Mark {
  readonly place: JsonPath;
  readonly source: SettingSource;
  readonly override?: number;
}

/** These keys would reach the prototype of the object that settings are read into. */
const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype']);
/** The same as the limit on nested JSON. */
const LONGEST_PATH = 32;
/**
 * Characters of all dot paths together, besides the settings themselves. More is an attack on the
 * store.
 */
const PATHS_AT_MOST = 1_048_576;

/**
 * What a schema says about certain settings. It is made before the change, because it may take
 * long.
 */
export interface Judgement {
  /** The schema, as text. Null: there was none. */
  readonly schema: string | null;
  readonly outcome: SchemaOutcome | SchemaUnusable | null;
}

/** The schema has changed since the judgement was made. */
class JudgedOtherwise extends Error {}
/** The limit for a schema that keeps changing. */
const MOST_TRIES = 5;

/**
 * Gets a judgement from `ask` and runs `change` with it. Repeats both if the schema was changed in
 * between.
 */
export async function withJudgement<T>(ask: () => Promise<Judgement>, change: (judgement: Judgement) => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await change(await ask());
    } catch (error) {
      if (!(error instanceof JudgedOtherwise) || tries >= MOST_TRIES) throw error;
    }
  }
}

/** Judges settings that are neither too large nor too deep. Others are refused anyway. */
export async function judgeSettings(
  domain: Domain,
  given: Optional<Record<string, unknown>>,
  overrides: Optional<readonly SettingOverride[]>,
  schema: Optional<Record<string, unknown>>,
): Promise<Judgement> {
  if (!schema || !isSound(new Checks(domain), given, overrides ?? [])) return { schema: null, outcome: null };
  const text = JSON.stringify(schema);
  const { settings } = put(given, overrides);
  const outcome = await domain.schemas.judge(text, JSON.stringify(settings)).catch((error: unknown) => {
    if (error instanceof SchemaUnusable) return error;
    throw error;
  });
  return { schema: text, outcome };
}

/**
 * The settings that the job runs with. Problems are added to `checks`, with the path at which the
 * value was given.
 */
export function checkSettings(
  checks: Checks,
  given: Optional<Record<string, unknown>>,
  overrides: Optional<readonly SettingOverride[]>,
  schema: Record<string, unknown> | null,
  judgement: Judgement,
): EffectiveSettings {
  const nothing: EffectiveSettings = { settings: {}, warnings: [], sources: {} };
  if (!isSound(checks, given, overrides ?? [])) return nothing;
  const { settings: asGiven, marks } = put(given, overrides);
  if (!schema) return { ...kept(checks, asGiven, marks), warnings: [] };
  const { outcome } = judgement;
  if (outcome === null || judgement.schema !== JSON.stringify(schema)) throw new JudgedOtherwise();
  if (outcome instanceof SchemaUnusable) {
    checks.refuse(['settings'], outcome.message);
    return nothing;
  }
  for (const place of outcome.defaults) marks.push({ place, source: 'DEFAULT' });
  for (const problem of outcome.problems) refuse(checks, marks, problem);
  return { ...kept(checks, outcome.settings, marks), warnings: outcome.unknown.map((place) => place.join('.')) };
}

/** The given settings with the overrides applied. */
function put(
  given: Optional<Record<string, unknown>>,
  overrides: Optional<readonly SettingOverride[]>,
): { settings: Record<string, unknown>; marks: Mark[] } {
  const settings = structuredClone(given ?? {});
  const marks = (overrides ?? []).reduce<Mark[]>((before, { path, value }, override) => {
    const place = path.split('.');
    set(settings, place, structuredClone(value ?? null));
    // An override discards what an earlier one set below its path.
    return [...before.filter((mark) => !isWithin(mark.place, place)), { place, source: 'OVERRIDE', override }];
  }, []);
  return { settings, marks };
}

function kept(checks: Checks, settings: Record<string, unknown>, marks: readonly Mark[]): Pick<EffectiveSettings, 'settings' | 'sources'> {
  checks.json(['settings'], settings);
  return { settings, sources: sourcesOf(checks, settings, marks) };
}

/** Whether the input can be processed: it is neither too large nor too deep. */
function isSound(checks: Checks, given: Optional<Record<string, unknown>>, overrides: readonly SettingOverride[]): boolean {
  const before = checks.issueCount;
  checks.json(['settings'], given);
  checks.count(['settingsOverrides'], overrides, checks.limits.entriesAtMost);
  for (const [i, { path, value }] of overrides.entries()) {
    const keys = path.split('.');
    if (keys.length > LONGEST_PATH) checks.refuse(['settingsOverrides', i, 'path'], `must have at most ${LONGEST_PATH} names.`);
    else if (keys.some((key) => key === '' || FORBIDDEN_KEYS.has(key)))
      checks.refuse(['settingsOverrides', i, 'path'], 'must be names joined by dots, such as custom.custom_param.');
    checks.text(['settingsOverrides', i, 'path'], path);
    checks.json(['settingsOverrides', i, 'value'], value);
  }
  return checks.issueCount === before;
}

/** A value on the way that is not an object is replaced by one. */
function set(target: Record<string, unknown>, [key = '', ...rest]: JsonPath, value: unknown): void {
  if (rest.length === 0) {
    target[key] = value;
    return;
  }
  const next = Object.hasOwn(target, key) ? target[key] : undefined;
  const inner = isObject(next) ? next : {};
  target[key] = inner;
  set(inner, rest, value);
}

const isWithin = (place: JsonPath, outer: JsonPath): boolean => outer.length <= place.length && outer.every((key, i) => place[i] === key);

/** The deepest mark that applies to this path. */
function markAt(marks: readonly Mark[], place: JsonPath): Mark | undefined {
  let deepest: Mark | undefined;
  for (const mark of marks) {
    if (isWithin(place, mark.place) && mark.place.length >= (deepest?.place.length ?? 0)) deepest = mark;
  }
  return deepest;
}

/** With the path in the input. Below an override, that is a path in the override. */
function refuse(checks: Checks, marks: readonly Mark[], { place, message }: SchemaProblem): void {
  const mark = markAt(marks, place);
  if (mark?.override === undefined) checks.refuse(['settings', ...place], message);
  else checks.refuse(['settingsOverrides', mark.override, 'value', ...place.slice(mark.place.length)], message);
}

function sourcesOf(checks: Checks, settings: Record<string, unknown>, marks: readonly Mark[]): Record<string, SettingSource> {
  const marked = new Map(marks.map((mark) => [mark.place.join('\0'), mark.source]));
  const sources: [string, SettingSource][] = [];
  let length = 0;
  const walk = (value: unknown, place: JsonPath, above: SettingSource): void => {
    if (length > PATHS_AT_MOST) return;
    const source = marked.get(place.join('\0')) ?? above;
    const keys = isObject(value) ? Object.keys(value) : [];
    if (isObject(value) && (keys.length > 0 || place.length === 0)) {
      for (const key of keys) walk(value[key], [...place, key], source);
      return;
    }
    const path = place.join('.');
    length += path.length;
    sources.push([path, source]);
  };
  walk(settings, [], 'GIVEN');
  if (length > PATHS_AT_MOST)
    checks.refuse(['settings'], `must have at most ${PATHS_AT_MOST} characters in the dot paths of all settings.`);
  return Object.fromEntries(sources);
}

const isObject = (value: unknown): value is Record<string, unknown> => value !== null && typeof value === 'object' && !Array.isArray(value);
