/** Settings of a job: nested JSON, with overrides by dot path applied last. */
import type { Checks } from './checks.ts';

export interface SettingOverride {
  path: string;
  value?: unknown;
}

/** These would reach the prototype of whatever the settings are read into. */
const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype']);

/** Settings with the overrides in; what is wrong with an override is refused in `checks`. */
export function applyOverrides(
  checks: Checks,
  settings: Record<string, unknown> | null | undefined,
  overrides: readonly SettingOverride[] | null | undefined,
): Record<string, unknown> {
  const result = structuredClone(settings ?? {});
  for (const [i, { path, value }] of (overrides ?? []).entries()) {
    const keys = path.split('.');
    if (keys.some((key) => key === '' || FORBIDDEN_KEYS.has(key))) {
      checks.refuse(['settingsOverrides', i, 'path'], 'must be names joined by dots, such as custom.custom_param.');
      continue;
    }
    set(result, keys, value ?? null);
  }
  return result;
}

/** What stands in the way and is no object is replaced by one. */
function set(target: Record<string, unknown>, [key = '', ...rest]: readonly string[], value: unknown): void {
  if (rest.length === 0) {
    target[key] = value;
    return;
  }
  const next = Object.hasOwn(target, key) ? target[key] : undefined;
  const inner = isObject(next) ? next : {};
  target[key] = inner;
  set(inner, rest, value);
}

const isObject = (value: unknown): value is Record<string, unknown> => value !== null && typeof value === 'object' && !Array.isArray(value);
