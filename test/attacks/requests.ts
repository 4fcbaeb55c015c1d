/**
 * Unusual HTTP requests: forms of other sites, batches, odd encodings, endless bodies. Each is
 * refused with a reason.
 */

export interface RequestAttack {
  readonly name: string;
  readonly method?: string;
  /** Appended to /graphql. */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
  readonly status: number;
  /**
   * The code of the first error, or the limit that it names; null where Node answers before the
   * gateway.
   */
  readonly refusal: string | null;
}

const question = JSON.stringify({ query: '{ viewer { name } }' });
const mutation = JSON.stringify({ query: 'mutation { createProject(input: { name: "x" }) { __typename } }' });
const bytes = (...values: number[]) => Uint8Array.from(values);
const nested = (levels: number, open: string, close: string) => open.repeat(levels) + close.repeat(levels);
const form = `--x\r\ncontent-disposition: form-data; name="operations"\r\n\r\n${mutation}\r\n--x\r\ncontent-disposition: form-data; name="map"\r\n\r\n{}\r\n--x--\r\n`;

/**
 * Requests that a logged-in user's browser would send for another site's page without a preflight.
 */
const fromOtherSites: RequestAttack[] = [
  { name: 'JSON as text', headers: { 'content-type': 'text/plain' }, body: mutation, status: 415, refusal: 'BAD_REQUEST' },
  {
    name: 'JSON as a form',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: mutation,
    status: 415,
    refusal: 'BAD_REQUEST',
  },
  {
    name: 'a form',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'query=mutation{__typename}',
    status: 415,
    refusal: 'BAD_REQUEST',
  },
  {
    name: 'a form of several parts, as uploads are',
    headers: { 'content-type': 'multipart/form-data; boundary=x' },
    body: form,
    status: 415,
    refusal: 'BAD_REQUEST',
  },
  {
    name: 'a document as such',
    headers: { 'content-type': 'application/graphql' },
    body: '{ viewer { name } }',
    status: 415,
    refusal: 'BAD_REQUEST',
  },
  {
    name: 'a type that only begins like JSON',
    headers: { 'content-type': 'application/jsonp' },
    body: question,
    status: 415,
    refusal: 'BAD_REQUEST',
  },
  {
    name: 'a type that hides JSON in a parameter',
    headers: { 'content-type': 'text/plain; x=application/json' },
    body: question,
    status: 415,
    refusal: 'BAD_REQUEST',
  },
  {
    name: 'two types at once',
    headers: { 'content-type': 'text/plain, application/json' },
    body: question,
    status: 415,
    refusal: 'BAD_REQUEST',
  },
  {
    name: 'a mutation with GET',
    method: 'GET',
    path: `?query=${encodeURIComponent('mutation { createProject(input: { name: "x" }) { __typename } }')}`,
    status: 405,
    refusal: 'BAD_REQUEST',
  },
  {
    name: 'a mutation with GET, named among queries',
    method: 'GET',
    path: `?operationName=B&query=${encodeURIComponent('query A { __typename } mutation B { createProject(input: { name: "x" }) { __typename } }')}`,
    status: 405,
    refusal: 'BAD_REQUEST',
  },
  {
    name: 'a method that changes',
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: question,
    status: 405,
    refusal: 'BAD_REQUEST',
  },
  { name: 'a method that deletes', method: 'DELETE', status: 405, refusal: 'BAD_REQUEST' },
  {
    name: 'another method in a header',
    method: 'GET',
    headers: { 'x-http-method-override': 'POST' },
    path: `?query=${encodeURIComponent('mutation { createProject(input: { name: "x" }) { __typename } }')}`,
    status: 405,
    refusal: 'BAD_REQUEST',
  },
];

