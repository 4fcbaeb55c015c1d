/**
 * Documents that cost more than they should. They follow the tests of graphql-armor's plugins,
 * OWASP's cheat sheet and the warnings of the GraphQL specification, rewritten for this schema.
 * Each states the expected outcome.
 */

import { conditions } from './conditions.ts';

/** The limit that refuses it; `BAD_REQUEST` for an invalid request; `data` for a harmless one. */
export type Outcome =
  | 'depth'
  | 'aliases'
  | 'rootFields'
  | 'directives'
  | 'tokens'
  | 'documentBytes'
  | 'cost'
  | 'pageSize'
  | 'comparisons'
  | 'BAD_REQUEST'
  | 'data';

export interface Attack {
  readonly name: string;
  readonly query: string;
  readonly variables?: Readonly<Record<string, unknown>>;
  readonly outcome: Outcome;
}

const repeat = (count: number, text: (index: number) => string, separator = ' '): string =>
  Array.from({ length: count }, (_, index) => text(index)).join(separator);
/** `open` repeated `count` times around `inside`. */
const wrap = (count: number, open: string, inside: string, close = '}') => open.repeat(count) + inside + close.repeat(count);
/** Fragments that each spread the next one twice. */
const doubling = (count: number, last: string) =>
  `{ ...F0 } ${repeat(count, (i) => `fragment F${i} on Query { ...F${i + 1} ...F${i + 1} }`)} fragment F${count} on Query { ${last} }`;
const circle = (count: number) =>
  `{ ...F0 } ${repeat(count, (i) => `fragment F${i} on Query { ...F${(i + 1) % count} ${i === 0 ? '__typename' : ''} }`)}`;

const aliases: Attack[] = [
  { name: 'an alias more than there may be', query: `{ ${repeat(16, (i) => `a${i}: __typename`)} }`, outcome: 'aliases' },
  {
    name: 'aliases of the same costly field',
    query: `{ ${repeat(50, (i) => `a${i}: jobs(first: 1) { totalCount }`)} }`,
    outcome: 'aliases',
  },
  { name: 'aliases deep inside', query: `{ viewer { project { ${repeat(16, (i) => `a${i}: id`)} } } }`, outcome: 'aliases' },
  {
    name: 'aliases in a fragment that is spread often',
    query: `{ ${'...F '.repeat(4)} } fragment F on Query { ${repeat(4, (i) => `a${i}: __typename`)} }`,
    outcome: 'aliases',
  },
  { name: 'aliases in inline fragments', query: `{ ${repeat(16, (i) => `... on Query { a${i}: __typename }`)} }`, outcome: 'aliases' },
  { name: 'aliases of __schema', query: `{ ${repeat(16, (i) => `a${i}: __schema { types { name } }`)} }`, outcome: 'aliases' },
  {
    name: 'aliases as names of the prototype',
    query: '{ __proto__: __typename constructor: __typename hasOwnProperty: __typename }',
    outcome: 'data',
  },
  {
    name: 'mutations under aliases, to try a secret often',
    query: `mutation { ${repeat(16, (i) => `a${i}: renewLease(input: { leaseToken: "${i}" }) { __typename }`)} }`,
    outcome: 'aliases',
  },
];

const fields: Attack[] = [
  { name: 'a flood of __typename', query: `{ ${'__typename '.repeat(900)} }`, outcome: 'rootFields' },
  { name: 'a flood of the same field', query: `{ ${'viewer { name } '.repeat(200)} }`, outcome: 'rootFields' },
  { name: 'a flood of one field inside', query: `{ viewer { ${'name '.repeat(900)} } }`, outcome: 'comparisons' },
  {
    name: 'a flood of fields to be merged, each with its own',
    query: `{ viewer { ${repeat(120, (i) => `project { id ${i % 2 ? 'name' : 'createdAt'} }`)} } }`,
    outcome: 'data',
  },
  {
    name: 'fields that cannot be merged',
    query: `{ viewer { ${repeat(14, (i) => `name: ${i % 2 ? 'name' : 'kind'}`)} } }`,
    outcome: 'BAD_REQUEST',
  },
  { name: 'fragments that double at each level', query: doubling(30, 'a: __typename'), outcome: 'aliases' },
  { name: 'fragments that double at each level, without aliases', query: doubling(60, '__typename'), outcome: 'rootFields' },
  { name: 'inline fragments inside each other', query: `{ ${wrap(180, '... on Query { ', '__typename')} }`, outcome: 'data' },
  { name: 'a flood of empty braces', query: `{ viewer ${'{ '.repeat(400)}`, outcome: 'BAD_REQUEST' },
];

