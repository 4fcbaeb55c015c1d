/** Patterns in JSON Schemas match what ECMAScript's match, in time linear in the text. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compilePattern } from '../../src/json-schema/patterns.ts';

/** Characters that are special to some engine, or at the edges of character classes. */
const character = fc.constantFrom(
  ...[
    'a',
    'b',
    'A',
    'Z',
    '0',
    '9',
    '_',
    '-',
    '^',
    ']',
    '.',
    ' ',
    '\t',
    '\n',
    '\r',
    '\v',
    '\f',
    '\0',
    '\b',
    '/',
    '\\',
    '{',
    '}',
    '|',
    'k',
    's',
  ],
  ...['é', 'ß', '\u00a0', '\u2028', '\u2029', '\u3000', '\ufeff', '\ufefe', '\u1680', '日', '😀', '𝒳', '\u{10ffff}', '\ud7ff', '\ue000'],
);
const hex = (code: number, digits: number) => code.toString(16).padStart(digits, '0');
const literal = character.chain((each) => {
  const code = each.codePointAt(0) ?? 0;
  const units = [...Array(each.length).keys()].map((i) => `\\u${hex(each.charCodeAt(i), 4)}`).join('');
  const plain = /[\^$\\.*+?()[\]{}|/-]/.test(each) ? (each === '-' ? '\\x2d' : `\\${each}`) : each;
  return fc.constantFrom(plain, units, `\\u{${hex(code, 1)}}`, ...(code < 256 ? [`\\x${hex(code, 2)}`] : []));
});
const set = fc.constantFrom('\\d', '\\D', '\\w', '\\W', '\\s', '\\S', '\\p{L}', '\\P{L}', '\\p{Lu}', '\\p{Nd}');
const control = fc.constantFrom('\\t', '\\n', '\\v', '\\f', '\\r', '\\0', '\\cJ');
const member = fc.oneof(literal, set, control, fc.constantFrom('a-z', '0-9', '\\x00-\\x1f', '\\u{1f600}-\\u{1f64f}', '\\b', '\\-', '^'));
const characterClass = fc
  .tuple(fc.boolean(), fc.array(member, { maxLength: 4 }))
  .map(([isNegated, members]) => `[${isNegated ? '^' : ''}${members.join('').replace(/^\^/, '\\^')}]`);
const { pattern } = fc.letrec<{ pattern: string; term: string }>((tie) => ({
  pattern: fc.oneof(
    { depthSize: 'small' },
    fc.array(tie('term'), { maxLength: 4 }).map((terms) => terms.join('')),
    fc.tuple(tie('pattern'), tie('pattern')).map(([one, other]) => `${one}|${other}`),
  ),
  term: fc.oneof(
    { depthSize: 'small' },
    fc
      .tuple(
        fc.oneof(literal, set, control, characterClass, fc.constant('.')),
        fc.constantFrom('', '', '*', '+', '?', '{2}', '{0,2}', '+?'),
      )
      .map((parts) => parts.join('')),
    fc.constantFrom('^', '$', '\\b', '\\B'),
    fc.tuple(fc.constantFrom('(', '(?:'), tie('pattern'), fc.constantFrom(')', ')*', ')?', '){1,2}')).map((parts) => parts.join('')),
  ),
}));
/** `\\0` before a digit is not a valid pattern. */
function isPattern(source: string): boolean {
  try {
    new RegExp(source, 'u');
    return true;
  } catch {
    return false;
  }
}
const text = fc.array(character, { maxLength: 8 }).map((characters) => characters.join(''));

test('a pattern matches what it matches in ECMAScript', () => {
  let linear = 0;
  fc.assert(
    fc.property(pattern.filter(isPattern), fc.array(text, { minLength: 8, maxLength: 8 }), (source, texts) => {
      const usual = new RegExp(source, 'u');
      const compiled = compilePattern(source, 'u');
      if (!(compiled instanceof RegExp)) linear += 1;
      for (const each of texts) expect([source, each, compiled.test(each)]).toEqual([source, each, usual.test(each)]);
    }),
    { numRuns: 400 },
  );
  // Nearly all of them; RE2 cannot express half of a surrogate pair.
  expect(linear).toBeGreaterThan(380);
});

test.each([
  ['ahead', '^(?=.*\\d)[a-z\\d]{8,}$', 'abcdefg1', 'abcdefgh'],
  ['not ahead', '^(?!admin)\\w+$', 'user', 'administrator'],
  ['behind', '(?<=v)\\d+', 'v1', '1'],
  ['back', '^(a|b)\\1$', 'aa', 'ab'],
  ['back by a name', '^(?<x>a|b)\\k<x>$', 'bb', 'ba'],
  ['for a script', '^\\p{Script=Greek}+$', 'αβγ', 'abc'],
  ['for more than a thousand', '^a{1001}$', 'a'.repeat(1_001), 'a'.repeat(1_000)],
  ['for half a character', '^\\ud83d$', '\ud83d', '😀'],
])('a pattern that looks %s matches as ECMAScript has it, too', (_, pattern, match, other) => {
  expect([compilePattern(pattern, 'u').test(match), compilePattern(pattern, 'u').test(other)]).toEqual([true, false]);
});

test('an invalid pattern is refused', () => {
  for (const pattern of ['(', '[', '\\', 'a{2,1}', '\\p{Nothing}', '(?<a>.)(?<a>.)', '*', '\\-', ']'])
    expect(() => compilePattern(pattern, 'u'), pattern).toThrow(SyntaxError);
});

describe('A pattern that V8 would take years for takes milliseconds (P14):', () => {
  test.each([
    '^(a+)+$',
    '^(a|a)*$',
    '^(a|aa)+$',
    '^(\\w+\\s?)*$',
    '^([a-zA-Z0-9])(([\\-.]|[_]+)?([a-zA-Z0-9]+))*$',
    '(.*a){20}',
    '^(([a-z])+.)+[A-Z]([a-z])+$',
  ])('%s', (pattern) => {
    const began = performance.now();
    for (const text of ['a'.repeat(50_000), `${'a'.repeat(50_000)}!`]) compilePattern(pattern, 'u').test(text);
    expect(performance.now() - began).toBeLessThan(5_000);
  });
});
