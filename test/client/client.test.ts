import { afterEach, describe, expect, test, vi } from 'vitest';
import { type Client, type ClientOptions, createClient } from '../../src/client/client.ts';
import { ClaimableStepsDocument, LogDocument } from '../../src/client/generated.ts';
import { type LogGateway, LogStore, openLogGateway } from './log-gateway.ts';

const quick = { baseMs: 5, capMs: 40, random: () => 1 };

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function open(...settings: Parameters<typeof openLogGateway>): Promise<LogGateway> {
  const gateway = await openLogGateway(...settings);
  undo.push(() => gateway.stop());
  return gateway;
}

function connect({ url }: LogGateway, options: Partial<ClientOptions> = {}): { client: Client; states: string[] } {
  const client = createClient({ url, token: 'tyk_test', backoff: quick, lingerSeconds: 0, ...options });
  undo.push(() => client.close());
  const states: string[] = [client.connection.state];
  client.onConnection(({ state }) => {
    if (state !== states.at(-1)) states.push(state);
  });
  return { client, states };
}

async function readAll(stream: AsyncIterable<{ chunks: readonly { text: string }[] }>, onText: (text: string) => void = () => {}) {
  const texts: string[] = [];
  for await (const frame of stream)
    for (const chunk of frame.chunks) {
      texts.push(chunk.text);
      onText(chunk.text);
    }
  return texts;
}

const lines = (count: number, from = 0): string[] => Array.from({ length: count }, (_, index) => `line ${from + index}`);

describe("A client's subscriptions", () => {
  test('share one socket, which closes after the last', async () => {
    const store = new LogStore();
    store.append(...lines(9));
    const gateway = await open(store);
    const { client, states } = connect(gateway);
    const streams = Array.from({ length: 20 }, () => client.subscribe(LogDocument, { jobId: 'job_1' }));
    await Promise.all(streams.map((stream) => stream.next()));
    expect(gateway.opened()).toBe(1);
    expect(client.connection).toMatchObject({ state: 'live', via: 'websocket', reason: null });
    store.end();
    const texts = await Promise.all(streams.map((stream) => readAll(stream)));
    expect(texts).toEqual(streams.map(() => lines(6, 3)));
    await vi.waitFor(() => expect(gateway.open()).toBe(0));
    expect(gateway.opened()).toBe(1);
    expect(states).toEqual(['idle', 'connecting', 'live', 'idle']);
  });

  test('each resume where they were on one new socket, however often it is cut (P7)', async () => {
    const store = new LogStore();
    const gateway = await open(store);
    const { client, states } = connect(gateway);
    let written = 0;
    const write = () => {
      store.append(...lines(10, written));
      written += 10;
      if (written === 100) store.end();
    };
    write();
    const [first, second] = await Promise.all([
      readAll(client.subscribe(LogDocument, { jobId: 'job_1' }), (text) => {
        const number = Number(text.split(' ')[1]);
        if (number % 10 === 4) gateway.cut();
        if (number % 10 === 9 && !store.isEnded) write();
      }),
      readAll(client.subscribe(LogDocument, { jobId: 'job_2' })),
    ]);
    expect(first).toEqual(lines(100));
    expect(second).toEqual(lines(100));
    expect(gateway.opened()).toBeGreaterThan(7);
    expect(gateway.opened()).toBeLessThan(25);
    expect(states).toContain('reconnecting');
  });

  test('of which one is slow are bounded, and do not wait for each other (P9)', async () => {
    const store = new LogStore();
    const rows = 1_000;
    const text = 'x'.repeat(20_000);
    store.append(...Array.from({ length: rows }, (_, index) => `${index} ${text}`));
    store.end();
    const gateway = await open(store, { batch: 1 });
    const { client } = connect(gateway);
    const slow = client.subscribe(LogDocument, { jobId: 'job_slow' });
    await slow.next();
    const numbers = (texts: readonly string[]) => texts.map((line) => Number(line.split(' ')[0]));
    const all = Array.from({ length: rows }, (_, index) => index);
    expect(numbers(await readAll(client.subscribe(LogDocument, { jobId: 'job_quick' })))).toEqual(all);
    // The quick one took all. The slow one was stopped after what waits for it and was on its way.
    expect(gateway.pulled()).toBeLessThan(rows * 1.8);
    expect(numbers(await readAll(slow))).toEqual(all.slice(1));
    expect(gateway.opened()).toBe(1);
  });

  test('all end with UNAUTHENTICATED when the key is revoked, and the connection says why', async () => {
    const store = new LogStore();
    store.append('one');
    const gateway = await open(store);
    const { client } = connect(gateway);
    const streams = ['job_1', 'job_2'].map((jobId) => client.subscribe(LogDocument, { jobId }));
    await Promise.all(streams.map((stream) => stream.next()));
    const endings = Promise.allSettled(streams.map((stream) => stream.next()));
    gateway.closeSockets(4401, 'The key was revoked.');
    const refused = { status: 'rejected', reason: expect.objectContaining({ name: 'RequestRefused', code: 'UNAUTHENTICATED' }) };
    expect(await endings).toEqual([refused, refused]);
    expect(client.connection).toMatchObject({ state: 'idle', reason: 'The key was revoked.' });
    expect(gateway.opened()).toBe(1);
  });

  test('are not live on a connection that answers no ping, and go on on another', async () => {
    const store = new LogStore();
    store.append('one');
    const gateway = await open(store);
    const { client, states } = connect(gateway, { heartbeat: { pingMs: 50, pongMs: 300 } });
    const stream = client.subscribe(LogDocument, { jobId: 'job_1' });
    await stream.next();
    await vi.waitFor(() => expect(client.connection.latencyMs).toBeGreaterThan(0));
    gateway.freeze();
    await vi.waitFor(() => expect(gateway.opened()).toBe(2));
    store.append('two');
    store.end();
    expect(await readAll(stream)).toEqual(['two']);
    expect(states.slice(0, 4)).toEqual(['idle', 'connecting', 'live', 'reconnecting']);
  });

  test('without cursors start again with each connection', async () => {
    const store = new LogStore();
    const gateway = await open(store);
    const { client } = connect(gateway);
    const stream = client.subscribe(ClaimableStepsDocument, { deviceId: 'dev_waiting' });
    expect((await stream.next()).value).toBe(2);
    gateway.cut();
    expect((await stream.next()).value).toBe(2);
    store.end();
    expect((await stream.next()).value).toBe(0);
    expect((await stream.next()).done).toBe(true);
    expect(gateway.opened()).toBe(2);
  });

  test('end without an error when the client is closed, and none begins after that', async () => {
    const gateway = await open(new LogStore());
    const { client } = connect(gateway);
    const stream = client.subscribe(LogDocument, { jobId: 'job_1' });
    await stream.next();
    const waiting = stream.next();
    client.close();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(await readAll(client.subscribe(LogDocument, { jobId: 'job_2' }))).toEqual([]);
    await vi.waitFor(() => expect(gateway.open()).toBe(0));
    expect(gateway.opened()).toBe(1);
  });

  test('that could not be resumed say so at their first frame', async () => {
    const gateway = await open(new LogStore());
    const { client } = connect(gateway);
    const text = 'subscription ($jobId: ID!, $after: Cursor) { log(jobId: $jobId, after: $after) { chunks { text } } }';
    await expect(client.subscribe(text, { jobId: 'job_1' }).next()).rejects.toThrow('has to select cursor and state');
  });
});