const directives: Attack[] = [
  { name: 'a directive more than there may be', query: `{ ${'viewer { name @include(if: true) } '.repeat(11)} }`, outcome: 'directives' },
  { name: 'one field with many directives', query: `{ __typename ${'@include(if: true) '.repeat(100)} }`, outcome: 'directives' },
  { name: 'directives that there are not', query: `{ __typename ${'@a '.repeat(400)} }`, outcome: 'directives' },
  { name: 'directives on the operation', query: `query ${'@a '.repeat(400)} { __typename }`, outcome: 'directives' },
  {
    name: 'directives in a fragment that is spread often',
    query: `{ ${'...F '.repeat(4)} } fragment F on Query { __typename @skip(if: false) @include(if: true) @a }`,
    outcome: 'directives',
  },
  {
    name: 'directives on spreads',
    query: `{ ${'...F @include(if: true) '.repeat(11)} } fragment F on Query { __typename }`,
    outcome: 'directives',
  },
  { name: 'directives on a fragment', query: `{ ...F } fragment F on Query ${'@a '.repeat(400)} { __typename }`, outcome: 'BAD_REQUEST' },
  {
    name: 'directives on a variable',
    query: `query ($a: Boolean ${'@a '.repeat(400)}) { __typename @include(if: $a) }`,
    outcome: 'BAD_REQUEST',
  },
  {
    name: 'directives of incremental delivery',
    query: '{ ... @defer { viewer { name } } jobs { nodes @stream { id } } }',
    outcome: 'BAD_REQUEST',
  },
];

const jobTwice = (inside: string) => `steps { job { ${inside} } }`;
const nested = (count: number, inside: string): string => (count === 0 ? inside : jobTwice(nested(count - 1, inside)));

const depth: Attack[] = [
  { name: 'fields inside fields, in a circle', query: `{ job(id: "job_1") { ${nested(6, 'id')} } }`, outcome: 'depth' },
  { name: 'the same, a hundred times', query: `{ job(id: "job_1") { ${nested(100, 'id')} } }`, outcome: 'depth' },
  {
    name: 'the same, through fragments',
    query: `{ job(id: "job_1") { ...F0 } } ${repeat(10, (i) => `fragment F${i} on Job { steps { job { ...F${i + 1} } } }`)} fragment F10 on Job { id }`,
    outcome: 'depth',
  },
  {
    name: 'the same, through inline fragments',
    query: `{ job(id: "job_1") { ${nested(6, '... on Node { ... on Job { id } }')} } }`,
    outcome: 'depth',
  },
  { name: 'the same, in a subscription', query: `subscription { jobUpdated(jobId: "job_1") { ${nested(6, 'id')} } }`, outcome: 'depth' },
  { name: 'fragments that spread each other', query: circle(2), outcome: 'BAD_REQUEST' },
  { name: 'a fragment that spreads itself', query: circle(1), outcome: 'BAD_REQUEST' },
  { name: 'a circle of many fragments', query: circle(70), outcome: 'BAD_REQUEST' },
  {
    name: 'fragments that spread each other and are not used',
    query: '{ __typename } fragment A on Query { ...B } fragment B on Query { ...A }',
    outcome: 'BAD_REQUEST',
  },
  {
    name: 'introspection in a circle',
    query: `{ __schema { types { ${wrap(8, 'fields { type { ', 'name', '} }')} } } }`,
    outcome: 'BAD_REQUEST',
  },
  {
    name: 'introspection in a circle of types',
    query: `{ __type(name: "Job") { ${wrap(8, 'fields { type { ', 'name', '} }')} } }`,
    outcome: 'BAD_REQUEST',
  },
  {
    name: 'introspection in a circle, through fragments',
    query: '{ __schema { types { ...T } } } fragment T on __Type { fields { type { ...T } } }',
    outcome: 'BAD_REQUEST',
  },
];

