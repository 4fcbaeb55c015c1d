/**
 * Checks settings against users' schemas in threads. Whatever a schema demands, the gateway's own
 * schemas are served, and other schemas get their turn.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Schemas, SchemaUnusable } from '../../src/domain/core/schemas.ts';
import { openSchemas } from '../../src/json-schema/threads.ts';

/** A tenth of the limit for users' schemas. */
const LONGEST_MS = 100;
const schemas = openSchemas(LONGEST_MS);
const judge = (schema: object, settings: object, by: Schemas = schemas) => by.judge(JSON.stringify(schema), JSON.stringify(settings));
const outcomeOf = (judged: Promise<unknown>) =>
  judged.then(
    () => 'judged',
    (error: unknown) => (error instanceof SchemaUnusable ? error.message : error),
  );

/**
 * The longest time that this thread was blocked: a client of the gateway would have waited so long.
 */
let longestMs = 0;
let looking: NodeJS.Timeout;
beforeEach(() => {
  let last = performance.now();
  longestMs = 0;
  looking = setInterval(() => {
    longestMs = Math.max(longestMs, performance.now() - last);
    last = performance.now();
  }, 5);
});
afterEach(() => clearInterval(looking));
/**
 * A limit for a machine with more work than processors. The fault that this guards against blocked
 * it for over a second.
 */
const HELD_MS = 600;

const TOO_LONG = expect.stringContaining('took too long');
const deep = (levels: number): object => (levels === 0 ? {} : { a: deep(levels - 1) });

/** Each is valid, and each would take longer than anybody would wait. */
const slow: Record<string, [schema: object, settings: object]> = {
  'a pattern that looks ahead': [{ properties: { a: { pattern: '^(?=b?)(a+)+$' } } }, { a: `${'a'.repeat(40)}!` }],
  'a pattern of keys that refers back': [{ patternProperties: { '^(a+)+(x)\\2$': {} } }, { [`${'a'.repeat(40)}!`]: 1 }],
  'a pattern of the names of keys': [{ propertyNames: { pattern: '^(?=b?)(a+)+$' } }, { [`${'a'.repeat(40)}!`]: 1 }],
  'unique objects without end': [
    { properties: { a: { uniqueItems: true } } },
    { a: Array.from({ length: 20_000 }, (_, i) => ({ same: [1, 2, 3, 4, { deep: true }], i })) },
  ],
  'references that double': [
    {
      ...{ $ref: '#/$defs/d0' },
      $defs: Object.fromEntries(
        Array.from({ length: 40 }, (_, i) => [
          `d${i}`,
          i === 39 ? { minProperties: 0 } : { allOf: [{ $ref: `#/$defs/d${i + 1}` }, { $ref: `#/$defs/d${i + 1}` }] },
        ]),
      ),
    },
    {},
  ],
};

