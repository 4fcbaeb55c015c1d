/** What operations on the product's own schema cost: from the document and the variables alone, nothing is executed here. */
import { GraphQLError, Kind, parse } from 'graphql';
import { describe, expect, test } from 'vitest';
import { schema } from '../../src/schema/index.ts';
import { Documents, type Operation } from '../../src/server/documents/documents.ts';
import { type Cost, priceOperation } from '../../src/server/execution/cost.ts';
import { DEFAULT_LIMITS, type Limits } from '../../src/server/limits.ts';

const documents = new Documents(schema, DEFAULT_LIMITS);

function find(text: string): Operation {
  const found = documents.find(text, null);
  if ('node' in found) return found;
  throw found[0] ?? new GraphQLError('nothing was found');
}
const price = (text: string, variables: Record<string, unknown> = {}, limits: Partial<Limits> = {}): Cost =>
  priceOperation(schema, find(text), variables, { ...DEFAULT_LIMITS, ...limits });
const nodesOf = (text: string, variables?: Record<string, unknown>) => price(text, variables).nodes;

describe('An operation costs (P14)', () => {
  test.each([
    ['nothing for what is no node', '{ __typename gateway { version limits } }', 0],
    ['one for an object with an id', '{ node(id: "job_1") { id } }', 1],
    ['one for each of a chain of them', '{ job(id: "job_1") { project { id } } }', 2],
    ['the page and its entries', '{ jobs(first: 7) { nodes { id } } }', 8],
    ['the same from the end', '{ jobs(last: 7) { nodes { id } } }', 8],
    ['the usual page where no size is given', '{ jobs { nodes { id } } }', 26],
    ['the usual page of a stream', '{ events { events { at } } }', 101],
    ['the page alone where only its length is asked for', '{ jobs(first: 100) { totalCount pageInfo { hasNextPage } } }', 1],
    ['entries once, as nodes', '{ jobs(first: 5) { nodes { id name } } }', 6],
    ['entries once, as edges', '{ jobs(first: 5) { edges { cursor node { id name } } } }', 6],
    ['entries once, as both', '{ jobs(first: 5) { nodes { id } edges { node { name } } } }', 6],
    ['what is inside both', '{ jobs(first: 5) { nodes { project { id } } edges { node { project { id } } } } }', 16],
    ['pages in pages', '{ projects(first: 3) { nodes { jobs(first: 4) { nodes { id } } } } }', 1 + 3 * (1 + 1 + 4)],
    ['an estimate for lists without pages', '{ job(id: "job_1") { steps { attempts { number } } } }', 1 + 10 * (1 + 3)],
    ['one for what is read along with its row', '{ device(id: "dev_1") { labels { key value } } }', 2],
    ['each alias of a page', '{ a: jobs(first: 5) { nodes { id } } b: jobs(first: 5) { nodes { id } } }', 12],
    ['a field once that is selected twice', '{ jobs(first: 5) { nodes { id } } jobs(first: 5) { nodes { name } } }', 6],
    [
      'a field once that fragments share',
      '{ ...A ...B } fragment A on Query { jobs { nodes { id } } } fragment B on Query { jobs { nodes { name } } }',
      26,
    ],
    ['the ids that are asked for', '{ nodes(ids: ["a", "b", "c"]) { id } }', 3],
    [
      'a hundredth of the points of a curve',
      '{ job(id: "job_1") { metricSeries(name: "loss", maxPoints: 500) { points { value } } } }',
      1 + 1 + 5,
    ],
    ['the bytes of a text, of which eight thousand are as much as a node', '{ fragment(id: "frag_1") { text } }', 1 + 8],
    ['those that are asked for', 'query($most: Int = 1048576) { fragment(id: "frag_1") { text(maxBytes: $most) } }', 1 + 128],
    ['a hundredth of the lines of a log', '{ step(id: "step_1") { logTail(lines: 1000) } }', 1 + 10],
    ['introspection as such', '{ __schema { types { fields { name } } } }', 1_000],
    ['a type of it', '{ __type(name: "Job") { name } }', 100],
    [
      'one for a mutation, and what it answers',
      'mutation { cancelJob(input: { jobId: "job_1" }) { ... on CancelJobPayload { job { id } } } }',
      2,
    ],
    ['a frame of a subscription', 'subscription { events { events { at } } }', 20],
  ])('%s', (_, text, nodes) => {
    expect(nodesOf(text)).toBe(nodes);
  });

  test('the dearest of the types that it can be, not all of them together', () => {
    const events = (first: string, second: string) => `{ node(id: "x") { ... on Job { ${first} } ... on Project { ${second} } } }`;
    expect(nodesOf(events('fragments(first: 50) { nodes { id } }', 'jobs(first: 20) { nodes { id } }'))).toBe(1 + 51);
    expect(nodesOf(events('id', 'jobs(first: 20) { nodes { id } }'))).toBe(1 + 21);
    expect(nodesOf('{ node(id: "x") { ...on Node { ... on Job { steps { name } } ... on Job { steps { status } } } } }')).toBe(1 + 10);
  });

  test('what its variables say, or their defaults', () => {
    const text = 'query($n: Int = 30, $from: Int) { jobs(first: $n, last: $from) { nodes { id } } }';
    expect(nodesOf(text)).toBe(31);
    expect(nodesOf(text, { n: 3 })).toBe(4);
    expect(nodesOf(text, { n: null, from: 4 })).toBe(5);
    expect(nodesOf(text, { n: null })).toBe(26);
    expect(nodesOf('query($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: ['a', 'b'] })).toBe(2);
    expect(nodesOf('query($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: 'a' })).toBe(1);
    expect(nodesOf('query($id: ID!) { nodes(ids: [$id, $id]) { id } }', { id: 'a' })).toBe(2);
  });

  test('nothing for what @skip and @include leave out', () => {
    const text = 'query($all: Boolean! = false) { viewer { name } jobs(first: 9) @include(if: $all) { nodes { id } } }';
    const without = nodesOf(text);
    expect(nodesOf(text, { all: true })).toBe(without + 10);
    expect(nodesOf('{ jobs @skip(if: true) { nodes { id } } ... @include(if: false) { projects { nodes { id } } } viewer { name } }')).toBe(
      without,
    );
    expect(nodesOf('query($no: Boolean!) { jobs(first: 9) @skip(if: $no) { nodes { id } } viewer { name } }', { no: false })).toBe(
      without + 10,
    );
  });

  test('is no less for variables that are nonsense: those are refused when it is executed', () => {
    const text = 'query($n: Int) { jobs(first: $n) { nodes { id } } }';
    for (const n of ['many', {}, [1, 2], Number.POSITIVE_INFINITY, 1.5, true]) expect(nodesOf(text, { n })).toBeGreaterThanOrEqual(1);
    expect(nodesOf(text, { n: -5 })).toBe(1);
  });
});

describe('What costs too much (P14)', () => {
  const text = 'query($n: Int!) { projects(first: $n) { nodes { jobs(first: 99) { nodes { id } } } } }'; // 1 + n × (1 + 1 + 99)
  const refusal = ({ refusal }: Cost) => refusal?.extensions;

  test('is refused one above the limit, and done at it, with the variables of the moment', () => {
    const limits = { cost: 1 + 10 * 101 };
    const operation = find(text);
    for (const _ of ['worked out', 'remembered']) {
      const cost = (n: number) => priceOperation(schema, operation, { n }, { ...DEFAULT_LIMITS, ...limits });
      expect(cost(10)).toEqual({ nodes: 1_011, refusal: null });
      expect(refusal(cost(11))).toEqual({ code: 'LIMIT_EXCEEDED', limit: 'cost', allowed: 1_011, asked: 1_112 });
    }
  });

  test('is by default an answer of more than 10,000 nodes', () => {
    expect(refusal(price(text, { n: 99 }))).toBeUndefined();
    expect(refusal(price(text, { n: 100 }))).toMatchObject({ limit: 'cost', allowed: 10_000, asked: 10_101 });
  });

  test('is also a few lists of long texts, which would fill the memory', () => {
    const texts = (files: number) => `{ jobs(first: 10) { nodes { fragments(first: ${files}) { nodes { text(maxBytes: 1048576) } } } } }`;
    expect(refusal(price(texts(7)))).toBeUndefined();
    expect(refusal(price(texts(8)))).toMatchObject({ limit: 'cost', asked: 11 + 10 * (1 + 8 * 129) });
  });

  test('is told from a page that is too large, which has a limit of its own', () => {
    expect(refusal(price('{ jobs(first: 100) { nodes { id } } }'))).toBeUndefined();
    expect(refusal(price('{ jobs(first: 101) { nodes { id } } }'))).toEqual({
      code: 'LIMIT_EXCEEDED',
      limit: 'pageSize',
      allowed: 100,
      asked: 101,
    });
    const ids = (count: number) => ({ ids: Array.from({ length: count }, (_, i) => `job_${i}`) });
    expect(refusal(price('query($ids: [ID!]!) { nodes(ids: $ids) { id } }', ids(100)))).toBeUndefined();
    expect(refusal(price('query($ids: [ID!]!) { nodes(ids: $ids) { id } }', ids(101)))).toMatchObject({ limit: 'pageSize', asked: 101 });
    expect(refusal(price('{ jobs(last: 2147483647) { nodes { id } } }'))).toMatchObject({ limit: 'pageSize', asked: 2_147_483_647 });
  });

  test('is found out at once where fragments multiply', () => {
    const inner = (depth: number): string => (depth === 0 ? 'id' : `jobs(first: 100) { nodes { project { ${inner(depth - 1)} } } }`);
    expect(refusal(price(`{ projects { nodes { ${inner(2)} } } }`))).toMatchObject({ limit: 'cost' });
    // Each level asks for the next one twice: 2^3 times in eight lines, each with its own page.
    const doubling = `{ project(id: "p") { ...F0 } }
      ${[0, 1, 2].map((i) => `fragment F${i} on Project { jobs { nodes { project { ...F${i + 1} } } } experiments { nodes { jobs { nodes { project { ...F${i + 1} } } } } } }`).join('\n')}
      fragment F3 on Project { id }`;
    const started = performance.now();
    expect(priceOperation(schema, unchecked(doubling), {}, DEFAULT_LIMITS).nodes).toBeGreaterThan(1_000_000);
    expect(performance.now() - started).toBeLessThan(1_000);
  });

  test('is what is too intricate to be worked out, and that ends as well', () => {
    // Which fragments meet at a level depends on each turn that was taken before: 2^14 different questions to one type.
    const levels = 14;
    const fragment = (name: string, left: string, right: string) =>
      `fragment ${name} on Job { steps { job { ${left} id } } metrics { step { job { ${right} id } } } }`;
    const fragments = Array.from({ length: levels }, (_, i) => [
      fragment(`S${i}`, `...S${i + 1} ...T${i + 1}x1`, `...S${i + 1}`),
      ...Array.from({ length: i + 1 }, (_, j) => fragment(`T${i}x${j}`, `...T${i + 1}x${j + 1}`, `...T${i + 1}x${j + 1}`)),
    ]);
    const last = Array.from({ length: levels + 1 }, (_, j) => `fragment T${levels}x${j} on Job { ${'id name '.repeat(j)} id }`);
    const text = `{ job(id: "j") { ...S0 } } fragment S${levels} on Job { id } ${[...fragments.flat(), ...last].join(' ')}`;
    const started = performance.now();
    expect(refusal(priceOperation(schema, unchecked(text), {}, DEFAULT_LIMITS))).toMatchObject({
      limit: 'cost',
      allowed: 10_000,
      asked: null,
    });
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

/** A document that is not held to the limits of documents, which operators may widen. */
function unchecked(text: string): Operation {
  const document = parse(text);
  const [node] = document.definitions;
  if (node?.kind !== Kind.OPERATION_DEFINITION) throw new Error('The operation comes first.');
  return { document, node, text, field: 'none', costVariables: new Map(), costs: new Map(), runs: 0 };
}