const cost: Attack[] = [
  {
    name: 'pages of a hundred in pages of a hundred',
    query: '{ projects(first: 100) { nodes { jobs(first: 100) { nodes { steps { id } } } } } }',
    outcome: 'cost',
  },
  {
    name: 'the same, its sizes in variables',
    query: 'query ($n: Int) { projects(first: $n) { nodes { jobs(first: $n) { nodes { steps { id } } } } } }',
    variables: { n: 100 },
    outcome: 'cost',
  },
  {
    name: 'the same, its sizes in defaults of variables',
    query: 'query ($n: Int = 100) { projects(first: $n) { nodes { jobs(first: $n) { nodes { steps { id } } } } } }',
    outcome: 'cost',
  },
  {
    name: 'the same, in fragments',
    query:
      '{ ...P } fragment P on Query { projects(first: 100) { nodes { ...J } } } fragment J on Project { jobs(first: 100) { edges { node { steps { id } } } } }',
    outcome: 'cost',
  },
  {
    name: 'the same, hidden behind @include of a variable',
    query: 'query ($go: Boolean!) { projects(first: 100) { nodes { jobs(first: 100) @include(if: $go) { nodes { steps { id } } } } } }',
    variables: { go: true },
    outcome: 'cost',
  },
  { name: 'a page that is too large', query: '{ jobs(first: 101) { nodes { id } } }', outcome: 'pageSize' },
  { name: 'a page that is far too large', query: '{ jobs(first: 2147483647) { nodes { id } } }', outcome: 'pageSize' },
  {
    name: 'a page that is too large, in a variable',
    query: 'query ($n: Int) { jobs(last: $n) { nodes { id } } }',
    variables: { n: 5000 },
    outcome: 'pageSize',
  },
  {
    name: 'too many ids',
    query: 'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }',
    variables: { ids: Array.from({ length: 3_000 }, (_, i) => `job_${i}`) },
    outcome: 'pageSize',
  },
  { name: 'a page of less than nothing', query: '{ jobs(first: -1) { nodes { id } } }', outcome: 'BAD_REQUEST' },
  { name: 'introspection, again and again', query: `{ ${repeat(12, (i) => `a${i}: __schema { types { name } }`)} }`, outcome: 'cost' },
];

