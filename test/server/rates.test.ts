/** Rate limits: buckets with a fixed clock, and refusals on HTTP, SSE and sockets. */
import { createClient } from 'graphql-ws';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { Buckets, networkOf, pointsOf } from '../../src/server/connections/rates.ts';
import { type SampleOptions, type SampleServer, startSample } from './sample-server.ts';

describe('A bucket', () => {
  let now = 0;
  const buckets = () => {
    now = 1_000;
    return new Buckets(10, 5, () => now);
  };

  test('grants its burst at once, and then its rate per second (P14)', () => {
    const bucket = buckets();
    for (const left of [4, 3, 2, 1, 0]) expect(bucket.take('a', 1)).toMatchObject({ isTaken: true, left, retryMs: 0 });
    expect(bucket.take('a', 1)).toEqual({ isTaken: false, left: 0, retryMs: 100, fullMs: 500 });
    now += 99;
    expect(bucket.take('a', 1)).toMatchObject({ isTaken: false, retryMs: 1 });
    now += 1;
    expect(bucket.take('a', 1)).toMatchObject({ isTaken: true, left: 0 });
  });

  test('takes nothing when it refuses, so retries do not extend the wait', () => {
    const bucket = buckets();
    bucket.take('a', 5);
    for (let i = 0; i < 10; i++) expect(bucket.take('a', 2).retryMs).toBe(200);
    now += 200;
    expect(bucket.take('a', 2).isTaken).toBe(true);
  });

  test('never holds more than its burst', () => {
    const bucket = buckets();
    bucket.take('a', 1);
    now += 3_600_000;
    expect(bucket.take('a', 5).isTaken).toBe(true);
    expect(bucket.take('a', 1).isTaken).toBe(false);
  });

  test('grants more than it holds if it is full, and then has a debt', () => {
    const bucket = buckets();
    expect(bucket.take('a', 8)).toMatchObject({ isTaken: true, left: 0 });
    expect(bucket.take('a', 1)).toMatchObject({ isTaken: false, retryMs: 400 });
    now += 400;
    expect(bucket.take('a', 1).isTaken).toBe(true);
    expect(bucket.take('a', 8).isTaken).toBe(false);
  });

  test('is charged for work already done, up to a debt of one full bucket', () => {
    const bucket = buckets();
    bucket.charge('a', 2);
    expect(bucket.take('a', 3)).toMatchObject({ isTaken: true, left: 0 });
    bucket.charge('a', 3);
    bucket.charge('a', 1_000);
    expect(bucket.take('a', 1)).toMatchObject({ isTaken: false, retryMs: 600 });
  });

  test('with a larger debt is not charged further', () => {
    const bucket = buckets();
    bucket.take('a', 12);
    bucket.charge('a', 1);
    expect(bucket.take('a', 1).retryMs).toBe(800);
  });

  test('belongs to one name', () => {
    const bucket = buckets();
    bucket.take('a', 5);
    expect(bucket.take('a', 1).isTaken).toBe(false);
    expect(bucket.take('b', 1).isTaken).toBe(true);
  });

  test('is forgotten when it is full again, so memory is bounded (P14)', () => {
    const bucket = buckets();
    for (let i = 0; i < 1_000; i++) bucket.take(`name-${i}`, 1);
    expect(bucket.size).toBe(1_000);
    now += 400;
    bucket.take('late', 5);
    now += 101;
    bucket.take('other', 1);
    expect(bucket.size).toBe(2);
    expect(bucket.take('late', 5).isTaken).toBe(false);
  });
});

test('an operation costs one point, and one for each hundred nodes', () => {
  expect([0, 99, 100, 199, 10_000].map(pointsOf)).toEqual([1, 1, 2, 2, 101]);
});

test('clients without a key are counted by IPv4 address or IPv6 /64', () => {
  expect(networkOf('2001:db8:1:2:3:4:5:6')).toBe(networkOf('2001:db8:1:2::1'));
  expect(networkOf('2001:db8:1:2::1')).not.toBe(networkOf('2001:db8:1:3::1'));
  expect(networkOf('2001:db8::5')).toBe('2001:db8:0:0');
  expect(networkOf('::1')).toBe('0:0:0:0');
  expect(['192.0.2.1', '::ffff:192.0.2.1', '::ffff:192.0.2.2'].map(networkOf)).toEqual(['192.0.2.1', '192.0.2.1', '192.0.2.2']);
  // Names of interfaces as Node appends them, and the socket of a client that is gone.
  for (const name of ['eth0', 'br-lan', 'eth0.100', 'en_1', '']) expect(networkOf(`fe80::1%${name}`)).toBe('fe80:0:0:0');
  expect(networkOf(undefined)).toBe('');
});

