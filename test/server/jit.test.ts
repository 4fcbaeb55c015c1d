import { type ExecutionResult, execute, GraphQLError, type GraphQLFormattedError, parse, validate } from 'graphql';
import { expect, test } from 'vitest';
import { Documents, type Operation } from '../../src/server/documents/documents.ts';
import { SizedCache } from '../../src/server/documents/sized-cache.ts';
import { createMask } from '../../src/server/errors.ts';
import { Jit, RUNS_BEFORE } from '../../src/server/execution/jit.ts';
import { DEFAULT_LIMITS, type Limits } from '../../src/server/limits.ts';
import { ServerInstruments } from '../../src/server/watch/instruments.ts';
import { buildSampleSchema, type SampleContext } from './sample-schema.ts';
import { Source } from './source.ts';

const schema = buildSampleSchema(new Source());
const context: SampleContext = { name: 'user:alice', number: 1 };
const mask = createMask({ log: { error() {} }, instruments: new ServerInstruments() });

function find(text: string, limits: Partial<Limits> = {}): Operation {
  const operation = new Documents(schema, { ...DEFAULT_LIMITS, ...limits }).find(text, undefined);
  if (!('node' in operation)) throw operation[0];
  return operation;
}

/**
 * The result as a client sees it: errors masked, without the id, which is new each time. Errors are
 * sorted by path, because their order is not specified.
 */
function seen(result: ExecutionResult): string {
  const errors = result.errors
    ?.map((error) => mask(error))
    .map(({ extensions, message, ...error }) => {
      return { ...error, code: extensions?.code, message: message.replace(/[0-9a-f-]{36}/, 'ID') };
    });
  const order = ({ path }: Pick<GraphQLFormattedError, 'path'>) => JSON.stringify(path ?? []);
  errors?.sort((a, b) => order(a).localeCompare(order(b)));
  // Not `toEqual` of objects: the order of the fields is part of the answer.
  return JSON.stringify('data' in result ? { errors, data: result.data } : { errors });
}

