/**
 * The cost of operations on the product's own schema. It follows from the document and the
 * variables. Nothing is executed here.
 */
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
    ['nothing for fields that are not nodes', '{ __typename gateway { version limits } }', 0],
    ['one for an object with an id', '{ node(id: "job_1") { id } }', 1],
    ['one for each object in a chain', '{ job(id: "job_1") { project { id } } }', 2],
    ['one for a page and one for each of its entries', '{ jobs(first: 7) { nodes { id } } }', 8],
    ['the same for a page from the end', '{ jobs(last: 7) { nodes { id } } }', 8],
    ['the default page size if none is given', '{ jobs { nodes { id } } }', 26],
    ['the default page size of a stream', '{ events { events { at } } }', 101],
    ['one for a page of which only the count is selected', '{ jobs(first: 100) { totalCount pageInfo { hasNextPage } } }', 1],
    ['each entry once, under nodes', '{ jobs(first: 5) { nodes { id name } } }', 6],
    ['each entry once, under edges', '{ jobs(first: 5) { edges { cursor node { id name } } } }', 6],
    ['each entry once, under both', '{ jobs(first: 5) { nodes { id } edges { node { name } } } }', 6],
    ['what the entries contain under both', '{ jobs(first: 5) { nodes { project { id } } edges { node { project { id } } } } }', 16],
    ['each page inside a page', '{ projects(first: 3) { nodes { jobs(first: 4) { nodes { id } } } } }', 1 + 3 * (1 + 1 + 4)],
    ['an estimated length for a list without pages', '{ job(id: "job_1") { steps { attempts { number } } } }', 1 + 10 * (1 + 3)],
    ['one for a list that is read with its row', '{ device(id: "dev_1") { labels { key value } } }', 2],
    ['a page for each of its aliases', '{ a: jobs(first: 5) { nodes { id } } b: jobs(first: 5) { nodes { id } } }', 12],
    ['a field once that is selected twice', '{ jobs(first: 5) { nodes { id } } jobs(first: 5) { nodes { name } } }', 6],
    [
      'a field once that two fragments share',
      '{ ...A ...B } fragment A on Query { jobs { nodes { id } } } fragment B on Query { jobs { nodes { name } } }',
      26,
    ],
    ['one for each id that is asked for', '{ nodes(ids: ["a", "b", "c"]) { id } }', 3],
    [
      'one for each hundred points of a curve',
      '{ job(id: "job_1") { metricSeries(name: "loss", maxPoints: 500) { points { value } } } }',
      1 + 1 + 5,
    ],
    [
      'one for each curve, and one for each hundred of its points',
      '{ job(id: "job_1") { metricCurves(names: ["loss", "accuracy"], maxPoints: 500) { points { value } } } }',
      1 + 2 * (1 + 5),
    ],
    [
      'ten curves of a thousand points where no names are given',
      '{ job(id: "job_1") { metricCurves { points { value } } } }',
      1 + 10 * (1 + 10),
    ],
    [
      'one for each compared job, and one for each hundred of its points',
      'query($ids: [ID!]! = ["job_1", "job_2"]) { compareMetric(name: "loss", jobIds: $ids) { points { value } } }',
      2 * (1 + 5),
    ],
    ['one for each 8 KB of a text, at its default size', '{ fragment(id: "frag_1") { text } }', 1 + 8],
    [
      'one for each 8 KB of a text, at the size that is asked for',
      'query($most: Int = 1048576) { fragment(id: "frag_1") { text(maxBytes: $most) } }',
      1 + 128,
    ],
    ['one for each hundred lines of a log', '{ step(id: "step_1") { logTail(lines: 1000) } }', 1 + 10],
    ['one for each line of the end of a log', '{ step(id: "step_1") { logEnd(lines: 300) { chunks { text } } } }', 1 + 1 + 300],
    ['a page of a log that is read backward', '{ step(id: "step_1") { log(last: 7) { chunks { text } } } }', 1 + 1 + 7],
    [
      'what a search of a log may read, and its matches',
      '{ step(id: "step_1") { logSearch(text: "loss", first: 20) { matches { text } } } }',
      1 + 1 + 1_024 + 20,
    ],
    [
      '100 for each condition that no index serves, and nothing for others',
      '{ jobs(first: 5, filter: { search: "a", hasMetric: "b", name: "c", labelFilters: null }) { nodes { id } } }',
      200 + 6,
    ],
    ['100 for counts of jobs, and for each condition that no index serves', '{ jobCounts(filter: { search: "a" }) { key } }', 200],
    ['1,000 for introspection of the schema', '{ __schema { types { fields { name } } } }', 1_000],
    ['100 for introspection of one type', '{ __type(name: "Job") { name } }', 100],
    [
      'one for a mutation, plus what it answers',
      'mutation { cancelJob(input: { jobId: "job_1" }) { ... on CancelJobPayload { job { id } } } }',
      2,
    ],
    ['one frame for a subscription', 'subscription { events { events { at } } }', 20],
  ])('%s', (_, text, nodes) => {
    expect(nodesOf(text)).toBe(nodes);
  });

  test('the conditions of a filter in a variable as those in the document', () => {
    const text =
      'query ($filter: JobFilter, $word: String) { jobs(first: 5, filter: $filter) { nodes { id } } x: jobCounts(filter: { search: $word }) { key } }';
    const others = 6 + 200;
    expect(nodesOf(text, { filter: { search: 'a', labelFilters: [{ key: 'a' }], owner: 'x' } })).toBe(200 + others);
    expect(nodesOf(text, { filter: { search: null, owner: 'x' } })).toBe(others);
    expect(nodesOf(text)).toBe(others);
  });

  test('the most expensive type of an interface, not the sum of all types', () => {
    const events = (first: string, second: string) => `{ node(id: "x") { ... on Job { ${first} } ... on Project { ${second} } } }`;
    expect(nodesOf(events('fragments(first: 50) { nodes { id } }', 'jobs(first: 20) { nodes { id } }'))).toBe(1 + 51);
    expect(nodesOf(events('id', 'jobs(first: 20) { nodes { id } }'))).toBe(1 + 21);
    expect(nodesOf('{ node(id: "x") { ...on Node { ... on Job { steps { name } } ... on Job { steps { status } } } } }')).toBe(1 + 10);
  });

  test('the sizes in its variables, or their defaults', () => {
    const text = 'query($n: Int = 30, $from: Int) { jobs(first: $n, last: $from) { nodes { id } } }';
    expect(nodesOf(text)).toBe(31);
    expect(nodesOf(text, { n: 3 })).toBe(4);
    expect(nodesOf(text, { n: null, from: 4 })).toBe(5);
    expect(nodesOf(text, { n: null })).toBe(26);
    expect(nodesOf('query($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: ['a', 'b'] })).toBe(2);
    expect(nodesOf('query($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: 'a' })).toBe(1);
    expect(nodesOf('query($id: ID!) { nodes(ids: [$id, $id]) { id } }', { id: 'a' })).toBe(2);
  });

  test('nothing for fields that @skip and @include leave out', () => {
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

  test('no less for invalid variables, which the execution refuses', () => {
    const text = 'query($n: Int) { jobs(first: $n) { nodes { id } } }';
    for (const n of ['many', {}, [1, 2], Number.POSITIVE_INFINITY, 1.5, true]) expect(nodesOf(text, { n })).toBeGreaterThanOrEqual(1);
    expect(nodesOf(text, { n: -5 })).toBe(1);
  });
});

describe('An operation that costs too much (P14)', () => {
  const text = 'query($n: Int!) { projects(first: $n) { nodes { jobs(first: 99) { nodes { id } } } } }'; // 1 + n × (1 + 1 + 99)
  const refusal = ({ refusal }: Cost) => refusal?.extensions;

  test('is refused above the limit and executed at the limit, by the variables of each request', () => {
    const limits = { cost: 1 + 10 * 101 };
    const operation = find(text);
    for (const _ of ['calculated', 'remembered']) {
      const cost = (n: number) => priceOperation(schema, operation, { n }, { ...DEFAULT_LIMITS, ...limits });
      expect(cost(10)).toEqual({ nodes: 1_011, refusal: null });
      expect(refusal(cost(11))).toEqual({ code: 'LIMIT_EXCEEDED', limit: 'cost', allowed: 1_011, asked: 1_112 });
    }
  });

  test('is by default one with more than 10,000 nodes', () => {
    expect(refusal(price(text, { n: 99 }))).toBeUndefined();
    expect(refusal(price(text, { n: 100 }))).toMatchObject({ limit: 'cost', allowed: 10_000, asked: 10_101 });
  });

  test('is also one with a few lists of long texts, which would fill the memory', () => {
    const texts = (files: number) => `{ jobs(first: 10) { nodes { fragments(first: ${files}) { nodes { text(maxBytes: 1048576) } } } } }`;
    expect(refusal(price(texts(7)))).toBeUndefined();
    expect(refusal(price(texts(8)))).toMatchObject({ limit: 'cost', asked: 11 + 10 * (1 + 8 * 129) });
  });

  test('is not confused with one that asks for a page that is too large, which has its own limit', () => {
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

  test('is found at once if fragments multiply', () => {
    const inner = (depth: number): string => (depth === 0 ? 'id' : `jobs(first: 100) { nodes { project { ${inner(depth - 1)} } } }`);
    expect(refusal(price(`{ projects { nodes { ${inner(2)} } } }`))).toMatchObject({ limit: 'cost' });
    // Each level spreads the next one twice: 2^3 times in eight lines, each with its own page.
    const doubling = `{ project(id: "p") { ...F0 } }
      ${[0, 1, 2].map((i) => `fragment F${i} on Project { jobs { nodes { project { ...F${i + 1} } } } experiments { nodes { jobs { nodes { project { ...F${i + 1} } } } } } }`).join('\n')}
      fragment F3 on Project { id }`;
    const started = performance.now();
    expect(priceOperation(schema, unchecked(doubling), {}, DEFAULT_LIMITS).nodes).toBeGreaterThan(1_000_000);
    expect(performance.now() - started).toBeLessThan(1_000);
  });

  test('is also one whose cost takes too long to calculate', () => {
    // The fragments that meet at a level depend on the path to it: 2^14 different sets for one
    // type.
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

/** An operation whose document is not checked against the limits, which operators may raise. */
function unchecked(text: string): Operation {
  const document = parse(text);
  const [node] = document.definitions;
  if (node?.kind !== Kind.OPERATION_DEFINITION) throw new Error('The operation comes first.');
  return { document, node, text, field: 'none', costVariables: new Map(), costs: new Map(), runs: 0 };
}
