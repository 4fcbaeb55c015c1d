/**
 * Job items: named, typed settings. A value is stored as text in the canonical spelling of its
 * type.
 */
import type { JobItemRow } from '../../store/schema/tables.ts';
import type { ItemValueType } from '../core/vocabulary.ts';

/** The canonical spelling of a value, or what is wrong with it. */
export type Spelling = { readonly text: string } | { readonly wrong: string };

const DECIMAL = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/;

export function spell(type: ItemValueType, value: string): Spelling {
  const trimmed = value.trim();
  switch (type) {
    case 'TEXT':
    case 'MULTI':
      return { text: value };
    case 'BOOL':
      return /^(true|false)$/i.test(trimmed) ? { text: trimmed.toLowerCase() } : { wrong: 'must be true or false.' };
    case 'INT':
      return spellInt(trimmed);
    case 'FLOAT':
      return spellFloat(trimmed);
    case 'NUMBER':
      return /^[+-]?\d+$/.test(trimmed) ? spellInt(trimmed) : spellFloat(trimmed);
    case 'STRING_ARRAY':
      return spellList(trimmed);
  }
}

function spellInt(text: string): Spelling {
  if (!/^[+-]?\d+$/.test(text)) return { wrong: 'must be a whole number.' };
  const number = Number(text);
  return Number.isSafeInteger(number)
    ? { text: String(number === 0 ? 0 : number) }
    : { wrong: 'must be a whole number between -(2^53-1) and 2^53-1.' };
}

function spellFloat(text: string): Spelling {
  const number = DECIMAL.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(number) ? { text: String(number) } : { wrong: 'must be a number, such as 0.5 or 1e-3.' };
}

function spellList(text: string): Spelling {
  try {
    const list: unknown = JSON.parse(text);
    if (Array.isArray(list) && list.every((entry) => typeof entry === 'string')) return { text: JSON.stringify(list) };
  } catch {
    // Not JSON: refused below.
  }
  return { wrong: 'must be a JSON list of strings, such as ["a", "b"].' };
}

/** The value as JSON: a number, a string, a boolean or a list of strings. */
export function typedValue({ valueType, value }: Pick<JobItemRow, 'valueType' | 'value'>): unknown {
  switch (valueType) {
    case 'TEXT':
    case 'MULTI':
      return value;
    case 'INT':
    case 'FLOAT':
    case 'NUMBER':
      return Number(value);
    case 'BOOL':
      return value === 'true';
    case 'STRING_ARRAY':
      return JSON.parse(value) as unknown;
  }
}