const CORPUS: [query: string, variables?: Record<string, unknown>][] = [
  ['{ hello }'],
  ['{ b: hello a: me hello }'],
  ['query Named { hello slow me }'],
  ['{ __typename hello }'],
  ['{ slow hello boom me forbidden wrongInt }'],
  ['{ boomNonNull hello }'],
  ['{ hello boom }'],
  ['{ forbidden }'],
  ['{ wrongInt }'],
  ['{ animals { name ... on Dog { barks later friend { name __typename } } ... on Cat { lives } __typename } }'],
  ['{ animals { ...A } } fragment A on Animal { ...B name } fragment B on Animal { __typename friend { name friend { name } } }'],
  ['{ brokenAnimals { name } }'],
  ['{ brokenAnimals { name ... on Dog { later } } hello }'],
  ['{ search { __typename ... on Stone { weight } ... on Animal { name } } }'],
  ['{ search { ... on Dog { n: name } ... on Cat { n: name } } }'],
  ['{ deep { value deep { value deep { value } } } }'],
  ['{ deep { deep { deep { deep { value } } } } hello }'],
  ['{ deep { value } deep { deep { value } } }'],
  ['query($t: String!, $n: Int!) { echo(text: $t, times: 3, list: [1, $n]) }', { t: 'x', n: 2 }],
  ['query($t: String!, $n: Int! = 9) { echo(text: $t, times: 3, list: [1, $n]) }', { t: 'x' }],
  ['query($t: String!) { echo(text: $t) }', {}],
  ['query($t: String!) { echo(text: $t) }', { t: null }],
  ['query($t: String!) { echo(text: $t) }', { t: 5 }],
  ['query($t: String!) { echo(text: $t) }', { t: 'x', unknown: 1 }],
  ['{ echo(text: "x", color: GREEN) hello }'],
  ['query($l: [Int!], $c: Color) { echo(text: "x", list: $l, color: $c) }', {}],
  ['query($l: [Int!], $c: Color) { echo(text: "x", list: $l, color: $c) }'],
  ['query($i: Box!) { take(input: $i) }', { i: { name: 'a' } }],
  ['query($i: Box!) { take(input: $i) }', { i: { name: 'a', note: null, colors: ['RED'], inner: { name: 'b', size: 4 } } }],
  ['query($i: Box!) { take(input: $i) }', { i: { name: 'a', colors: 'GREEN' } }],
  ['query($i: Box!) { take(input: $i) }', { i: { name: 'a', unknown: 1 } }],
  ['query($i: Box!) { take(input: $i) }', { i: { note: 'no name' } }],
  ['query($i: Box!) { take(input: $i) }', { i: { name: 'a', size: null } }],
  ['query($i: Box!) { take(input: $i) }', { i: { name: 'a', either: { left: 1 } } }],
  ['query($i: Box!) { take(input: $i) }', { i: { name: 'a', either: { left: 1, right: 'b' } } }],
  ['query($i: Box!) { take(input: $i) }', { i: { name: 'a', either: { left: null } } }],
  ['query($i: Box!) { take(input: $i) }', { i: { name: 'a', either: {} } }],
  ['query($n: String, $s: Int! = 8) { take(input: { name: "a", note: $n, size: $s, inner: { name: "b", note: null } }) }', {}],
  ['query($n: String, $s: Int! = 8) { take(input: { name: "a", note: $n, size: $s }) }', { n: null, s: 1 }],
  ['query($r: String!) { take(input: { name: "a", either: { right: $r } }) }', { r: 'x' }],
  ['query($t: String! = "d") { echo(text: $t) }'],
  ['query($n: Int = 5) { echo(text: "x", times: $n) }', { n: null }],
  ['query($n: Int = 5) { echo(text: "x", times: $n) }', {}],
  ['query($c: Color) { echo(text: "x", color: $c) }', { c: 'RED' }],
  ['query($c: Color) { echo(text: "x", color: $c) }', { c: null }],
  ['query($c: Color) { echo(text: "x", color: $c) }', { c: 'BLUE' }],
  ['query($l: [Int!]) { echo(text: "x", list: $l) }', { l: [1, 2] }],
  ['query($l: [Int!]) { echo(text: "x", list: $l) }', { l: 1 }],
  ['query($l: [Int!]) { echo(text: "x", list: $l) }', { l: [1, null] }],
  ...[true, false].flatMap((on): [string, Record<string, unknown>][] => [
    ['query($on: Boolean!) { hello @include(if: $on) me @skip(if: $on) }', { on }],
    ['query($on: Boolean!) { hello ...F @include(if: $on) } fragment F on Query { me slow }', { on }],
    ['query($on: Boolean!) { ... @skip(if: $on) { me } ...F } fragment F on Query { me hello @include(if: $on) }', { on }],
    [
      'query($on: Boolean!) { animals { name @skip(if: $on) ... on Dog @include(if: $on) { barks } ...F } } fragment F on Animal { friend { name @include(if: $on) __typename } }',
      { on },
    ],
    [
      'query($on: Boolean!) { deep { ...A @include(if: $on) ...B @skip(if: $on) } } fragment A on Deep { value } fragment B on Deep { value deep { value } }',
      { on },
    ],
    ['query($on: Boolean!) { boom @skip(if: $on) boomNonNull @include(if: $on) }', { on }],
    ['query($on: Boolean!, $off: Boolean!) { hello @skip(if: $on) @include(if: $off) me }', { on, off: !on }],
  ]),
  ['query($on: Boolean = true) { hello @include(if: $on) me }'],
  ['{ hello @skip(if: true) me @include(if: false) slow }'],
  ['mutation { push(value: 1) fail }'],
  ['{ __schema { queryType { name } } __type(name: "Dog") { name fields { name type { name kind ofType { name } } } } }'],
];

