/**
 * Documents that are requested by their hash or by an id: which are known, which are refused, and
 * that the cache of them is bounded.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createClient } from 'graphql-ws';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { PersistedDocuments } from '../../src/server/documents/persisted.ts';
import { fillQuery } from '../../src/server/websocket/inbox.ts';
import { type SampleServer, startSample } from './sample-server.ts';

let server: SampleServer | undefined;
afterEach(() => server?.close(0));

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const hashed = (hash: string) => ({ persistedQuery: { version: 1, sha256Hash: hash } });

/**
 * The first answer to a `subscribe` with this payload: a message, or the close code of the socket.
 */
async function subscribe({ url }: SampleServer, payload: unknown): Promise<unknown> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  onTestFinished(() => socket.terminate());
  await once(socket, 'open');
  const closed = once(socket, 'close').then(([code]) => code);
  const next = async () => Promise.race([closed, once(socket, 'message').then(([data]) => JSON.parse(String(data)))]);
  socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: 'Bearer tyk_alice' } }));
  expect(await next()).toEqual({ type: 'connection_ack' });
  socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload }));
  return next();
}

describe('The hash of a document', () => {
  test('is unknown until it was sent with the document, and then works by POST, by GET and over a WebSocket', async () => {
    server = await startSample();
    const query = 'query Known { hello }';
    const extensions = hashed(sha256(query));
    expect((await server.post({ extensions })).body.errors?.[0]).toEqual({
      message: 'PersistedQueryNotFound',
      extensions: { code: 'PERSISTED_QUERY_NOT_FOUND' },
    });
    const known = { data: { hello: 'world' } };
    expect((await server.post({ query, extensions })).body).toEqual(known);
    expect((await server.post({ extensions })).body).toEqual(known);
    const search = new URLSearchParams({ extensions: JSON.stringify(extensions) });
    const got = await fetch(`${server.url}/graphql?${search}`, { headers: { authorization: 'Bearer tyk_alice' } });
    expect(await got.json()).toEqual(known);
    const client = createClient({
      url: `${server.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: 'Bearer tyk_alice' },
    });
    onTestFinished(() => void client.dispose());
    expect((await client.iterate({ query: '', extensions }).next()).value).toEqual(known);
    for (const payload of [{ extensions }, { query: null, extensions }])
      expect(await subscribe(server, payload)).toEqual({ id: '1', type: 'next', payload: known });
  });

  test('is accepted with the prefix sha256: and in upper case', async () => {
    server = await startSample();
    const query = 'query Known { hello }';
    const hash = sha256(query);
    await server.post({ query, extensions: hashed(`sha256:${hash.toUpperCase()}`) });
    for (const asked of [hash, hash.toUpperCase(), `sha256:${hash}`])
      expect((await server.post({ extensions: hashed(asked) })).body).toEqual({ data: { hello: 'world' } });
  });

  test.each([
    ['no hash', {}, 'extensions.persistedQuery.sha256Hash'],
    ['a number as hash', { version: 1, sha256Hash: 5 }, 'extensions.persistedQuery.sha256Hash'],
    ['another version', { version: 99, sha256Hash: sha256('{ hello }') }, 'extensions.persistedQuery.version'],
    ['a text in its place', 'hash', 'extensions.persistedQuery'],
    ['a list in its place', [], 'extensions.persistedQuery'],
  ])(
    'with %s is refused by the name of the field, with and without a document, whatever the transport',
    async (_, persistedQuery, field) => {
      server = await startSample();
      const refused = { message: expect.stringContaining(`"${field}" must be`), extensions: { code: 'BAD_REQUEST' } };
      for (const body of [{ extensions: { persistedQuery } }, { query: '{ hello }', extensions: { persistedQuery } }]) {
        // The second goes through Yoga.
        for (const headers of [{}, { 'content-type': 'application/json; charset=utf-8' }])
          expect(await server.post(body, headers)).toMatchObject({ status: 400, body: { errors: [refused] } });
        const search = new URLSearchParams(
          Object.entries(body).map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]),
        );
        const got = await fetch(`${server.url}/graphql?${search}`, { headers: { authorization: 'Bearer tyk_alice' } });
        expect([got.status, await got.json()]).toMatchObject([400, { errors: [refused] }]);
        expect(await subscribe(server, body)).toMatchObject({ id: '1', type: 'error', payload: [refused] });
      }
    },
  );

  test('of a mutation is refused over GET, like the mutation itself', async () => {
    server = await startSample();
    const query = 'mutation { push(value: 1) }';
    await server.post({ query, extensions: hashed(sha256(query)) });
    const search = new URLSearchParams({ extensions: JSON.stringify(hashed(sha256(query))) });
    const response = await fetch(`${server.url}/graphql?${search}`, { headers: { authorization: 'Bearer tyk_alice' } });
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST']);
  });

  test('that is not the hash of the document sent with it is refused, and not remembered', async () => {
    server = await startSample();
    const extensions = hashed(sha256('{ me }'));
    expect((await server.post({ query: '{ hello }', extensions })).body.errors?.[0]?.extensions.code).toBe('BAD_REQUEST');
    expect((await server.post({ extensions })).body.errors?.[0]?.message).toBe('PersistedQueryNotFound');
  });

  test('of a document that is refused is not remembered', async () => {
    server = await startSample();
    const query = '{ nothing }';
    await server.post({ query, extensions: hashed(sha256(query)) });
    expect((await server.post({ extensions: hashed(sha256(query)) })).body.errors?.[0]?.message).toBe('PersistedQueryNotFound');
  });

  test('is forgotten when the cache is full, the least recently used first', () => {
    const persisted = new PersistedDocuments(null);
    const documents = Array.from({ length: 300 }, (_, i) => `{ hello } #${i} ${'x'.repeat(30_000)}`);
    const [first = ''] = documents;
    const asked = (text: string) => persisted.find({ query: '', extensions: hashed(sha256(text)) });
    for (const query of documents) {
      persisted.remember({ query, extensions: hashed(sha256(query)) });
      expect(asked(first)).toBe(first);
    }
    const known = documents.filter((text) => asked(text) === text);
    expect(known.length * 60_000).toBeGreaterThan(4_000_000);
    expect(known.length * 60_000).toBeLessThan(8_000_000);
  });
});

describe('If a gateway has trusted documents', () => {
  const trustedDocuments = new Map([
    ['first', 'query First { hello }'],
    [sha256('query Second { me }'), 'query Second { me }'],
    ['stream', 'subscription { ticks(to: 1) { number } }'],
  ]);

  test.each([
    ['documentId', { documentId: 'first' }, { hello: 'world' }],
    ['doc_id', { doc_id: 'first' }, { hello: 'world' }],
    ['its hash', { extensions: hashed(sha256('query Second { me }')) }, { me: 'user:alice' }],
    ['documentId with the name of the hash', { documentId: `sha256:${sha256('query Second { me }')}` }, { me: 'user:alice' }],
    ['its text', { query: 'query First { hello }' }, { hello: 'world' }],
    ['its hash in upper case', { extensions: hashed(sha256('query Second { me }').toUpperCase()) }, { me: 'user:alice' }],
    ['its text and its id', { query: 'query First { hello }', documentId: 'first' }, { hello: 'world' }],
    [
      'its text and its right hash, which is not its id',
      { query: 'query First { hello }', extensions: hashed(sha256('query First { hello }')) },
      { hello: 'world' },
    ],
    ['the same id in both places', { documentId: 'first', extensions: hashed('first') }, { hello: 'world' }],
  ])('one of them is executed by %s, by POST and over a WebSocket', async (_, body, data) => {
    server = await startSample({ trustedDocuments });
    expect((await server.post(body)).body).toEqual({ data });
    expect(await subscribe(server, body)).toEqual({ id: '1', type: 'next', payload: { data } });
  });

  test.each([
    ['another text beside the id of one of them', { query: '{ hello }', documentId: 'first' }],
    ['the text of one beside the id of another', { query: 'query Second { me }', documentId: 'first' }],
    ['an id and a hash that are not the same', { documentId: 'first', extensions: hashed(sha256('query Second { me }')) }],
  ])('%s is malformed, by POST and over a WebSocket', async (_, body) => {
    server = await startSample({ trustedDocuments });
    const errors = [expect.objectContaining({ extensions: { code: 'BAD_REQUEST' } })];
    expect((await server.post(body)).body).toEqual({ errors });
    expect(await subscribe(server, body)).toEqual({ id: '1', type: 'error', payload: errors });
    expect(server.contexts()).toBe(0);
  });

  test.each([
    ['nothing', {}],
    ['null as its document and its id', { query: null, documentId: null }],
    ['an id among its variables only', { variables: { documentId: 'first' } }],
    ['an id and a number as its document', { query: 5, documentId: 'first' }],
    ['an id and a text as its variables', { documentId: 'first', variables: 'none' }],
  ])('a subscribe with %s closes its socket with 4400', async (_, payload) => {
    server = await startSample({ trustedDocuments });
    expect(await subscribe(server, payload)).toBe(4400);
  });

  test.each([
    ['another text', { query: '{ hello }' }],
    ['introspection', { query: '{ __schema { types { name } } }' }],
    ['an unknown id', { documentId: 'third' }],
    ['another text beside an unknown id', { query: '{ hello }', documentId: 'third' }],
    ['another text with its right hash', { query: '{ hello }', extensions: hashed(sha256('{ hello }')) }],
  ])('%s is refused, by POST, by GET, over a stream and over a WebSocket', async (_, body) => {
    server = await startSample({ trustedDocuments });
    const refused = expect.objectContaining({ extensions: { code: 'DOCUMENT_NOT_TRUSTED' } });
    expect((await server.post(body)).body).toEqual({ errors: [refused] });
    const search = new URLSearchParams(
      Object.entries(body).map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]),
    );
    for (const accept of ['application/json', 'text/event-stream']) {
      const response = await fetch(`${server.url}/graphql?${search}`, { headers: { authorization: 'Bearer tyk_alice', accept } });
      expect(await response.text()).toContain('DOCUMENT_NOT_TRUSTED');
    }
    const client = createClient({
      url: `${server.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: 'Bearer tyk_alice' },
    });
    onTestFinished(() => void client.dispose());
    await expect(client.iterate({ query: '', ...body }).next()).rejects.toEqual([refused]);
    expect(server.contexts()).toBe(0);
  });

  test('a subscription among them is opened by its id', async () => {
    server = await startSample({ trustedDocuments });
    const response = await fetch(`${server.url}/graphql?documentId=stream`, {
      headers: { authorization: 'Bearer tyk_alice', accept: 'text/event-stream' },
    });
    expect(await response.text()).toContain('data: {"data":{"ticks":{"number":1}}}');
  });

  test('there is no GraphiQL', async () => {
    server = await startSample({ trustedDocuments });
    expect((await fetch(`${server.url}/graphql`, { headers: { accept: 'text/html' } })).status).toBe(401);
  });

  test('the gateway does not start with one that cannot be executed, and names it', async () => {
    const broken = new Map([...trustedDocuments, ['broken', '{ nothing }']]);
    await expect(startSample({ trustedDocuments: broken })).rejects.toThrow(
      'A trusted document cannot be executed.\n"broken": Cannot query field "nothing"',
    );
  });

  test('the gateway does not start with many that cannot be executed, counts them and names the first five', async () => {
    const broken = Array.from({ length: 7 }, (_, i) => [`broken-${i}`, '{ nothing }'] as const);
    const failure = await startSample({ trustedDocuments: new Map([...trustedDocuments, ...broken]) }).catch(String);
    const [count, ...named] = String(failure).split('\n');
    expect(count).toContain('7 trusted documents cannot be executed.');
    expect(named.map((line) => line.slice(0, 10))).toEqual([0, 1, 2, 3, 4].map((i) => `"broken-${i}"`).concat('…'));
  });
});

describe('A request with the id of a document under both of its names', () => {
  const trustedDocuments = new Map([
    ['first', 'query First { hello }'],
    ['second', 'query Second { me }'],
  ]);

  async function ways(at: SampleServer, body: Record<string, string>): Promise<unknown[]> {
    const search = new URLSearchParams(body);
    const got = await fetch(`${at.url}/graphql?${search}`, { headers: { authorization: 'Bearer tyk_alice' } });
    const posts = ['application/json', 'application/json; charset=utf-8'].map(async (type) => at.post(body, { 'content-type': type }));
    return [
      ...(await Promise.all(posts)).map((post) => [post.status, post.body]),
      [got.status, await got.json()],
      await subscribe(at, body),
    ];
  }

  test('is refused where they differ, and both names are named, by POST, by GET and over a WebSocket', async () => {
    for (const options of [{}, { trustedDocuments }]) {
      server = await startSample(options);
      const refused = { message: expect.stringMatching(/documentId and doc_id/), extensions: { code: 'BAD_REQUEST' } };
      const answer = [400, { errors: [refused] }];
      const socket = { id: '1', type: 'error', payload: [refused] };
      expect(await ways(server, { documentId: 'first', doc_id: 'second' })).toEqual([answer, answer, answer, socket]);
      expect(server.contexts()).toBe(0);
      await server.close(0);
    }
  });

  test('is executed where they are the same', async () => {
    server = await startSample({ trustedDocuments });
    const known = { data: { hello: 'world' } };
    const answer = [200, known];
    expect(await ways(server, { documentId: 'first', doc_id: 'first' })).toEqual([
      ...[answer, answer, answer],
      { id: '1', type: 'next', payload: known },
    ]);
  });

  test.each([{ documentId: 5 }, { doc_id: 5 }])('that is a number is refused by that name (%j)', async (body) => {
    server = await startSample({ trustedDocuments });
    const [name] = Object.keys(body);
    const errors = [{ message: `"${name}" must be a string or null.`, extensions: { code: 'BAD_REQUEST' } }];
    expect(await server.post(body)).toMatchObject({ status: 400, body: { errors } });
  });

  test('is executed by the one that is not null', async () => {
    server = await startSample({ trustedDocuments });
    for (const body of [
      { documentId: null, doc_id: 'first' },
      { documentId: 'first', doc_id: null },
    ]) {
      expect((await server.post(body)).body).toEqual({ data: { hello: 'world' } });
      expect(await subscribe(server, body)).toEqual({ id: '1', type: 'next', payload: { data: { hello: 'world' } } });
    }
  });
});

test('A subscribe that names its document is given an empty query; values inside it are left alone', () => {
  const inner = { type: 'subscribe', id: '2', payload: { documentId: 'first' } };
  const message = { id: '1', type: 'subscribe', payload: { documentId: 'first', variables: { '': inner } } };
  expect(JSON.parse(fillQuery(JSON.stringify(message)))).toEqual({ ...message, payload: { ...message.payload, query: '' } });
  for (const text of ['{"documentId"', '"documentId"', JSON.stringify({ ...message, type: 'next' })]) expect(fillQuery(text)).toBe(text);
});
