import { once } from 'node:events';
import { type Client, createClient } from 'graphql-ws';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { openRaw, openSocket } from './raw-socket.ts';
import { type Body, type SampleOptions, type SampleServer, startSample } from './sample-server.ts';

let server: SampleServer;
let clients: Client[];
const start = async (options: SampleOptions = {}) => {
  await server?.close(0);
  server = await startSample(options);
};
const connect = (key = 'tyk_alice', onClosed?: (event: unknown) => void) => {
  const client = createClient({
    url: `${server.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${key}` },
    retryAttempts: 0,
    lazyCloseTimeout: 60_000,
    ...(onClosed ? { on: { closed: onClosed } } : {}),
  });
  clients.push(client);
  return client;
};
/** All results of an operation. */
const collect = async (client: Client, query: string, variables?: Record<string, unknown>) => {
  const results: Body[] = [];
  // graphql-ws types the results more loosely.
  for await (const result of client.iterate({ query, ...(variables ? { variables } : {}) })) results.push(result as Body);
  return results;
};

beforeEach(async () => {
  clients = [];
  server = await startSample();
});
afterEach(async () => {
  for (const client of clients) await client.dispose();
  await server.close(0);
});

describe('a socket', () => {
  test('carries queries, mutations and subscriptions', async () => {
    const client = connect();
    expect(await collect(client, '{ hello me }')).toEqual([{ data: { hello: 'world', me: 'user:alice' } }]);
    expect(await collect(client, 'mutation { push(value: 7) }')).toEqual([{ data: { push: [7] } }]);
    const ticks = await collect(client, 'subscription($to: Int!) { ticks(to: $to) { number } }', { to: 3 });
    expect(ticks).toEqual([1, 2, 3].map((number) => ({ data: { ticks: { number } } })));
  });

  test('stays open through a syntax error, a validation error and an unknown operation, and its streams go on', async () => {
    const client = connect();
    const stream = client.iterate({ query: 'subscription { shared { number } }' });
    const first = stream.next();
    await server.source.untilOpen(1);
    for (const query of ['{ hello', '{ nothing }', 'query A { hello } query B { hello }', '']) {
      await expect(collect(client, query)).rejects.toMatchObject([{ extensions: { code: 'BAD_REQUEST' } }]);
    }
    server.source.emit({ shared: { number: 5 } });
    expect((await first).value).toEqual({ data: { shared: { number: 5 } } });
    await stream.return?.();
  });

  test('stays open if a validation rule throws instead of reporting an error, and its streams go on', async () => {
    const client = connect();
    const stream = client.iterate({ query: 'subscription { shared { number } }' });
    const first = stream.next();
    await server.source.untilOpen(1);
    const conditional = 'subscription ($b: Boolean!) { ticks(to: 1) @include(if: $b) { number } }';
    await expect(collect(client, conditional, { b: false })).rejects.toMatchObject([{ extensions: { code: 'BAD_REQUEST' } }]);
    const refusal = await collect(client, '{ hello mispriced }').catch((errors: unknown) => errors);
    expect(refusal).toMatchObject([{ extensions: { code: 'INTERNAL_ERROR', id: expect.any(String) } }]);
    server.source.emit({ shared: { number: 5 } });
    expect((await first).value).toEqual({ data: { shared: { number: 5 } } });
    await stream.return?.();
  });

  test('masks errors', async () => {
    const [result] = await collect(connect(), '{ boom }');
    expect(result?.errors?.[0]?.extensions.code).toBe('INTERNAL_ERROR');
    expect(JSON.stringify(result)).not.toContain('secret');
  });

  test('answers a refused subscription with its error, and stays open', async () => {
    const client = connect();
    expect(await collect(client, 'subscription { refused { number } }')).toMatchObject([
      { errors: [{ extensions: { code: 'FORBIDDEN' } }] },
    ]);
    expect(await collect(client, '{ hello }')).toHaveLength(1);
  });

  test('ends a stream whose source breaks with one masked error', async () => {
    const results = await collect(connect(), 'subscription { breaking { number } }');
    expect(results).toMatchObject([{ errors: [{ extensions: { code: 'INTERNAL_ERROR' } }] }]);
    await server.source.untilOpen(0);
  });

  test('ends a stream after a frame without data, so that no gap is hidden', async () => {
    const results = await collect(connect(), 'subscription { ticks(to: 3) { number faultyNonNull } }');
    expect(results).toMatchObject([{ data: null, errors: [{ extensions: { code: 'INTERNAL_ERROR' } }] }]);
  });

  test.each(['authorization', 'Authorization', 'AUTHORIZATION'])('is accepted with its key in the field %s (P14)', async (name) => {
    const socket = await openSocket(server.url);
    socket.send(JSON.stringify({ type: 'connection_init', payload: { [name]: 'Bearer tyk_alice', other: 1 } }));
    expect(JSON.parse(String((await once(socket, 'message'))[0]))).toEqual({ type: 'connection_ack' });
    socket.close();
  });

  test('that sends the hash of an unknown document gets PersistedQueryNotFound, and stays open (P14)', async () => {
    const socket = await openSocket(server.url, 'tyk_alice');
    const payload = { query: '', extensions: { persistedQuery: { version: 1, sha256Hash: 'ab' } } };
    socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload }));
    expect(JSON.parse(String((await once(socket, 'message'))[0]))).toMatchObject({
      id: '1',
      type: 'error',
      payload: [{ message: 'PersistedQueryNotFound' }],
    });
    socket.send(JSON.stringify({ id: '2', type: 'subscribe', payload: { query: '{ hello }' } }));
    expect(JSON.parse(String((await once(socket, 'message'))[0]))).toMatchObject({ id: '2', type: 'next' });
    socket.close();
  });

  test.each([[{}], [{ authorization: 'Bearer nonsense' }], [{ authorization: 5 }]])(
    'without a valid key is closed with 4401: %j',
    async (payload) => {
      const socket = await openSocket(server.url);
      socket.send(JSON.stringify({ type: 'connection_init', payload }));
      expect((await socket.closed).code).toBe(4401);
    },
  );

  test('that does not send connection_init in time is closed with 4408', async () => {
    await start({ limits: { initMs: 50 } });
    expect((await (await openSocket(server.url)).closed).code).toBe(4408);
  });

  test('that subscribes before connection_init is closed with 4401', async () => {
    const socket = await openSocket(server.url);
    socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: '{ hello }' } }));
    expect((await socket.closed).code).toBe(4401);
  });

  test('that sends a message above the limit is closed with 1009', async () => {
    const socket = await openSocket(server.url, 'tyk_alice');
    socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: `{ hello } #${'x'.repeat(65_536)}` } }));
    expect((await socket.closed).code).toBe(1009);
  });

  test('accepts a limited number of operations at a time, and refuses only those beyond it', async () => {
    await start({ limits: { subscriptionsPerSocket: 2 } });
    const client = connect();
    const streams = [1, 2].map(() => client.iterate({ query: 'subscription { quiet { number } }' }));
    for (const stream of streams) void stream.next();
    await server.source.untilOpen(2);
    await expect(collect(client, '{ hello }')).rejects.toMatchObject([{ extensions: { code: 'LIMIT_EXCEEDED' } }]);
    await streams[0]?.return?.();
    await server.source.untilOpen(1);
    expect(await collect(client, '{ hello }')).toHaveLength(1);
    await streams[1]?.return?.();
  });

  test('beyond the limit of its key is closed with 1013, and accepted after another has closed', async () => {
    await start({ limits: { socketsPerKey: 1 } });
    const first = await openSocket(server.url, 'tyk_alice');
    const second = await openSocket(server.url);
    second.send(JSON.stringify({ type: 'connection_init', payload: { authorization: 'Bearer tyk_alice' } }));
    expect((await second.closed).code).toBe(1013);
    first.close();
    await first.closed;
    expect((await openSocket(server.url, 'tyk_alice')).readyState).toBe(WebSocket.OPEN);
  });

  test('without a key is refused with 429 if its address has too many of them', async () => {
    await start({ limits: { strangersPerAddress: 1 } });
    const stranger = await openSocket(server.url);
    await expect(openSocket(server.url)).rejects.toThrow('429');
    stranger.close();
    await stranger.closed;
    const known = await openSocket(server.url, 'tyk_alice');
    expect((await openSocket(server.url, 'tyk_bob')).readyState).toBe(WebSocket.OPEN);
    known.close();
  });

  test('of a page of another site is refused with 403, and of the own or a listed origin accepted', async () => {
    await start({ origins: ['https://console.example.com'] });
    await expect(openSocket(server.url, undefined, 'https://elsewhere.example')).rejects.toThrow('403');
    await expect(openSocket(server.url, undefined, 'null')).rejects.toThrow('403');
    for (const origin of [server.url, 'https://console.example.com']) (await openSocket(server.url, undefined, origin)).close();
  });

  test('at another path is refused with 404', async () => {
    await expect(openSocket(`${server.url}/elsewhere`)).rejects.toThrow('404');
  });

  test.each([
    ['expired', 4403],
    ['revoked', 4401],
  ] as const)('is closed when its key is %s, with %i', async (why, code) => {
    const socket = await openSocket(server.url, 'tyk_alice');
    socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: 'subscription { quiet { number } }' } }));
    await server.source.untilOpen(1);
    server.endKeys(why);
    expect((await socket.closed).code).toBe(code);
    await server.source.untilOpen(0);
    expect(server.watchedKeys()).toBe(0);
  });
});