const sizes: Attack[] = [
  { name: 'a flood of tokens', query: `{ ${'a '.repeat(5_000)} }`, outcome: 'tokens' },
  { name: 'a flood of signs', query: `{ job(id: ${'['.repeat(10_000)}`, outcome: 'tokens' },
  { name: 'a flood of commas', query: `{ viewer ${','.repeat(31_000)} { name } }`, outcome: 'data' },
  { name: 'a flood of comments', query: `{ viewer { name } } ${'#\n'.repeat(15_000)}`, outcome: 'data' },
  { name: 'a document that is too long', query: `{ viewer { name } } #${'x'.repeat(32_768)}`, outcome: 'documentBytes' },
  { name: 'a document that is too long in bytes alone', query: `{ viewer { name } } #${'é'.repeat(16_400)}`, outcome: 'documentBytes' },
  { name: 'a very long name', query: `{ ${'a'.repeat(30_000)} }`, outcome: 'BAD_REQUEST' },
  { name: 'a very long string', query: `{ job(id: "${'x'.repeat(30_000)}") { id } }`, outcome: 'data' },
  { name: 'a very long number', query: `{ jobs(first: ${'9'.repeat(30_000)}) { totalCount } }`, outcome: 'BAD_REQUEST' },
  {
    name: 'a number beyond all numbers',
    query: 'mutation { cancelJob(input: { jobId: "x", cancelTimeoutSeconds: 1e999 }) { __typename } }',
    outcome: 'BAD_REQUEST',
  },
  { name: 'a number with a long exponent', query: `{ jobs(first: 1e${'9'.repeat(5_000)}) { totalCount } }`, outcome: 'BAD_REQUEST' },
  { name: 'a long list where one value is meant', query: `{ job(id: [${'"x" '.repeat(400)}]) { id } }`, outcome: 'BAD_REQUEST' },
  {
    name: 'lists in lists where a number is meant',
    query: `{ jobs(first: ${wrap(450, '[', '1', ']')}) { totalCount } }`,
    outcome: 'BAD_REQUEST',
  },
  { name: 'objects in objects where an id is meant', query: `{ job(id: ${wrap(240, '{ a: ', '1')}) { id } }`, outcome: 'BAD_REQUEST' },
  {
    name: 'settings that are nested deeply, in the document',
    query: `mutation { createJob(input: { projectId: "x", name: "x", settings: ${wrap(220, '{ a: ', '1')} }) { __typename } }`,
    outcome: 'data',
  },
  {
    name: 'settings that are nested deeply, in a variable',
    query: 'mutation ($s: JSONObject) { createJob(input: { projectId: "x", name: "x", settings: $s }) { __typename } }',
    variables: { s: JSON.parse(wrap(5_000, '{"a":', '1')) },
    outcome: 'data',
  },
  {
    name: 'a variable that is nested deeply where a number is meant',
    query: 'query ($n: Int) { jobs(first: $n) { totalCount } }',
    variables: { n: JSON.parse(wrap(5_000, '[', '1', ']')) },
    outcome: 'BAD_REQUEST',
  },
  { name: 'a block string of blanks', query: `{ job(id: """${' \n'.repeat(10_000)}""") { id } }`, outcome: 'data' },
];

const names: Attack[] = [
  {
    name: 'the same variable twice',
    query: 'query ($a: ID!, $a: ID!) { job(id: $a) { id } }',
    variables: { a: 'x' },
    outcome: 'BAD_REQUEST',
  },
  { name: 'many variables that nobody uses', query: `query (${repeat(240, (i) => `$v${i}: Int`)}) { __typename }`, outcome: 'BAD_REQUEST' },
  { name: 'the same argument twice', query: '{ job(id: "a", id: "b") { id } }', outcome: 'BAD_REQUEST' },
  {
    name: 'the same field of an input twice',
    query: 'mutation { cancelJob(input: { jobId: "a", jobId: "b" }) { __typename } }',
    outcome: 'BAD_REQUEST',
  },
  {
    name: 'the same fragment twice',
    query: '{ ...A } fragment A on Query { __typename } fragment A on Query { viewer { name } }',
    outcome: 'BAD_REQUEST',
  },
  { name: 'the same operation twice', query: 'query A { __typename } query A { viewer { name } }', outcome: 'BAD_REQUEST' },
  { name: 'many operations without a name', query: repeat(240, () => '{ __typename }'), outcome: 'BAD_REQUEST' },
  { name: 'many operations, none of them chosen', query: repeat(190, (i) => `query Q${i} { __typename }`), outcome: 'BAD_REQUEST' },
  { name: 'fragments alone', query: repeat(100, (i) => `fragment F${i} on Query { __typename }`), outcome: 'BAD_REQUEST' },
  { name: 'a definition of the schema', query: 'type Query { a: Int } extend type Job { b: Int }', outcome: 'BAD_REQUEST' },
  { name: 'a subscription of many fields', query: 'subscription { a: jobsUpdated { id } b: jobsUpdated { id } }', outcome: 'BAD_REQUEST' },
  { name: 'a subscription of introspection', query: 'subscription { __typename }', outcome: 'BAD_REQUEST' },
  { name: 'a spread of a type that cannot be', query: '{ viewer { ... on Job { id } } }', outcome: 'BAD_REQUEST' },
];

