import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type Client, createClient } from 'graphql-sse';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type SampleServer, startSample } from './sample-server.ts';

let server: SampleServer;
let client: Client;
beforeEach(async () => {
  server = await startSample({ limits: { stallMs: 300, pingMs: 50, socketsPerKey: 2 } });
  client = createClient({ url: `${server.url}/graphql`, headers: { authorization: 'Bearer tyk_alice' }, retryAttempts: 0 });
});
afterEach(async () => {
  client.dispose();
  await server.close(0);
});

const collect = async (query: string) => {
  const results: unknown[] = [];
  for await (const result of client.iterate({ query })) results.push(result);
  return results;
};
const stream = (path: string, init: RequestInit = {}) =>
  fetch(`${server.url}/graphql${path}`, {
    ...init,
    headers: { accept: 'text/event-stream', authorization: 'Bearer tyk_alice', ...init.headers },
  });

test('the client of graphql-sse gets the frames of a subscription and its end', async () => {
  expect(await collect('subscription { ticks(to: 3) { number } }')).toEqual([1, 2, 3].map((number) => ({ data: { ticks: { number } } })));
});

test('a query is answered with one event and the end, and so is a refusal', async () => {
  expect(await collect('{ hello }')).toEqual([{ data: { hello: 'world' } }]);
  expect(await collect('{ nothing }')).toMatchObject([{ errors: [{ extensions: { code: 'BAD_REQUEST' } }] }]);
  expect(await collect('subscription { refused { number } }')).toMatchObject([{ errors: [{ extensions: { code: 'FORBIDDEN' } }] }]);
});

test('a client that prefers JSON to a stream gets a stream only for a subscription', async () => {
  const accept = 'application/graphql-response+json, application/json, text/event-stream, multipart/mixed';
  const typeOf = async (query: string) => {
    const response = await stream(`?query=${encodeURIComponent(query)}`, { headers: { accept } });
    await response.text();
    return response.headers.get('content-type')?.split(';')[0];
  };
  expect(await typeOf('{ hello }')).toBe('application/graphql-response+json');
  expect(await typeOf('{ nothing }')).toBe('application/graphql-response+json');
  expect(await typeOf('subscription { ticks(to: 1) { number } }')).toBe('text/event-stream');
});

test('a GET gets a stream as well, in the format of browsers', async () => {
  const response = await stream(`?query=${encodeURIComponent('subscription { ticks(to: 1) { number } }')}`);
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  expect(await response.text()).toBe(':\n\nevent: next\ndata: {"data":{"ticks":{"number":1}}}\n\nevent: complete\ndata:\n\n');
});

test('a request for a stream without a key is refused with 401', async () => {
  expect((await stream('?query={hello}', { headers: { authorization: '' } })).status).toBe(401);
});

test('a key has a limited number of streams, and another when one has ended', async () => {
  const open = () => stream(`?query=${encodeURIComponent('subscription { quiet { number } }')}`);
  const first = await open();
  await open();
  const third = await open();
  expect([third.status, await third.text()]).toEqual([429, expect.stringContaining('LIMIT_EXCEEDED')]);
  await first.body?.cancel();
  await server.source.untilOpen(1);
  expect((await open()).status).toBe(200);
});

test('a quiet stream is kept alive by comments', async () => {
  const response = await stream(`?query=${encodeURIComponent('subscription { quiet { number } }')}`);
  let text = '';
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk).toString();
    if (text.split(':\n\n').length > 3) break;
  }
  await server.source.untilOpen(0);
});

test('a stream whose client disconnects closes its source', async () => {
  const frames = client.iterate({ query: 'subscription { quiet { number } }' });
  const first = frames.next();
  await server.source.untilOpen(1);
  await frames.return?.();
  await first;
  await server.source.untilOpen(0);
});

test('a stream whose key ends reports it in its last frame', async () => {
  const frames = client.iterate({ query: 'subscription { quiet { number } }' });
  const first = frames.next();
  await server.source.untilOpen(1);
  while (server.watchedKeys() === 0) await new Promise((resolve) => setImmediate(resolve));
  server.endKeys('revoked');
  expect(await first).toMatchObject({ value: { errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] } });
  expect((await frames.next()).done).toBe(true);
  await server.source.untilOpen(0);
  while (server.watchedKeys() > 0) await new Promise((resolve) => setImmediate(resolve));
});

/** A stream of frames of 200 KB each. Nothing is read until it is resumed. */
function openBig(): Socket {
  const body = JSON.stringify({ query: 'subscription { big { number fill } }' });
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  socket.pause();
  socket.write(
    `POST /graphql HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\nauthorization: Bearer tyk_alice\r\n` +
      `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  return socket;
}

test('a consumer that reads nothing is disconnected, costs a few frames, and delays no other (P9)', async () => {
  const socket = openBig();
  await server.source.untilOpen(1);
  expect(await collect('subscription { ticks(to: 100) { number } }')).toHaveLength(100);
  await server.source.untilOpen(0);
  expect((server.source.pulled.get('big') ?? 0) * 200_000).toBeLessThan(20_000_000);
  socket.resume();
  await once(socket, 'close');
});

test('a consumer that reads slowly is not disconnected (P9)', async () => {
  await server.close(0);
  server = await startSample({ limits: { stallMs: 1_000 } });
  const socket = openBig();
  const started = performance.now();
  let bytes = 0;
  await new Promise<void>((resolve, reject) => {
    socket.once('close', () => reject(new Error(`It was disconnected after ${bytes} bytes.`)));
    socket.on('data', (part) => {
      bytes += part.length;
      if (performance.now() - started > 3_000) return resolve();
      socket.pause();
      setTimeout(() => socket.resume(), 10); // this makes the consumer slow
    });
    socket.resume();
  });
  // It was behind for three times as long as a consumer that reads nothing may be.
  expect(server.source.openCount).toBe(1);
  socket.removeAllListeners('close');
  socket.destroy();
  await server.source.untilOpen(0);
});
