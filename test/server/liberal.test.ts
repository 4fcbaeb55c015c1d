/** Requests that are valid but unusual: each is answered like its usual form (P14). */
import { once } from 'node:events';
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { openSocket } from './raw-socket.ts';
import { type SampleServer, startSample } from './sample-server.ts';

let server: SampleServer;
beforeAll(async () => {
  server = await startSample({
    handlers: { '/fragments/': async (_request, response, url) => void response.writeHead(200).end(url.pathname + url.search) },
  });
});
afterAll(() => server.close(1_000));

const question = '{"query":"{ hello }"}';
const key = { authorization: 'Bearer tyk_alice' };
const json = { ...key, 'content-type': 'application/json' };

interface Told {
  readonly status: number | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** Node's own client, because fetch does not send every header that it is given. */
async function send(method: string, path: string, headers: Record<string, string> = {}, body?: string | Buffer): Promise<Told> {
  const sent: ClientRequest = request(server.url, { method, path, headers, agent: false });
  sent.end(body);
  const [response]: IncomingMessage[] = await once(sent, 'response');
  if (!response) throw new Error('A response event has a response.');
  return { status: response.statusCode, headers: response.headers, body: await text(response) };
}
const post = (headers: Record<string, string>, body: string | Buffer = question, path = '/graphql') =>
  send('POST', path, { ...json, ...headers }, body);

const answered = { status: 200, body: '{"data":{"hello":"world"}}' };

describe('An offer to change the protocol', () => {
  test.each([
    ['curl --http2', { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAMAAABkAAQCAAAAAAIAAAAA' }],
    [
      "Java's HttpClient",
      { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA' },
    ],
    ['TLS inside of HTTP', { connection: 'Upgrade', upgrade: 'TLS/1.0' }],
    ['several at once', { connection: 'upgrade', upgrade: 'websocket, h2c' }],
    ['a socket, with POST', { connection: 'upgrade', upgrade: 'websocket' }],
  ])('is ignored: %s (P14)', async (_, headers) => {
    expect(await post(headers)).toMatchObject(answered);
    expect((await send('GET', '/health/live', headers)).status).toBe(200);
    expect((await send('GET', '/graphql?query=%7Bhello%7D', { ...key, ...headers, upgrade: 'h2c' })).body).toBe(answered.body);
  });

  test('does not end the connection (P14)', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ports: (number | undefined)[] = [];
    for (const upgrade of ['h2c', undefined, 'h2c', undefined]) {
      const headers = upgrade === undefined ? json : { ...json, connection: 'upgrade, keep-alive', upgrade };
      const sent = request(`${server.url}/graphql`, { method: 'POST', headers, agent });
      sent.end(question);
      const [response]: IncomingMessage[] = await once(sent, 'response');
      ports.push(response?.socket.localPort);
      expect(response && (await text(response))).toBe(answered.body);
    }
    expect(new Set(ports).size).toBe(1);
    agent.destroy();
  });
});

describe('The target of a request', () => {
  test.each([
    '/graphql/',
    '//graphql',
    '/graphql//',
    '/graphql?',
    '/graphql/?a=b',
    'http://gateway.example/graphql',
    'HTTPS://x:1//graphql/?a',
  ])('may be written as %s (P14)', async (path) => {
    expect(await post({}, question, path)).toMatchObject(answered);
  });

  test('may be a whole URL for a query, a file, the health and a page (P14)', async () => {
    expect((await send('GET', `${server.url}/graphql/?query=%7Bhello%7D`, key)).body).toBe(answered.body);
    for (const path of ['/fragments/frag_1/?signature=x', '//fragments/frag_1?signature=x', 'http://x/fragments/frag_1?signature=x'])
      expect((await send('GET', path)).body).toBe('/fragments/frag_1?signature=x');
    for (const path of ['/health/live/', '/health/ready/', '//health/live', 'http://x/health/live?at=1'])
      expect([path, (await send('GET', path)).status]).toEqual([path, 200]);
    for (const path of ['/', '//', 'http://x', 'http://x/']) expect([path, (await send('GET', path)).status]).toEqual([path, 302]);
    expect((await send('GET', '/graphql/', { accept: 'text/html' })).body).toContain('<!doctype html>');
  });

  test('may contain literal percent signs, but no bytes that are not UTF-8 (P14)', async () => {
    expect((await send('GET', '/graphql?query={echo(text:"100%")}', key)).body).toContain('100%');
    for (const query of ['%ff', '{echo(text:"%e2%82")}', '{hello}&variables=%c0%af'])
      expect(await send('GET', `/graphql?query=${query}`, key)).toMatchObject({ status: 400, body: expect.stringContaining('not UTF-8') });
  });

  test('of a socket may contain literal percent signs (P14)', async () => {
    for (const path of ['/graphql/', '//graphql', '/graphql?a=b']) (await openSocket(`${server.url}${path}`, 'tyk_alice')).close();
  });

  test('of a socket is refused if its path is unknown (P14)', async () => {
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/nowhere`, 'graphql-transport-ws');
    const [, response]: [unknown, IncomingMessage] = (await once(socket, 'unexpected-response')) as never; // what ws emits
    expect(response.statusCode).toBe(404);
    socket.on('error', () => {}).terminate();
  });
});

describe('HEAD', () => {
  test('is answered like GET without a body, on every path (P14)', async () => {
    const asked: [path: string, headers: Record<string, string>][] = [
      ['/graphql?query=%7Bhello%7D', key],
      ['/graphql?query=%7Bhello%7D', {}],
      ['/graphql?query=%7B', key],
      ['/graphql', key],
      ['/graphql', { accept: 'text/html' }],
      ['/graphql/page.js', {}],
      ['/health/live', {}],
      ['/health/ready', {}],
      ['/', {}],
      ['/nowhere', {}],
      ['/fragments/frag_1', {}],
    ];
    for (const [path, headers] of asked) {
      const [got, head] = [await send('GET', path, headers), await send('HEAD', path, headers)];
      expect([path, head.status, head.body, head.headers['content-type']]).toEqual([path, got.status, '', got.headers['content-type']]);
    }
  });

  test('of a mutation does nothing, and of a stream returns its headers (P14)', async () => {
    const query = (document: string) => `/graphql?query=${encodeURIComponent(document)}`;
    expect(await send('HEAD', query('mutation { push(value: 1) }'), key)).toMatchObject({ status: 405 });
    const stream = await send('HEAD', query('subscription { quiet { number } }'), { ...key, accept: 'text/event-stream' });
    expect([stream.status, stream.headers['content-type']]).toEqual([200, 'text/event-stream; charset=utf-8']);
  });
});

describe('OPTIONS', () => {
  test.each([
    ['/graphql', 'GET, HEAD, POST, OPTIONS'],
    ['/graphql/', 'GET, HEAD, POST, OPTIONS'],
    ['/fragments/frag_1', 'GET, HEAD, PUT, OPTIONS'],
    ['/health/live', 'GET, HEAD, OPTIONS'],
    ['*', 'GET, HEAD, OPTIONS'],
  ])('of %s returns its methods: %s', async (path, allow) => {
    expect(await send('OPTIONS', path)).toMatchObject({ status: 204, headers: { allow }, body: '' });
  });
});

describe('Accept', () => {
  test.each([
    [undefined, 'application/json'],
    ['*/*;q=0.1', 'application/json'],
    ['application/*', 'application/json'],
    ['Application/GraphQL-Response+JSON', 'application/graphql-response+json'],
    ['application/graphql-response+json;q=0.2, application/json;q=0.9', 'application/json'],
    ['application/json;q=0.2, application/graphql-response+json', 'application/graphql-response+json'],
    ['application/graphql-response+json;q=0, */*', 'application/json'],
    ['application/graphql-response+json; charset=utf-8', 'application/graphql-response+json'],
    ['image/png', 'application/json'],
    [',, ;q', 'application/json'],
  ])('with %s is answered with %s (P14)', async (accept, type) => {
    const { status, headers, body } = await post(accept === undefined ? {} : { accept });
    expect([status, headers['content-type'], body]).toEqual([200, `${type}; charset=utf-8`, answered.body]);
  });

  test("gets data as Java's client sends it, and the page as a browser sends it (P14)", async () => {
    const java = { accept: 'text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2' };
    const browser = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8' };
    expect((await send('GET', '/graphql?query=%7Bhello%7D', { ...key, ...java })).body).toBe(answered.body);
    expect(await post(java)).toMatchObject(answered);
    expect((await send('GET', '/graphql', browser)).headers['content-type']).toContain('text/html');
    expect((await send('GET', '/graphql', { accept: 'application/json, text/html;q=0.5' })).status).toBe(401);
  });

  test.each(['Text/Event-Stream', 'text/event-stream; charset=utf-8', 'text/event-stream, */*;q=0.1'])(
    'with %s is answered with events (P14)',
    async (accept) => {
      expect((await post({ accept })).headers['content-type']).toContain('text/event-stream');
    },
  );

  test('with weight 0 for events is not answered with events (P14)', async () => {
    expect((await post({ accept: 'text/event-stream;q=0, application/json' })).body).toBe(answered.body);
  });
});

describe('A body', () => {
  test.each([
    'application/json; charset=UTF-8',
    'Application/JSON;charset="utf-8"',
    'application/json;',
    'application/json; charset=us-ascii',
  ])('of type %s is accepted (P14)', async (type) => {
    expect(await post({ 'content-type': type })).toMatchObject(answered);
  });

  test('may begin with a byte order mark, and have the encoding "identity" (P14)', async () => {
    expect(await post({ 'content-encoding': 'Identity' }, `\ufeff${question}`)).toMatchObject(answered);
  });

  test.each([
    ['a stray byte', Buffer.from(`{"query":"{ hello }","operationName":null,"variables":{"a":"\xff"}}`, 'latin1')],
    [
      'half of a surrogate pair',
      Buffer.from([...Buffer.from('{"query":"{ hello }","variables":{"a":"'), 0xed, 0xa0, 0x80, ...Buffer.from('"}}')]),
    ],
    ['an overlong slash', Buffer.from([...Buffer.from('{"query":"{ hello }","variables":{"a":"'), 0xc0, 0xaf, ...Buffer.from('"}}')])],
    ['its end cut off', Buffer.from('{"query":"{ hello }"}é').subarray(0, -1)],
  ])('that is not UTF-8 is refused with 400: %s (P14)', async (_, body) => {
    const { status, body: told } = await post({}, body);
    expect([status, told]).toEqual([400, expect.stringContaining('not UTF-8')]);
  });

  test('with another transfer coding than "chunked" is refused with 501 (P14)', async () => {
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    socket.write(
      `POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: ${key.authorization}\r\ncontent-type: application/json\r\n` +
        `transfer-encoding: gzip, chunked\r\n\r\n${question.length.toString(16)}\r\n${question}\r\n0\r\n\r\n`,
    );
    expect(await text(socket)).toMatch(/^HTTP\/1.1 501 /);
  });

  test('that waits for 100 Continue gets it once, and not if it is refused (P14)', async () => {
    const tell = async (headers: Record<string, string>) => {
      const sent = request(`${server.url}/graphql`, { method: 'POST', headers: { ...headers, expect: '100-continue' }, agent: false });
      let asked = 0;
      sent.on('information', () => {
        asked += 1;
        if (asked === 1) sent.end(question);
      });
      sent.flushHeaders();
      const [response]: IncomingMessage[] = await once(sent, 'response');
      sent.on('error', () => {}).destroy();
      return [response?.statusCode, asked];
    };
    expect(await tell({ ...json, 'content-length': String(question.length) })).toEqual([200, 1]);
    expect(await tell({ 'content-type': 'application/json', 'content-length': String(question.length) })).toEqual([401, 0]);
    expect(await tell({ ...json, 'content-length': '9000000' })).toEqual([413, 0]);
  });

  test('with an unknown expectation is accepted (P14)', async () => {
    expect(await post({ expect: '200-ok' })).toMatchObject(answered);
  });
});
