import { describe, expect, test } from 'vitest';
import { fieldsOf, settingsFrom, WrongField } from '../../src/console/format/settings-fields.ts';

const schema = {
  type: 'object',
  required: ['seed'],
  $defs: { rate: { type: 'number', default: 0.1, description: 'How fast.' }, tree: { properties: { child: { $ref: '#/$defs/tree' } } } },
  properties: {
    seed: { type: 'integer', title: 'Seed' },
    optimizer: { type: 'object', required: ['name'], properties: { name: { enum: ['adam', 1, null] }, rate: { $ref: '#/$defs/rate' } } },
    isFast: { type: 'boolean' },
    steps: { type: 'array' },
  },
};
const fields = fieldsOf(schema);
const typed = (texts: Readonly<Record<string, string>>) =>
  new Map(fields.map((field) => [field, texts[field.path.join('.')] ?? ''] as const));

describe('The fields of a settings schema', () => {
  test('are one for each leaf, with its kind, default and whether it is required', () => {
    expect(
      fields.map(({ path, title, kind, isRequired, defaultValue }) => [path.join('.'), title, kind, isRequired, defaultValue]),
    ).toEqual([
      ['seed', 'Seed', 'number', true, undefined],
      ['optimizer.name', 'name', 'choice', true, undefined],
      ['optimizer.rate', 'rate', 'number', false, 0.1],
      ['isFast', 'isFast', 'boolean', false, undefined],
      ['steps', 'steps', 'json', false, undefined],
    ]);
    expect(fields[2]?.description).toBe('How fast.');
  });

  test('are one field of JSON where the schema says nothing, or refers to itself', () => {
    expect(fieldsOf({}).map(({ path, kind }) => [path, kind])).toEqual([[[], 'json']]);
    expect(fieldsOf({ ...schema, properties: { tree: { $ref: '#/$defs/tree' } } }).map(({ kind }) => kind)).toEqual(['json']);
    expect(fieldsOf({ $ref: '#' }).map(({ kind }) => kind)).toEqual(['json']);
  });

  test('make settings of what was typed, and leave out what was not', () => {
    const settings = settingsFrom(typed({ seed: '7', 'optimizer.name': 'null', isFast: 'false', steps: '[1]' }));
    expect(JSON.parse(JSON.stringify(settings))).toEqual({ seed: 7, optimizer: { name: null }, isFast: false, steps: [1] });
    expect(JSON.stringify(settingsFrom(typed({})))).toBe('{}');
  });

  test('send a number that is none as text, for the gateway to refuse', () => {
    expect(settingsFrom(typed({ seed: 'many' })).seed).toBe('many');
  });

  test('refuse what is not JSON at their path', () => {
    expect(() => settingsFrom(typed({ steps: '[1,' }))).toThrow(expect.objectContaining({ path: ['settings', 'steps'] }));
    const [whole] = fieldsOf({});
    expect(whole).toBeDefined();
    if (whole) expect(() => settingsFrom(new Map([[whole, '3']]))).toThrow(WrongField);
  });

  test('may be called __proto__ without reaching a prototype', () => {
    const [field] = fieldsOf({
      properties: JSON.parse('{"__proto__": {"type": "object", "properties": {"polluted": {"type": "string"}}}}'),
    });
    expect(field?.path).toEqual(['__proto__', 'polluted']);
    if (field) expect(JSON.stringify(settingsFrom(new Map([[field, 'yes']])))).toBe('{"__proto__":{"polluted":"yes"}}');
    expect('polluted' in {}).toBe(false);
  });
});
