/** Settings of a job: nested JSON. What was given, overrides by dot path put over it, and the defaults of the application's schema below it. */

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
  /** Dot paths of the settings that the application's schema does not know. */
  readonly warnings: readonly string[];
  /** Where each came from, by its dot path. A list is one setting, and so is an object without keys. */
  readonly sources: Readonly<Record<string, SettingSource>>;
}

/** From here down the settings are not simply as they were given. `override` is the index of the one that said it. */
interface Mark {
  readonly place: JsonPath;
  readonly source: SettingSource;
  readonly override?: number;
}

/** These would reach the prototype of whatever the settings are read into. */
const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype']);
/** As deep as JSON may be nested. */
const LONGEST_PATH = 32;
/** Characters of all dot paths together, beside the settings themselves: more is an attack on whoever stores them. */
const PATHS_AT_MOST = 1_048_576;

/** What a schema says of certain settings. It is asked before the change that needs it, since the answer may take its time. */
export interface Judgement {
  /** The schema that was asked, as text; null: none was. */
  readonly schema: string | null;
  readonly outcome: SchemaOutcome | SchemaUnusable | null;
}

/** The schema is another than the one that was asked: it was changed meanwhile. */
class JudgedOtherwise extends Error {}
/** Of a schema that is changed again each time. */
const MOST_TRIES = 5;

/** Asks `ask` for a judgement and makes `change` with it, again where the schema was changed in between. */
export async function withJudgement<T>(ask: () => Promise<Judgement>, change: (judgement: Judgement) => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await change(await ask());
    } catch (error) {
      if (!(error instanceof JudgedOtherwise) || tries >= MOST_TRIES) throw error;
    }
  }
}

/** Judges settings that are neither too large nor too deep; of others nothing is asked, since they are refused anyway. */
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

/** What the job runs with; what is wrong is refused in `checks`, by the path at which it was given. */
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

/** What was given, with the overrides over it. */
function put(
  given: Optional<Record<string, unknown>>,
  overrides: Optional<readonly SettingOverride[]>,
): { settings: Record<string, unknown>; marks: Mark[] } {
  const settings = structuredClone(given ?? {});
  const marks = (overrides ?? []).reduce<Mark[]>((before, { path, value }, override) => {
    const place = path.split('.');
    set(settings, place, structuredClone(value ?? null));
    // What an earlier one set below this place is gone.
    return [...before.filter((mark) => !isWithin(mark.place, place)), { place, source: 'OVERRIDE', override }];
  }, []);
  return { settings, marks };
}

function kept(checks: Checks, settings: Record<string, unknown>, marks: readonly Mark[]): Pick<EffectiveSettings, 'settings' | 'sources'> {
  checks.json(['settings'], settings);
  return { settings, sources: sourcesOf(checks, settings, marks) };
}

/** Whether the input may be worked on: it is neither too large nor too deep. */
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

/** What stands in the way and is no object is replaced by one. */
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

/** The deepest mark that holds there. */
function markAt(marks: readonly Mark[], place: JsonPath): Mark | undefined {
  let deepest: Mark | undefined;
  for (const mark of marks) {
    if (isWithin(place, mark.place) && mark.place.length >= (deepest?.place.length ?? 0)) deepest = mark;
  }
  return deepest;
}

/** By the path as in the input: below an override, of that override. */
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
