/**
 * Job items: named, typed settings, checked against the definitions of the job's application. A
 * value is stored as text in the canonical spelling of its type.
 */
import type { Optional } from '../../store/optional.ts';
import type { JobItemRow } from '../../store/schema/tables.ts';
import type { Checks } from '../core/checks.ts';
import type { ItemDefinition, ItemValueType } from '../core/vocabulary.ts';

export interface JobItemInput {
  name: string;
  description?: Optional<string>;
  label?: Optional<string>;
  value?: Optional<string>;
  defaultValue?: Optional<string>;
  valueType?: Optional<ItemValueType>;
}

export type CheckedItem = Omit<JobItemRow, 'id' | 'jobId' | 'createdAt' | 'updatedAt'>;

/** The part of an application that concerns items. */
interface Definer {
  readonly name: string;
  readonly itemDefinitions: readonly ItemDefinition[];
}

/**
 * Items with their values in canonical spelling. If the application defines items, the result has
 * its order and its defaults filled in. Otherwise any items are accepted.
 */
export function checkItems(checks: Checks, given: Optional<readonly JobItemInput[]>, application: Definer | null): CheckedItem[] {
  const inputs = given ?? [];
  checks.count(['items'], inputs, checks.limits.itemsAtMost);
  checks.unique(
    ['items'],
    inputs.map(({ name }) => name),
    'The item',
  );
  const definitions = application?.itemDefinitions ?? [];
  if (!application || definitions.length === 0) return inputs.map((input, i) => checkItem(checks, i, input, null)).map(inOrder);
  const byName = new Map(definitions.map((definition) => [definition.name, definition]));
  const checked = new Map<string, Unplaced>();
  for (const [i, input] of inputs.entries()) {
    const definition = byName.get(input.name);
    if (definition) checked.set(input.name, checkItem(checks, i, input, definition));
    else checks.refuse(['items', i, 'name'], `is not an item of ${application.name}. Its items are ${[...byName.keys()].join(', ')}.`);
  }
  return definitions.flatMap((definition) => checked.get(definition.name) ?? byDefault(checks, application, definition)).map(inOrder);
}

type Unplaced = Omit<CheckedItem, 'position'>;
const inOrder = (item: Unplaced, position: number): CheckedItem => ({ ...item, position });

function checkItem(checks: Checks, i: number, input: JobItemInput, definition: ItemDefinition | null): Unplaced {
  const path = ['items', i];
  const valueType = definition?.valueType ?? input.valueType ?? 'TEXT';
  checks.name([...path, 'name'], input.name);
  checks.text([...path, 'description'], input.description);
  checks.text([...path, 'label'], input.label, checks.limits.textAtMost);
  if (definition && input.valueType && !isAlike(input.valueType, valueType)) {
    checks.refuse([...path, 'valueType'], `must be ${valueType}, as in the application; it is ${input.valueType}.`);
  }
  const spelled = (field: 'value' | 'defaultValue') =>
    checkValue(checks, [...path, field], input[field], { valueType, options: definition?.options ?? null });
  const defaultValue = spelled('defaultValue') ?? definition?.defaultValue ?? null;
  const value = spelled('value') ?? defaultValue;
  if (value === null && input.value == null && input.defaultValue == null)
    checks.refuse([...path, 'value'], 'is required: the item has no default.');
  return {
    name: input.name,
    description: input.description ?? definition?.description ?? null,
    label: input.label ?? definition?.label ?? null,
    value: value ?? '',
    defaultValue,
    valueType,
    source: input.value == null ? 'DEFAULT' : 'GIVEN',
  };
}

/** An item that was not given: its default, nothing, or a refusal. */
function byDefault(checks: Checks, application: Definer, definition: ItemDefinition): Unplaced[] {
  const { name, description, label, valueType, defaultValue, isRequired } = definition;
  if (defaultValue === null) {
    if (isRequired)
      checks.refuse(['items'], `must contain ${JSON.stringify(name)}: ${application.name} requires it and has no default for it.`);
    return [];
  }
  return [{ name, description, label, valueType, defaultValue, value: defaultValue, source: 'DEFAULT' }];
}

/** NUMBER matches INT and FLOAT: the value itself is checked. */
function isAlike(given: ItemValueType, defined: ItemValueType): boolean {
  const isNumber = (type: ItemValueType) => type === 'INT' || type === 'FLOAT' || type === 'NUMBER';
  return given === defined || ((given === 'NUMBER' || defined === 'NUMBER') && isNumber(given) && isNumber(defined));
}

/**
 * The text in the canonical spelling of its type. Null if there is none or it was refused.
 * `options` null: MULTI takes any text.
 */
export function checkValue(
  checks: Checks,
  path: readonly (string | number)[],
  text: Optional<string>,
  { valueType, options }: { valueType: ItemValueType; options: readonly string[] | null },
): string | null {
  if (text === null || text === undefined) return null;
  checks.text(path, text);
  const spelling = spell(valueType, text);
  if ('wrong' in spelling) checks.refuse(path, spelling.wrong);
  else if (valueType === 'MULTI' && options && !options.includes(text)) {
    checks.refuse(path, `must be one of ${options.map((option) => JSON.stringify(option)).join(', ')}.`);
  } else return spelling.text;
  return null;
}

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