describe('frames', () => {
  test('are executed each with its own context', async () => {
    const frames = await collect(connect(), 'subscription { ticks(to: 4) { context } }');
    const numbers = frames.map(({ data }) => JSON.stringify(data?.ticks));
    expect(new Set(numbers).size).toBe(4);
  });

  test('of one event are executed once for all subscribers with the same document and rights', async () => {
    const subscribers = ['tyk_alice', 'tyk_bob', 'tyk_viewer-carol', 'tyk_viewer-dave'].map((key) => connect(key));
    const first = subscribers.map((client) => client.iterate({ query: 'subscription { shared { number context } }' }).next());
    await server.source.untilOpen(4);
    const before = server.contexts();
    server.source.emit({ shared: { number: 1 } });
    const seen = (await Promise.all(first)).map(({ value }) => JSON.stringify(value?.data?.shared));
    expect(server.contexts() - before).toBe(2);
    expect([seen[0] === seen[1], seen[2] === seen[3], seen[0] === seen[2]]).toEqual([true, true, false]);
  });
});

test('the error of a shared frame names no request, and the error of a source names the request of each subscriber', async () => {
  const failuresOf = async (query: string) => {
    const subscribers = [connect('tyk_alice'), connect('tyk_bob')].map((client) => client.iterate({ query }).next());
    if (query.includes('shared')) await server.source.untilOpen(2);
    server.source.emit({ shared: { number: 1 } });
    const results = await Promise.all(subscribers);
    return results.map(({ value }) => value?.errors?.[0]?.extensions ?? {});
  };
  const ofFrames = await failuresOf('subscription { shared { faultyNonNull } }');
  expect(ofFrames[0]).toEqual({ code: 'INTERNAL_ERROR', id: expect.any(String) });
  expect(ofFrames[1]).toEqual(ofFrames[0]);
  const ofSource = await failuresOf('subscription { broken { number } }');
  expect(ofSource[1]).toEqual({ ...ofSource[0], requestId: expect.any(String) });
  expect(ofSource[1]?.requestId).not.toBe(ofSource[0]?.requestId);
});