test.each(CORPUS)('an answer is the same compiled and interpreted: %s %j', async (text, variables) => {
  const document = parse(text);
  expect(validate(schema, document)).toEqual([]);
  const operation = find(text);
  const jit = new Jit(schema);
  const run = { rootValue: undefined, context, variables };
  const interpret = async () => seen(await execute({ schema, document, contextValue: context, variableValues: variables ?? null }));
  const normal = text.startsWith('mutation') ? undefined : await interpret();
  for (let turn = 1; turn <= RUNS_BEFORE + 2; turn++) {
    const result = seen(await jit.execute(operation, run));
    if (normal !== undefined) expect(result, `turn ${turn}`).toBe(normal);
    else expect(JSON.parse(result), `turn ${turn}`).toMatchObject({ data: null, errors: [{ path: ['fail'], code: 'INTERNAL_ERROR' }] });
  }
  expect(jit.isCompiled(operation)).toBe(true);
});

test('compiled mutations run one after the other', async () => {
  const text = 'mutation { a: push(value: 1) b: push(value: 2) c: push(value: 3) }';
  const operation = find(text);
  const jit = new Jit(schema);
  const last = async () => {
    const { data } = await jit.execute(operation, { rootValue: undefined, context, variables: undefined });
    return JSON.stringify(data);
  };
  for (let i = 0; i < RUNS_BEFORE; i++) await last();
  const { a, b, c } = JSON.parse(await last());
  expect([a.slice(-1), b.slice(-2), c.slice(-3)]).toEqual([[1], [1, 2], [1, 2, 3]]);
});

test('an error with a code keeps it when compiled', async () => {
  const operation = find('{ forbidden }');
  const jit = new Jit(schema);
  for (let i = 0; i <= RUNS_BEFORE; i++) {
    const { errors } = await jit.execute(operation, { rootValue: undefined, context, variables: undefined });
    expect(errors?.[0]).toBeInstanceOf(GraphQLError);
    expect(errors?.[0]?.extensions.code).toBe('FORBIDDEN');
  }
});

test('a short document that would compile to megabytes is not compiled', async () => {
  const friends = (depth: number): string =>
    depth === 0 ? 'name' : `a: friend { ${friends(depth - 1)} } b: friend { ${friends(depth - 1)} }`;
  const text = `{ animals { ${friends(6)} } }`;
  const operation = find(text, { aliases: 1_000 });
  const jit = new Jit(schema);
  const run = { rootValue: undefined, context, variables: undefined };
  const first = seen(await jit.execute(operation, run));
  for (let i = 0; i <= RUNS_BEFORE; i++) expect(seen(await jit.execute(operation, run))).toBe(first);
  expect(jit.isCompiled(operation)).toBe(false);
});

test('an operation that runs a few times is not compiled, and compiling takes at most a twentieth of the time (P9)', async () => {
  let now = 0;
  // Each read of the clock takes a millisecond. So does compiling, which reads it before and after.
  const jit = new Jit(schema, () => now++);
  const run = { rootValue: undefined, context, variables: undefined };
  const repeat = async (text: string, times: number) => {
    const operation = find(text);
    for (let i = 0; i < times; i++) await jit.execute(operation, run);
    return jit.isCompiled(operation);
  };
  expect(await repeat('{ hello }', RUNS_BEFORE)).toBe(false);
  expect(await repeat('{ a: hello }', RUNS_BEFORE + 1)).toBe(true);
  expect(await repeat('{ b: hello }', RUNS_BEFORE + 1)).toBe(false);
  expect(await repeat('{ c: hello }', RUNS_BEFORE + 40)).toBe(true);
});

test('the cache of documents and of compiled operations is bounded by their size (P9)', () => {
  const cache = new SizedCache<string, number>(100);
  cache.set('a', 1, 40);
  cache.set('b', 2, 40);
  expect(cache.get('a')).toBe(1);
  cache.set('c', 3, 40);
  expect([cache.get('a'), cache.get('b'), cache.get('c'), cache.bytes]).toEqual([1, undefined, 3, 80]);
  cache.set('a', 4, 60);
  expect([cache.get('a'), cache.get('c'), cache.bytes]).toEqual([4, 3, 100]);
  cache.set('large', 5, 101);
  expect([cache.get('large'), cache.bytes]).toEqual([undefined, 100]);
});
