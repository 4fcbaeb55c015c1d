import { describe, expect, test } from 'vitest';
import { JsonText, stringify } from '../../src/text/json-text.ts';

describe('JSON that is kept as text', () => {
  test('is written as it is, each where it belongs', () => {
    const value = { a: new JsonText('{"b": 1}'), list: [new JsonText('[ ]'), 'plain', null], c: new JsonText('"$& $1"') };
    expect(stringify(value)).toBe('{"a":{"b": 1},"list":[[ ],"plain",null],"c":"$& $1"}');
  });

  test('is a value to whatever else writes it', () => {
    expect(JSON.stringify([new JsonText('{"b": 1}')])).toBe('[{"b":1}]');
  });

  test('is not confused by a text that looks like its mark', () => {
    const value = { name: '\0JSON', a: new JsonText('{"b": 1}'), nested: new JsonText('"\\u0000JSON"') };
    expect(JSON.parse(stringify(value))).toEqual({ name: '\0JSON', a: { b: 1 }, nested: '\0JSON' });
  });

  test('changes nothing where there is none', () => {
    const value = { a: [1, 'x', null, undefined], at: new Date(0), none: undefined };
    expect(stringify(value)).toBe(JSON.stringify(value));
  });
});