describe('A key over its rate (P14)', () => {
  let server: SampleServer;
  let now = 0;
  async function start(limits: SampleOptions['limits']): Promise<void> {
    now = 0;
    server = await startSample({ limits: { keyRate: 2, keyBurst: 3, ...limits }, now: () => now });
  }
  afterEach(() => server.close(0));
  const tooFast = (retryAfterMs: number, asked = 1) => ({ code: 'LIMIT_EXCEEDED', limit: 'keyRate', allowed: 2, asked, retryAfterMs });

  test('sees its state in each answer, and is refused with 429 and Retry-After', async () => {
    await start({});
    const standings: (string | null)[] = [];
    for (let i = 0; i < 3; i++) {
      const { status, headers } = await server.post({ query: '{ hello }' });
      expect(status).toBe(200);
      expect(headers.get('ratelimit-policy')).toBe('"key";q=3;w=2');
      standings.push(headers.get('ratelimit'));
    }
    expect(standings).toEqual(['"key";r=2;t=1', '"key";r=1;t=1', '"key";r=0;t=2']);
    const { status, headers, body } = await server.post({ query: '{ hello }' });
    expect([status, headers.get('retry-after'), headers.get('ratelimit')]).toEqual([429, '1', '"key";r=0;t=2']);
    expect(body.errors?.[0]?.extensions).toEqual(tooFast(500));
    now += 500;
    expect((await server.post({ query: '{ hello }' })).status).toBe(200);
  });

  test('does not slow down other keys', async () => {
    await start({});
    for (let i = 0; i < 4; i++) await server.post({ query: '{ hello }' });
    expect((await server.post({ query: '{ hello }' }, { authorization: 'Bearer tyk_bob' })).status).toBe(200);
  });

  test('is charged for invalid requests as well', async () => {
    await start({});
    for (const body of ['no JSON', { query: '{ nothing }' }, { query: '{' }]) expect((await server.post(body)).status).not.toBe(429);
    expect((await server.post('no JSON')).status).toBe(429);
  });

  test('is charged more for an operation that costs more', async () => {
    await start({ keyBurst: 20 });
    const { headers } = await server.post({ query: '{ __schema { queryType { name } } }' });
    expect(headers.get('ratelimit')).toBe('"key";r=9;t=6');
    const { status, body } = await server.post({ query: '{ __schema { queryType { name } } }' });
    expect(status).toBe(429);
    expect(body.errors?.[0]?.extensions).toEqual(tooFast(1_000, 10));
  });

  test('is refused before a stream starts', async () => {
    await start({ keyBurst: 1 });
    await server.post({ query: '{ hello }' });
    const response = await fetch(`${server.url}/graphql?query=${encodeURIComponent('subscription { quiet { number } }')}`, {
      headers: { accept: 'text/event-stream', authorization: 'Bearer tyk_alice' },
    });
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '1']);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: tooFast(500) }] });
  });

  test('is refused for each operation on a socket, which stays open', async () => {
    await start({ keyBurst: 2 });
    const client = createClient({
      url: `${server.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: 'Bearer tyk_alice' },
      lazy: false,
    });
    const ask = async (query: string) => (await client.iterate({ query }).next()).value;
    const stream = client.iterate({ query: 'subscription { shared { number } }' });
    const first = stream.next();
    await server.source.untilOpen(1);
    expect(await ask('{ hello }')).toEqual({ data: { hello: 'world' } });
    await expect(ask('{ hello }')).rejects.toMatchObject([{ extensions: tooFast(500) }]);
    server.source.emit({ shared: { number: 7 } });
    expect((await first).value).toEqual({ data: { shared: { number: 7 } } });
    now += 500;
    expect(await ask('{ hello }')).toEqual({ data: { hello: 'world' } });
    await client.dispose();
  });

  test('is not limited if the operator turns the limit off', async () => {
    await start({ keyRate: null });
    for (let i = 0; i < 10; i++) {
      const { status, headers } = await server.post({ query: '{ hello }' });
      expect([status, headers.get('ratelimit')]).toEqual([200, null]);
    }
  });
});

describe('An address without a valid key (P14)', () => {
  let server: SampleServer;
  let now = 0;
  afterEach(() => server.close(0));

  test('is refused with 429 over its rate, while keys from it are not', async () => {
    now = 0;
    server = await startSample({ limits: { strangerRate: 1, strangerBurst: 2 }, now: () => now });
    const guess = () => server.post({ query: '{ hello }' }, { authorization: 'Bearer tyk' });
    expect([(await guess()).status, (await guess()).status]).toEqual([401, 401]);
    const { status, headers, body } = await guess();
    expect([status, headers.get('retry-after')]).toEqual([429, '1']);
    expect(body.errors?.[0]?.extensions).toEqual({
      code: 'LIMIT_EXCEEDED',
      limit: 'strangerRate',
      allowed: 1,
      asked: 1,
      retryAfterMs: 1_000,
    });
    expect((await server.post({ query: '{ hello }' })).status).toBe(200);
    now += 1_000;
    expect((await guess()).status).toBe(401);
  });

  test('over its rate has its sockets closed with 1013 instead of 4401', async () => {
    now = 0;
    server = await startSample({ limits: { strangerRate: 1, strangerBurst: 1 }, now: () => now });
    const guess = () =>
      new Promise((resolve, reject) => {
        const socket = new WebSocket(`${server.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
        socket.on('open', () => socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: 'Bearer nobody' } })));
        socket.on('close', (code, reason) => resolve(`${code} ${reason}`)).on('error', reject);
      });
    expect(await guess()).toBe('4401 Unauthorized');
    expect(await guess()).toBe('1013 Too many attempts without a valid key');
  });
});
