import { getIntrospectionQuery } from 'graphql';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DEFAULT_LIMITS } from '../../src/server/limits.ts';
import { type SampleServer, startSample } from './sample-server.ts';

let server: SampleServer;
beforeAll(async () => {
  server = await startSample();
});
afterAll(() => server.close(1_000));

const times = (count: number, text: (index: number) => string) => Array.from({ length: count }, (_, index) => text(index)).join(' ');
const nest = (depth: number): string => (depth === 1 ? 'value' : `deep { ${nest(depth - 1)} }`);
/** Each fragment spreads the next one twice: 2^count fields in a few lines. */
const doubling = (count: number) =>
  `{ ...F0 } ${times(count, (i) => `fragment F${i} on Query { ...F${i + 1} ...F${i + 1} }`)} fragment F${count} on Query { a: hello }`;

const refusal = async (query: string) => {
  const { body } = await server.post({ query });
  return body.errors?.find(({ extensions }) => extensions.code === 'LIMIT_EXCEEDED')?.extensions.limit;
};

test.each([
  ['depth', nest(DEFAULT_LIMITS.depth), nest(DEFAULT_LIMITS.depth + 1)],
  ['depth', `...F } fragment F on Query { ${nest(12)}`, `...F } fragment F on Query { ${nest(13)}`],
  ['aliases', times(15, (i) => `a${i}: __typename`), times(16, (i) => `a${i}: __typename`)],
  ['rootFields', times(20, () => 'hello'), times(21, () => 'hello')],
  ['directives', times(10, () => 'hello @include(if: true)'), times(11, () => 'hello @include(if: true)')],
  ['tokens', times(998, (i) => (i % 2 ? 'hello' : '...F')).replaceAll('...F', 'hello'), times(999, () => 'hello')],
  ['documentBytes', `hello #${'x'.repeat(32_768 - 12)}\n`, `hello #${'x'.repeat(32_768)}\n`],
  ['documentBytes', `hello #${'é'.repeat(16_370)}\n`, `hello #${'é'.repeat(16_384)}\n`],
])('an operation above the limit of %s is refused, and one at the limit is not', async (limit, within, beyond) => {
  if (limit !== 'tokens') expect(await refusal(`{ ${within} }`)).toBeUndefined();
  else expect(await refusal(`{ ${within} }`)).not.toBe('tokens');
  expect(await refusal(`{ ${beyond} }`)).toBe(limit);
});

test('fragments that double at each level are refused at once', async () => {
  const started = performance.now();
  expect(await refusal(doubling(30))).toBe('aliases');
  expect(performance.now() - started).toBeLessThan(2_000);
});

test('fragments that spread each other are refused, and not followed forever', async () => {
  const { body } = await server.post({ query: '{ ...A } fragment A on Query { ...B } fragment B on Query { hello ...A }' });
  expect(body.errors?.[0]?.extensions.code).toBe('BAD_REQUEST');
});

test('the introspection of GraphiQL is within the limits', async () => {
  const query = getIntrospectionQuery({
    schemaDescription: true,
    specifiedByUrl: true,
    directiveIsRepeatable: true,
    inputValueDeprecation: true,
  });
  for (const _ of ['interpreted', 'compiled', 'compiled']) {
    const { body } = await server.post({ query });
    expect(body.errors).toBeUndefined();
    expect(body.data?.__schema).toBeTruthy();
  }
});

test('deeply nested introspection is refused', async () => {
  const { body } = await server.post({
    query: '{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }',
  });
  expect(body.errors?.[0]?.extensions.code).toBe('BAD_REQUEST');
});
