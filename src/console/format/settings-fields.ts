/**
 * Fields for a form, from the JSON Schema of an application's settings: a field per leaf. What a
 * form has no field for is written as JSON.
 */

export interface SettingField {
  /** Its path in the settings. Empty: all of them. */
  readonly path: readonly string[];
  readonly title: string;
  readonly description: string | null;
  readonly kind: 'text' | 'number' | 'boolean' | 'choice' | 'json';
  /** For a choice: the allowed values. */
  readonly choices: readonly unknown[];
  /** Undefined: it has none. */
  readonly defaultValue: unknown;
  readonly isRequired: boolean;
}

type Schema = Readonly<Record<string, unknown>>;

/** Deeper settings are one field of JSON. A schema may refer to itself. */
const DEEPEST = 6;

export function fieldsOf(schema: Schema): SettingField[] {
  return leaves(schema, schema, [], false);
}

function leaves(root: Schema, given: unknown, path: readonly string[], isRequired: boolean): SettingField[] {
  const schema = resolve(root, given);
  const { properties, required } = schema;
  if (isObject(properties) && Object.keys(properties).length > 0 && path.length < DEEPEST) {
    const names: readonly unknown[] = Array.isArray(required) ? required : [];
    return Object.entries(properties).flatMap(([name, inner]) => leaves(root, inner, [...path, name], names.includes(name)));
  }
  const { title, description } = schema;
  return [
    {
      path,
      title: typeof title === 'string' && path.length > 0 ? title : (path.at(-1) ?? 'Settings'),
      description: typeof description === 'string' ? description : null,
      ...kindOf(schema),
      defaultValue: schema.default,
      isRequired,
    },
  ];
}

function kindOf(schema: Schema): Pick<SettingField, 'kind' | 'choices'> {
  if (Array.isArray(schema.enum)) return { kind: 'choice', choices: schema.enum };
  switch (schema.type) {
    case 'number':
    case 'integer':
      return { kind: 'number', choices: [] };
    case 'boolean':
      return { kind: 'boolean', choices: [] };
    case 'string':
      return { kind: 'text', choices: [] };
    default:
      return { kind: 'json', choices: [] };
  }
}

/** Follows references within the schema. */
function resolve(root: Schema, given: unknown): Schema {
  let schema: unknown = given;
  for (let depth = 0; depth < DEEPEST && isObject(schema) && typeof schema.$ref === 'string'; depth++) {
    const { $ref, ...beside } = schema;
    const found = $ref === '#' ? root : $ref.startsWith('#/') ? find(root, $ref.slice(2)) : null;
    schema = isObject(found) ? { ...found, ...beside } : beside;
  }
  return isObject(schema) ? schema : {};
}

/** By a JSON pointer. */
function find(root: Schema, pointer: string): unknown {
  let at: unknown = root;
  for (const part of pointer.split('/')) {
    const name = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
    at = isObject(at) && Object.hasOwn(at, name) ? at[name] : undefined;
  }
  return at;
}

const isObject = (value: unknown): value is Schema => typeof value === 'object' && value !== null && !Array.isArray(value);

/** What the field's control holds. Empty: the setting is left out, and its default applies. */
export type Typed = ReadonlyMap<SettingField, string>;

/** @throws WrongField */
export function settingsFrom(typed: Typed): Record<string, unknown> {
  let settings: Record<string, unknown> = plain();
  for (const [field, text] of typed) {
    if (text.trim() === '') continue;
    const value = readTyped(field, text);
    const last = field.path.at(-1);
    if (last === undefined) {
      if (!isObject(value)) throw new WrongField(['settings', ...field.path], 'must be a JSON object, such as {"seed": 1}.');
      settings = value;
      continue;
    }
    let at = settings;
    for (const name of field.path.slice(0, -1)) {
      const inner = at[name];
      at[name] = isObject(inner) ? inner : plain();
      at = at[name] as Record<string, unknown>; // an object since the line before
    }
    at[last] = value;
  }
  return settings;
}

/** Without a prototype, so that `__proto__` is a name like any other. */
const plain = (): Record<string, unknown> => Object.create(null);

function readTyped(field: SettingField, text: string): unknown {
  switch (field.kind) {
    case 'text':
      return text;
    case 'boolean':
      return text === 'true';
    case 'number': {
      // What is not a number goes as text: the gateway says what it wants instead.
      const number = Number(text);
      return Number.isFinite(number) ? number : text;
    }
    case 'choice':
    case 'json':
      try {
        return JSON.parse(text);
      } catch {
        throw new WrongField(['settings', ...field.path], 'is not JSON. Text stands in quotes.');
      }
  }
}

/** What a field holds cannot be sent. */
export class WrongField extends Error {
  override readonly name = 'WrongField';
  /** Of the field, in the input of createJob. */
  readonly path: readonly string[];

  constructor(path: readonly string[], message: string) {
    super(message);
    this.path = path;
  }
}