const texts: Attack[] = [
  { name: 'nothing', query: '', outcome: 'BAD_REQUEST' },
  { name: 'blanks alone', query: ' \n\t,,, # nothing\n', outcome: 'BAD_REQUEST' },
  { name: 'a NUL in the document', query: '{ viewer\0 { name } }', outcome: 'BAD_REQUEST' },
  { name: 'a NUL in a string of the document', query: '{ job(id: "a\0b") { id } }', outcome: 'data' },
  { name: 'an escaped NUL in a string', query: '{ job(id: "\\u0000") { id } }', outcome: 'data' },
  { name: 'a NUL in a variable', query: 'query ($id: ID!) { job(id: $id) { id } }', variables: { id: 'a\0b' }, outcome: 'data' },
  { name: 'half a character, escaped', query: '{ job(id: "\\uD800") { id } }', outcome: 'BAD_REQUEST' },
  {
    name: 'half a character in a variable',
    query: 'query ($id: ID!) { job(id: $id) { id } }',
    variables: { id: '\uD800' },
    outcome: 'data',
  },
  { name: 'a character beyond all characters', query: '{ job(id: "\\u{110000}") { id } }', outcome: 'BAD_REQUEST' },
  { name: 'a byte order mark before the document', query: '\uFEFF{ viewer { name } }', outcome: 'data' },
  { name: 'letters that look like others', query: '{ viеwer { name } }', outcome: 'BAD_REQUEST' }, // its е is Cyrillic
  { name: 'blanks of no width in a name', query: '{ view\u200Ber { name } }', outcome: 'BAD_REQUEST' },
  { name: 'text that runs backwards', query: '{ job(id: "\u202E\u2066x\u2069") { id } }', outcome: 'data' },
  { name: 'SQL in an id', query: `{ job(id: "' or 1=1; drop table jobs; --") { id } }`, outcome: 'data' },
  { name: 'a template in an id', query: `{ job(id: "$${'{7*7}'}{{7*7}}%s%n") { id } }`, outcome: 'data' },
  { name: 'a path in an id', query: '{ fragment(id: "../../../etc/passwd") { id } }', outcome: 'data' },
  {
    name: 'names of the prototype as variables',
    query: 'query ($constructor: ID!) { job(id: $constructor) { id } }',
    variables: { constructor: 'x' },
    outcome: 'data',
  },
  {
    name: 'a name of the prototype that nobody gave',
    query: 'query ($constructor: ID!) { job(id: $constructor) { id } }',
    outcome: 'BAD_REQUEST',
  },
  { name: 'names of the prototype as fields', query: '{ __proto__ { id } constructor toString }', outcome: 'BAD_REQUEST' },
];

export const attacks: readonly Attack[] = [
  ...aliases,
  ...conditions,
  ...fields,
  ...directives,
  ...depth,
  ...cost,
  ...sizes,
  ...names,
  ...texts,
];

/** Documents with a misspelling each. The refusal must not suggest the right name. */
export const misspelt: readonly { readonly query: string; readonly secret: string }[] = [
  { query: '{ viewr { name } }', secret: 'viewer' },
  { query: '{ viewer { nam } }', secret: 'name' },
  { query: '{ jobs(firs: 1) { totalCount } }', secret: 'first' },
  { query: '{ jobs(filter: { statuse: [] }) { totalCount } }', secret: 'statuses' },
  { query: '{ ...F } fragment F on Quer { __typename }', secret: 'Query' },
  { query: 'query ($a: JobFilte) { jobs(filter: $a) { totalCount } }', secret: 'JobFilter' },
  { query: '{ jobs(filter: { statuses: [RUNNIN] }) { totalCount } }', secret: 'RUNNING' },
  { query: '{ viewer @includ(if: true) { name } }', secret: 'include' },
  { query: 'mutation { cancelJb(input: {}) { __typename } }', secret: 'cancelJob' },
  { query: 'subscription { jobUpdate(jobId: "x") { id } }', secret: 'jobUpdated' },
];