const json = { 'content-type': 'application/json' };
const bodies: RequestAttack[] = [
  { name: 'several operations in one request', headers: json, body: `[${question},${question}]`, status: 400, refusal: 'BAD_REQUEST' },
  {
    name: 'a thousand operations in one request',
    headers: json,
    body: `[${Array(1_000).fill(question).join()}]`,
    status: 400,
    refusal: 'BAD_REQUEST',
  },
  { name: 'no operation', headers: json, body: '[]', status: 400, refusal: 'BAD_REQUEST' },
  { name: 'a number', headers: json, body: '7', status: 400, refusal: 'BAD_REQUEST' },
  { name: 'null', headers: json, body: 'null', status: 400, refusal: 'BAD_REQUEST' },
  { name: 'nothing', headers: json, body: '', status: 400, refusal: 'BAD_REQUEST' },
  { name: 'half of it', headers: json, body: question.slice(0, -3), status: 400, refusal: 'BAD_REQUEST' },
  { name: 'two of it', headers: json, body: question + question, status: 400, refusal: 'BAD_REQUEST' },
  { name: 'bytes that are no text', headers: json, body: bytes(0xff, 0xfe, 0x00, 0x80), status: 400, refusal: 'BAD_REQUEST' },
  { name: 'NUL alone', headers: json, body: bytes(0, 0, 0), status: 400, refusal: 'BAD_REQUEST' },
  {
    name: 'another encoding of characters',
    headers: { 'content-type': 'application/json; charset=utf-16' },
    body: question,
    status: 415,
    refusal: 'BAD_REQUEST',
  },
  {
    name: 'a packed body',
    headers: { ...json, 'content-encoding': 'gzip' },
    body: bytes(0x1f, 0x8b, 8, 0, 0, 0, 0, 0),
    status: 415,
    refusal: 'BAD_REQUEST',
  },
  { name: 'a document that is a number', headers: json, body: '{"query":7}', status: 400, refusal: 'BAD_REQUEST' },
  { name: 'a document that is a list', headers: json, body: '{"query":["{ viewer { name } }"]}', status: 400, refusal: 'BAD_REQUEST' },
  {
    name: 'variables that are text',
    headers: json,
    body: '{"query":"{ __typename }","variables":"{}"}',
    status: 400,
    refusal: 'BAD_REQUEST',
  },
  {
    name: 'variables that are a list',
    headers: json,
    body: '{"query":"{ __typename }","variables":[]}',
    status: 400,
    refusal: 'BAD_REQUEST',
  },
  {
    name: 'an operation name that is an object',
    headers: json,
    body: '{"query":"{ __typename }","operationName":{}}',
    status: 400,
    refusal: 'BAD_REQUEST',
  },
  {
    name: 'a persisted query, by its hash alone',
    headers: json,
    body: '{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"ecf4edb46db40b5132295c0291d62fb65d6759a9eedfa4d5d612dd5ec54a6b38"}}}',
    status: 400,
    refusal: 'PERSISTED_QUERY_NOT_FOUND',
  },
  {
    name: 'a document by its id',
    headers: json,
    body: '{"id":"abc","documentId":"abc","doc_id":"1"}',
    status: 400,
    refusal: 'BAD_REQUEST',
  },
  {
    name: 'a body that is too large',
    headers: json,
    body: `{"query":"{ __typename }","variables":{"x":"${'x'.repeat(1_000_000)}"}}`,
    status: 413,
    refusal: 'bodyBytes',
  },
  { name: 'lists in lists, as deep as a body can be', headers: json, body: nested(400_000, '[', ']'), status: 400, refusal: 'BAD_REQUEST' },
  {
    name: 'objects in objects, as deep as a body can be',
    headers: json,
    body: `{"query":"{ __typename }","variables":${'{"a":'.repeat(150_000)}1${'}'.repeat(150_000)}}`,
    status: 200,
    refusal: null,
  },
  {
    name: 'settings as deep as a body can hold',
    headers: json,
    body: `{"query":"mutation ($s: JSONObject) { createJob(input: { projectId: \\"x\\", name: \\"x\\", settings: $s }) { __typename } }","variables":{"s":${'{"a":'.repeat(150_000)}1${'}'.repeat(150_000)}}}`,
    status: 200,
    refusal: null,
  },
  {
    name: 'a filter as deep as a body can hold',
    headers: json,
    body: `{"query":"query ($f: JobFilter) { jobs(filter: $f) { totalCount } }","variables":{"f":${'{"a":'.repeat(150_000)}1${'}'.repeat(150_000)}}}`,
    status: 400,
    refusal: 'BAD_REQUEST',
  },
  {
    name: 'a page size as deep as a body can hold',
    headers: json,
    body: `{"query":"query ($n: Int) { jobs(first: $n) { totalCount } }","variables":{"n":${nested(400_000, '[', ']')}}}`,
    status: 400,
    refusal: 'BAD_REQUEST',
  },
  {
    name: 'a cursor as deep as a body can hold',
    headers: json,
    body: `{"query":"query ($n: Cursor) { events(after: $n) { endCursor } }","variables":{"n":${nested(400_000, '[', ']')}}}`,
    status: 400,
    refusal: 'BAD_REQUEST',
  },
  {
    name: 'halves of characters without number',
    headers: json,
    body: `{"query":"mutation ($s: JSONObject) { createJob(input: { projectId: \\"x\\", name: \\"x\\", settings: $s }) { __typename } }","variables":{"s":{"a":[${Array(100_000).fill('"\\ud800"').join()}]}}}`,
    status: 200,
    refusal: null,
  },
  {
    name: 'ids as deep as a body can hold',
    headers: json,
    body: `{"query":"query ($n: [ID!]!) { nodes(ids: $n) { id } }","variables":{"n":${nested(400_000, '[', ']')}}}`,
    status: 400,
    refusal: 'BAD_REQUEST',
  },
  {
    name: 'the prototype as a variable',
    headers: json,
    body: '{"query":"query ($a: JobFilter) { jobs(filter: $a) { totalCount } }","variables":{"a":{"__proto__":{"projectId":"x"}}}}',
    status: 400,
    refusal: 'BAD_REQUEST',
  },
];

const lines: RequestAttack[] = [
  {
    name: 'a query string that is too long',
    method: 'GET',
    path: `?query=${encodeURIComponent(`{ __typename } #${'x'.repeat(40_000)}`)}`,
    status: 431,
    refusal: null,
  },
  { name: 'a header that is too long', headers: { ...json, 'x-long': 'x'.repeat(40_000) }, body: question, status: 431, refusal: null },
  { name: 'a query string of half a character', method: 'GET', path: '?query=%ff%fe%00', status: 400, refusal: 'BAD_REQUEST' },
  {
    name: 'variables in the query string that are no JSON',
    method: 'GET',
    path: '?query=%7B__typename%7D&variables=%7B',
    status: 400,
    refusal: 'BAD_REQUEST',
  },
  { name: 'a query string without a query', method: 'GET', path: '?a=b', status: 400, refusal: 'BAD_REQUEST' },
  { name: 'the same parameter many times', method: 'GET', path: `?${'query=%7B__typename%7D&'.repeat(500)}`, status: 200, refusal: null },
  {
    name: 'a subscription that asks for no stream',
    headers: json,
    body: '{"query":"subscription { jobsUpdated { id } }"}',
    status: 406,
    refusal: 'BAD_REQUEST',
  },
];

export const requestAttacks: readonly RequestAttack[] = [...fromOtherSites, ...bodies, ...lines];