describe('A schema that is too expensive', () => {
  test.each(Object.entries(slow))('is stopped, and from then on refused without a try: %s (P9, P14)', async (_, [schema, settings]) => {
    expect(await outcomeOf(judge(schema, settings))).toEqual(TOO_LONG);
    expect(longestMs).toBeLessThan(HELD_MS);
    const began = performance.now();
    expect(await outcomeOf(judge(schema, settings))).toEqual(TOO_LONG);
    const isOfSettings = JSON.stringify(settings).length > 4_096;
    expect(await outcomeOf(judge(schema, {}))).toEqual(isOfSettings ? 'judged' : TOO_LONG);
    if (!isOfSettings) expect(performance.now() - began).toBeLessThan(100);
  });

  test('is tried once, however many callers wait for it (P9)', async () => {
    const schema = { title: 'many', properties: { a: { pattern: '^(?=b?)(a+)+$' } } };
    const began = performance.now();
    const outcomes = await Promise.all(Array.from({ length: 100 }, () => outcomeOf(judge(schema, { a: `${'a'.repeat(40)}!` }))));
    expect(outcomes).toEqual(Array(100).fill(TOO_LONG));
    expect(performance.now() - began).toBeLessThan(25_000);
  });

  test('only for long settings still checks short ones, before and after (P9)', async () => {
    const schema = { title: 'shared', properties: { a: { uniqueItems: true } } };
    const long = { a: Array.from({ length: 20_000 }, (_, i) => ({ i, same: [1, 2, 3, 4, { deep: true }] })) };
    const waiting = [judge(schema, long), judge(schema, { ...long, b: 1 }), judge(schema, { a: [1, 2] })].map(outcomeOf);
    expect(await Promise.all(waiting)).toEqual([TOO_LONG, TOO_LONG, 'judged']);
    expect(await outcomeOf(judge(schema, { a: [2, 1] }))).toBe('judged');
  });

  test('leaves other schemas their turn (P9)', async () => {
    const own = openSchemas(1_000);
    const settings = { a: `${'a'.repeat(40)}!` };
    const late = outcomeOf(judge({ title: 'held', properties: { a: { pattern: '^(?=b?)(a+)+$' } } }, settings, own));
    const order: string[] = [];
    const noted = late.then(() => order.push('slow'));
    for (let i = 0; i < 20; i++) order.push((await outcomeOf(judge({ properties: { b: { type: 'integer' } } }, { b: i }, own))) as string); // the settings pass
    await noted;
    expect(order).toEqual([...Array(20).fill('judged'), 'slow']);
  });

  test('in memory is stopped like one that is too expensive in time (P9, P14)', async () => {
    const own = openSchemas(4_000);
    const one = { type: 'integer', minimum: 1, not: { const: 2 }, multipleOf: 3 };
    const wide = { minProperties: 0, properties: Object.fromEntries(Array.from({ length: 15_000 }, (_, i) => [`p${i}`, one])) };
    const text = JSON.stringify({ allOf: [wide, wide, wide] });
    longestMs = 0;
    expect(await outcomeOf(own.judge(text, '{}'))).toEqual(TOO_LONG);
    expect(longestMs).toBeLessThan(HELD_MS);
    expect(await outcomeOf(judge({ type: 'object' }, {}, own))).toBe('judged');
  });
});

describe('A schema that is merely large or odd is used:', () => {
  const patient = openSchemas();

  test.each<[string, object, object]>([
    [
      'ten thousand values to choose from',
      { properties: { a: { enum: Array.from({ length: 10_000 }, (_, i) => `value ${i}`) } } },
      { a: 'value 9999' },
    ],
    [
      'a list of many that are unique',
      { properties: { a: { uniqueItems: true, items: { type: 'integer' } } } },
      { a: Array.from({ length: 20_000 }, (_, i) => i) },
    ],
    ['a pattern that V8 would take years for', { properties: { a: { pattern: '^(a+)+$' } } }, { a: 'a'.repeat(20_000) }],
    ['patterns of keys of that kind', { patternProperties: { '^(a|aa)+$': { type: 'integer' } } }, { ['a'.repeat(5_000)]: 1 }],
    [
      'formats on a long text',
      { properties: Object.fromEntries(['email', 'uri', 'date-time', 'ipv6', 'hostname', 'regex'].map((format) => [format, { format }])) },
      { email: `a@${'b.'.repeat(20_000)}c` },
    ],
    ['a schema that holds itself, as deep as settings may be', { properties: { a: { $ref: '#' } } }, deep(30)],
  ])('%s', async (_, schema, settings) => {
    expect(await outcomeOf(judge(schema, settings, patient))).toBe('judged');
    expect(longestMs).toBeLessThan(HELD_MS);
  });

  test('one that refers to itself endlessly is refused with that reason (P14)', async () => {
    const schema = { $ref: '#/$defs/a', $defs: { a: { allOf: [{ $ref: '#/$defs/b' }] }, b: { allOf: [{ $ref: '#/$defs/a' }] } } };
    expect(await outcomeOf(judge(schema, {}, patient))).toContain('refers to itself endlessly');
  });
});

test('settings are returned with their defaults, without anything from a prototype', async () => {
  const schema = { properties: { a: { default: { b: 1 } } } };
  const { settings, defaults } = await schemas.judge(JSON.stringify(schema), '{"__proto__": {"polluted": 1}, "text": "\\ud800"}');
  expect([JSON.stringify(settings), defaults]).toEqual(['{"__proto__":{"polluted":1},"text":"\\ud800","a":{"b":1}}', [['a']]]);
  expect('polluted' in {}).toBe(false);
});