test('a thousand subscriptions that have ended leave nothing open', async () => {
  const client = connect();
  for (let round = 0; round < 20; round += 1) {
    const streams = Array.from({ length: 50 }, () => client.iterate({ query: 'subscription { quiet { number } }' }));
    const ended = streams.map((stream) => stream.next());
    await server.source.untilOpen(50);
    for (const stream of streams) await stream.return?.();
    await Promise.all(ended);
    await server.source.untilOpen(0);
  }
  const other = connect('tyk_bob');
  void other.iterate({ query: 'subscription { quiet { number } }' }).next();
  await server.source.untilOpen(1);
  await other.dispose();
  await server.source.untilOpen(0);
});

test('a consumer that reads nothing is disconnected with 1013, costs a few frames, and delays no other (P9)', async () => {
  await start({ limits: { stallMs: 300 } });
  const slow = await openRaw(server.url, 'tyk_slow');
  slow.subscribe('subscription { big { number fill } }');
  slow.pause();
  await server.source.untilOpen(1);
  const good = await collect(connect(), 'subscription { ticks(to: 100) { number } }');
  expect(good).toHaveLength(100);
  await server.source.untilOpen(0);
  // All pulled frames but the last are in the kernel's buffers of both ends (some MB).
  const pulled = server.source.pulled.get('big') ?? 0;
  expect(pulled * 200_000).toBeLessThan(20_000_000);
  slow.resume();
  expect(await slow.closeCode).toBe(1013);
});
