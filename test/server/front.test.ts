import { request } from 'node:http';
import { serverAudits } from 'graphql-http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type SampleServer, startSample } from './sample-server.ts';

let server: SampleServer;
beforeAll(async () => {
  server = await startSample({ limits: { executionMs: 200, bodyMs: 200 }, origins: ['https://console.example.com'] });
});
afterAll(() => server.close(1_000));

describe('The GraphQL-over-HTTP specification', () => {
  const fetchWithKey = (url: string, init: RequestInit = {}) =>
    fetch(url, { ...init, headers: { ...init.headers, authorization: 'Bearer tyk_alice' } });

  for (const audit of serverAudits({ url: () => `${server.url}/graphql`, fetchFn: fetchWithKey })) {
    test(`${audit.id}: ${audit.name}`, async () => {
      const result = await audit.fn();
      expect(result, 'reason' in result ? result.reason : '').toMatchObject({ status: 'ok' });
    });
  }
});

describe('A POST', () => {
  test('is answered with data', async () => {
    const { status, body } = await server.post({ query: '{ hello me }' });
    expect({ status, body }).toEqual({ status: 200, body: { data: { hello: 'world', me: 'user:alice' } } });
  });

  test.each([undefined, 'Bearer nonsense', 'tyk_alice'])('without a valid key is refused with 401 (%s)', async (authorization) => {
    const response = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(authorization ? { authorization } : {}) },
      body: JSON.stringify({ query: '{ __schema { types { name } } }' }),
    });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe('Bearer');
    expect(await response.json()).toEqual({
      errors: [{ message: expect.stringContaining('key'), extensions: { code: 'UNAUTHENTICATED' } }],
    });
  });

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/json; charset=latin1'])(
    'of %s is refused with 415 and a GraphQL error',
    async (type) => {
      const { status, body } = await server.post('{"query":"{ hello }"}', { 'content-type': type });
      expect(status).toBe(415);
      expect(body.errors?.[0]?.extensions.code).toBe('BAD_REQUEST');
    },
  );

  test('of more than a megabyte is refused with 413 and LIMIT_EXCEEDED, with or without Content-Length', async () => {
    const large = JSON.stringify({ query: `{ hello } #${'x'.repeat(1_000_000)}` });
    const declared = await server.post(large);
    expect([declared.status, declared.body.errors?.[0]?.extensions.code]).toEqual([413, 'LIMIT_EXCEEDED']);
    const chunked = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer tyk_alice' },
      body: new Blob([large]).stream(),
      duplex: 'half',
    } as RequestInit); // `duplex` is missing in the type
    expect(chunked.status).toBe(413);
  });

  test('whose body does not arrive in time is refused with 408', async () => {
    const status = await new Promise((resolve, reject) => {
      const sent = request(`${server.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'content-length': '100', authorization: 'Bearer tyk_alice' },
      });
      sent.on('response', (response) => resolve(response.statusCode)).on('error', reject);
      sent.write('{"query":');
    });
    expect(status).toBe(408);
  });

  test('of a batch is refused', async () => {
    const { status, body } = await server.post([{ query: '{ hello }' }]);
    expect([status, body.errors?.[0]?.extensions.code]).toEqual([400, 'BAD_REQUEST']);
    expect(body.errors?.[0]?.message).toContain('batching');
  });

  test('of a subscription is refused, and the error says how to subscribe', async () => {
    const { status, body } = await server.post({ query: 'subscription { quiet { number } }' });
    expect(status).toBe(406);
    expect(body.errors?.[0]?.message).toContain('text/event-stream');
  });

  test('of several operations names the one to execute', async () => {
    const query = 'query A { hello } query B { me }';
    expect((await server.post({ query, operationName: 'B' })).body).toEqual({ data: { me: 'user:alice' } });
    expect((await server.post({ query })).body.errors?.[0]?.extensions.code).toBe('BAD_REQUEST');
    expect((await server.post({ query, operationName: 'C' })).body.errors?.[0]?.message).toContain('"C"');
  });
});

describe('A GET', () => {
  const get = (path: string, headers: Record<string, string> = {}) =>
    fetch(`${server.url}${path}`, { headers: { authorization: 'Bearer tyk_alice', ...headers } });

  test('with a query is answered with data', async () => {
    const response = await get(`/graphql?query=${encodeURIComponent('query($t: String!) { echo(text: $t) }')}&variables={"t":"hi"}`);
    expect(await response.json()).toEqual({ data: { echo: "{ text: 'hi', times: 1 }" } });
  });

  test('with variables that are not JSON is refused, and the error names them', async () => {
    const response = await get('/graphql?query={hello}&variables=nonsense');
    expect(response.status).toBe(400);
    expect(await response.text()).toContain('variables');
  });

  test('with a mutation is refused with 405', async () => {
    const response = await get(`/graphql?query=${encodeURIComponent('mutation { push(value: 1) }')}`);
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST']);
  });

  test('of an unknown path is refused with 404', async () => {
    expect((await get('/nowhere')).status).toBe(404);
  });
});

describe('An error', () => {
  test('that is a bug is masked, and logged under the same id', async () => {
    const { body } = await server.post({ query: '{ boom hello }' });
    const error = body.errors?.[0];
    expect(body.data).toEqual({ boom: null, hello: 'world' });
    expect(error?.extensions.code).toBe('INTERNAL_ERROR');
    expect(JSON.stringify(body)).not.toContain('secret');
    const logged = server.log.find((entry) => entry.id === error?.extensions.id);
    expect(logged).toMatchObject({
      level: 'error',
      path: 'boom',
      requestId: error?.extensions.requestId,
      error: 'a secret of ours',
      stack: expect.stringContaining('sample-schema'),
    });
  });

  test('is masked if a resolver returns a value that does not fit its type', async () => {
    const { body } = await server.post({ query: '{ wrongInt }' });
    expect(body.errors?.[0]?.extensions.code).toBe('INTERNAL_ERROR');
    expect(JSON.stringify(body)).not.toContain('no number');
  });

  test('with a code is sent unchanged', async () => {
    const { body } = await server.post({ query: '{ forbidden }' });
    expect(body.errors?.[0]).toMatchObject({ message: 'Not for you.', path: ['forbidden'], extensions: { code: 'FORBIDDEN' } });
  });

  test.each([
    ['{ hell }', undefined],
    ['query($c: Color) { echo(text: "", color: $c) }', { c: 'REDD' }],
    ['{ echo(text: "", color: REDD) }', undefined],
  ])('about a misspelt name reveals no other name: %s', async (query, variables) => {
    const { body } = await server.post({ query, variables });
    expect(body.errors?.[0]?.extensions.code).toBe('BAD_REQUEST');
    expect(JSON.stringify(body)).not.toContain('Did you mean');
  });

  test('with the name of the limit ends a query that takes too long', async () => {
    const { body } = await server.post({ query: '{ never }' });
    expect(body.errors?.[0]?.extensions).toMatchObject({ code: 'LIMIT_EXCEEDED', limit: 'executionMs' });
  });
});

describe('Pages of other sites', () => {
  /** Node's own client, because fetch sets Sec-Fetch-Site itself. */
  const send = (method: string, path: string, headers: Record<string, string>) =>
    new Promise<number | undefined>((resolve, reject) => {
      const sent = request(`${server.url}${path}`, { method, headers, agent: false });
      sent.once('response', (response) => resolve(response.resume().statusCode)).once('error', reject);
      sent.end();
    });

  test('get no CORS headers', async () => {
    const { headers } = await server.post({ query: '{ hello }' }, { origin: 'https://elsewhere.example' });
    expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
  });

  test.each(['cross-site', 'same-site'])('get no answer to requests that browsers send without a preflight (%s)', async (site) => {
    const ask = (headers: Record<string, string>) =>
      send('GET', '/graphql?query={hello}', { authorization: 'Bearer tyk_alice', 'sec-fetch-site': site, ...headers });
    for (const mode of ['no-cors', 'cors']) expect(await ask({ 'sec-fetch-mode': mode })).toBe(403);
    expect(await ask({ 'sec-fetch-mode': 'cors', origin: 'https://elsewhere.example' })).toBe(403);
    expect(await ask({ 'sec-fetch-mode': 'cors', origin: 'https://console.example.com' })).toBe(200);
    // A user follows a link.
    expect(await ask({ 'sec-fetch-mode': 'navigate' })).toBe(200);
    expect(await ask({ 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors' })).toBe(200);
  });

  test('may send requests if their origin is listed', async () => {
    const preflight = await fetch(`${server.url}/graphql`, {
      method: 'OPTIONS',
      headers: { origin: 'https://console.example.com', 'access-control-request-method': 'POST' },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-origin')).toBe('https://console.example.com');
    expect(preflight.headers.get('access-control-allow-headers')).toContain('authorization');
  });
});
