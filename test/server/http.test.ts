import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { createClient } from 'graphql-ws';
import { afterEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { Unsent } from '../../src/server/connections/unsent.ts';
import { DEFAULT_LIMITS } from '../../src/server/limits.ts';
import { ServerInstruments } from '../../src/server/watch/instruments.ts';
import { openSocket } from './raw-socket.ts';
import { type SampleServer, startSample } from './sample-server.ts';

let server: SampleServer | undefined;
afterEach(() => server?.close(0));

test('the health endpoints need no key: live always succeeds, and ready depends on the store', async () => {
  let database = { isReadable: true, isWritable: true };
  server = await startSample({ ready: () => Promise.resolve(database) });
  const ask = async (path: string) => {
    const response = await fetch(`${server?.url}${path}`);
    return [response.status, await response.json()];
  };
  expect(await ask('/health/live')).toEqual([200, { status: 'live' }]);
  expect(await ask('/health/ready')).toEqual([200, { status: 'ready', database: { readable: true, writable: true } }]);
  database = { isReadable: true, isWritable: false };
  expect(await ask('/health/ready')).toEqual([200, { status: 'ready', database: { readable: true, writable: false } }]);
  database = { isReadable: false, isWritable: false };
  expect(await ask('/health/ready')).toEqual([503, { status: 'not ready', database: { readable: false, writable: false } }]);
  expect(await ask('/health/live')).toEqual([200, { status: 'live' }]);
});

test('a server is ready only after it is opened, but answers before (P11)', async () => {
  server = await startSample({ isOpen: false });
  const ready = async () => {
    const response = await fetch(`${server?.url}/health/ready`);
    return [response.status, await response.json()];
  };
  expect(await ready()).toEqual([503, { status: 'starting' }]);
  expect((await server.post({ query: '{ hello }' })).body).toEqual({ data: { hello: 'world' } });
  server.open();
  expect(await ready()).toEqual([200, { status: 'ready', database: { readable: true, writable: true } }]);
});

test('an endpoint gets every request whose path begins with its own', async () => {
  server = await startSample({
    handlers: {
      '/fragments/': async (_request, response, url) => void response.writeHead(201).end(url.pathname + url.search),
      '/broken/': () => Promise.reject(new Error('a secret of ours')),
    },
  });
  const response = await fetch(`${server.url}/fragments/frag_1?signature=x`, { method: 'PUT', body: 'bytes' });
  expect([response.status, await response.text()]).toEqual([201, '/fragments/frag_1?signature=x']);
  const broken = await fetch(`${server.url}/broken/x`);
  expect(broken.status).toBe(500);
  expect(await broken.text()).not.toContain('secret');
});

test('a start on a port that is in use rejects with EADDRINUSE', async () => {
  server = await startSample();
  const { startServer } = await import('../../src/server/http.ts');
  const { Rates } = await import('../../src/server/connections/rates.ts');
  const { buildSampleSchema } = await import('./sample-schema.ts');
  const { Source } = await import('./source.ts');
  const parts = {
    schema: buildSampleSchema(new Source()),
    authenticate: () => Promise.resolve(null),
    context: () => ({}),
    onKeyEnd: () => () => {},
    handlers: {},
    steps: null,
    ready: () => Promise.resolve({ isReadable: true, isWritable: true }),
    trustedDocuments: null,
    limits: DEFAULT_LIMITS,
    unsent: new Unsent(DEFAULT_LIMITS),
    rates: new Rates(DEFAULT_LIMITS),
    log: { debug() {}, info() {}, warn() {}, error() {}, has: () => false },
    instruments: new ServerInstruments(),
    traces: null,
  };
  await expect(startServer(parts, { host: '127.0.0.1', port: Number(new URL(server.url).port) })).rejects.toMatchObject({
    code: 'EADDRINUSE',
  });
});

test('a client that does not read its answer is disconnected', async () => {
  server = await startSample({ limits: { stallMs: 200 } });
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  socket.pause();
  const body = '{"query":"{ large }"}';
  socket.write(
    `POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: Bearer tyk_alice\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  await server.logged('A consumer that accepted nothing for too long was disconnected.');
  socket.on('error', () => {}); // the gateway resets a connection on which bytes are unsent
  socket.resume();
  await once(socket, 'close');
  expect(socket.bytesRead).toBeLessThan(20_000_000);
});

test('a server that stops closes its sockets with 1012 and ends within its time', async () => {
  server = await startSample();
  const sockets = await Promise.all(Array.from({ length: 10 }, () => openSocket(server?.url ?? '', 'tyk_alice')));
  sockets[0]?.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: 'subscription { quiet { number } }' } }));
  await server.source.untilOpen(1);
  const started = performance.now();
  await server.close(1_500);
  expect(performance.now() - started).toBeLessThan(1_500);
  for (const socket of sockets) expect((await socket.closed).code).toBe(1012);
  await server.source.untilOpen(0);
  await expect(fetch(server.url)).rejects.toThrow();
});

test('a server that stops answers earlier requests, over HTTP and over a socket', async () => {
  let answer = () => {};
  server = await startSample({
    handlers: { '/slow/': (_request, response) => new Promise((resolve) => (answer = () => resolve(void response.end('done')))) },
  });
  const pending = new Promise<string | undefined>((resolve, reject) => {
    const sent = request(`${server?.url}/slow/x`, (response) => {
      response.setEncoding('utf8');
      response.on('data', resolve);
    });
    sent.on('error', reject).end();
  });
  const client = createClient({
    url: `${server.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: 'Bearer tyk_alice' },
    retryAttempts: 0,
  });
  const first = client.iterate({ query: '{ hello }' });
  await first.next();
  const asked = client.iterate({ query: 'mutation { push(value: 1) }' }).next();
  // The mutation is under way once a context was made for it.
  while (server.contexts() < 2) await new Promise((resolve) => setImmediate(resolve));
  const closed = server.close(5_000);
  expect((await asked).value).toEqual({ data: { push: [1] } });
  answer();
  expect(await pending).toBe('done');
  await closed;
});

test('a server that stops cuts requests that do not end in time, and asks sockets to reconnect', async () => {
  server = await startSample({ handlers: { '/never/': () => new Promise(() => {}) } });
  const socket = await openSocket(server.url, 'tyk_alice');
  socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: 'mutation { hang }' } }));
  while (server.contexts() === 0) await new Promise((resolve) => setImmediate(resolve));
  const pending = fetch(`${server.url}/never/x`);
  pending.catch(() => {});
  await new Promise((resolve) => setImmediate(resolve));
  const started = performance.now();
  await server.close(300);
  expect(performance.now() - started).toBeLessThan(2_000);
  await expect(pending).rejects.toThrow();
  expect((await socket.closed).code).toBe(1012);
});
