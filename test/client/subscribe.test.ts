import { afterEach, describe, expect, test, vi } from 'vitest';
import { GatewayUnreachable } from '../../src/client/errors.ts';
import { ClaimableStepsDocument, LogDocument } from '../../src/client/generated.ts';
import { type OwnSocketOptions, subscribe } from '../../src/client/node/subscribe.ts';
import type { StreamStatus } from '../../src/client/subscription.ts';
import { type LogGateway, LogStore, openLogGateway } from './log-gateway.ts';

const quick = { baseMs: 5, capMs: 40, random: () => 1 };

let gateways: LogGateway[] = [];
afterEach(async () => {
  for (const gateway of gateways) await gateway.stop();
  gateways = [];
});

async function open(...settings: Parameters<typeof openLogGateway>): Promise<LogGateway> {
  const gateway = await openLogGateway(...settings);
  gateways.push(gateway);
  return gateway;
}

async function stop(gateway: LogGateway): Promise<void> {
  gateways = gateways.filter((other) => other !== gateway);
  await gateway.stop();
}

function follow(gateway: LogGateway, options: OwnSocketOptions = {}, jobId = 'job_1') {
  return subscribe({ url: gateway.url, token: 'tyk_test' }, LogDocument, { jobId }, { backoff: quick, ...options });
}

/** Reads texts until the stream ends. */
async function readAll(stream: ReturnType<typeof follow>, onText: (text: string) => void = () => {}): Promise<string[]> {
  const texts: string[] = [];
  for await (const frame of stream) {
    for (const chunk of frame.chunks) {
      texts.push(chunk.text);
      onText(chunk.text);
    }
  }
  return texts;
}

function lines(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, index) => `line ${from + index}`);
}

describe('a subscription', () => {
  test('whose sockets are cut repeatedly delivers every row once and in order (P7)', async () => {
    const store = new LogStore();
    const gateway = await open(store);
    let written = 0;
    const write = () => {
      store.append(...lines(10, written));
      written += 10;
      if (written === 200) store.end();
    };
    write();
    const texts = await readAll(follow(gateway), (text) => {
      const number = Number(text.split(' ')[1]);
      if (number % 10 === 4) gateway.cut();
      if (number % 10 === 9 && !store.isEnded) write();
    });
    expect(texts).toEqual(lines(200));
    expect(gateway.opened()).toBeGreaterThan(15);
  });

  test('continues after a restart of the gateway with the rows written meanwhile (P7, P11)', async () => {
    const store = new LogStore();
    const first = await open(store);
    const states: StreamStatus[] = [];
    const stream = follow(first, { onState: (state) => states.push(state) });
    store.append('before');
    const texts: string[] = [];
    const reading = readAll(stream, (text) => texts.push(text));
    await vi.waitFor(() => expect(texts).toEqual(['before']));
    await stop(first);
    await vi.waitFor(() => expect(states.at(-1)).toBe('reconnecting'));
    store.append('while away');
    store.end();
    const second = await open(store, { port: first.port });
    await reading;
    expect(texts).toEqual(['before', 'while away']);
    expect(second.asked).toEqual(['1']);
    expect(states).toEqual(['connecting', 'live', 'reconnecting', 'live']);
  });

  test('asks again while the gateway cannot serve it, and leaves no socket behind', async () => {
    const store = new LogStore();
    store.append('one');
    store.end();
    const gateway = await open(store, { unavailableTimes: 20 });
    expect(await readAll(follow(gateway))).toEqual(['one']);
    expect(gateway.opened()).toBe(21);
    await vi.waitFor(() => expect(gateway.open()).toBe(0), { timeout: 5_000 });
  });

  test.each([1000, 1001, 1012, 1013, 4403, 4500])('that is closed with %i continues from its last cursor', async (code) => {
    const store = new LogStore();
    store.append('one');
    const gateway = await open(store);
    const texts = await readAll(follow(gateway), (text) => {
      if (text !== 'one') return;
      gateway.closeSockets(code, 'for the test');
      store.append('two');
      store.end();
    });
    expect(texts).toEqual(['one', 'two']);
    expect(gateway.asked[0]).toBe(null);
    expect(gateway.asked.slice(1).every((after) => after !== null)).toBe(true);
  });

  test('that is completed without an ENDED frame continues from its last cursor', async () => {
    const store = new LogStore();
    store.append(...lines(9));
    store.end();
    const gateway = await open(store, { completeAfter: 1 });
    expect(await readAll(follow(gateway))).toEqual(lines(9));
    expect(gateway.asked).toEqual([null, '3', '6']);
  });

  test('ends with UNAUTHENTICATED when the key is revoked, and does not connect again', async () => {
    const store = new LogStore();
    store.append('one');
    const gateway = await open(store);
    const reading = readAll(follow(gateway), () => gateway.closeSockets(4401, 'The key was revoked.'));
    await expect(reading).rejects.toMatchObject({ name: 'RequestRefused', code: 'UNAUTHENTICATED', message: 'The key was revoked.' });
    expect(gateway.opened()).toBe(1);
  });

  test('whose key is not accepted at the door ends, while one that is expired is tried again', async () => {
    const store = new LogStore();
    store.end();
    const answers = [{ code: 4403, reason: 'expired' }, { code: 4403, reason: 'expired' }, undefined];
    const expired = await open(store, { closeOnInit: () => answers.shift() });
    expect(await readAll(follow(expired))).toEqual([]);
    expect(expired.opened()).toBe(3);

    const unknown = await open(store, { closeOnInit: () => ({ code: 4401, reason: 'unknown key' }) });
    await expect(readAll(follow(unknown))).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(unknown.opened()).toBe(1);
  });

  test('that the gateway refuses throws its code; an internal error is tried a few times first', async () => {
    const gateway = await open(new LogStore());
    await expect(readAll(follow(gateway, {}, 'job_none'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(gateway.opened()).toBe(1);
    await expect(readAll(follow(gateway, {}, 'job_fault'))).rejects.toMatchObject({ code: 'INTERNAL_ERROR' });
    expect(gateway.opened()).toBe(6);
  });

  test('that exceeded the rate is sent again at the time that the gateway gave', async () => {
    const store = new LogStore();
    store.append(...lines(2));
    store.end();
    const gateway = await open(store);
    const started = performance.now();
    expect(await readAll(follow(gateway, {}, 'job_hasty'))).toEqual(lines(2));
    expect(performance.now() - started).toBeGreaterThanOrEqual(100);
    expect(gateway.opened()).toBe(2);
  });

  test('leaves a connection that answers no ping, and continues on a new one', async () => {
    const store = new LogStore();
    store.append('one');
    const gateway = await open(store);
    const reasons: (string | undefined)[] = [];
    const stream = follow(gateway, {
      heartbeat: { pingMs: 50, pongMs: 200 },
      onState: (state, reason) => {
        if (state === 'reconnecting') reasons.push(reason);
      },
    });
    await stream.next();
    gateway.freeze();
    await vi.waitFor(() => expect(gateway.opened()).toBe(2));
    store.append('two');
    store.end();
    expect(await readAll(stream)).toEqual(['two']);
    expect(reasons).toEqual(['no answer to a ping within 200 ms']);
  });

  test('closes its socket when the consumer leaves the loop', async () => {
    const store = new LogStore();
    store.append('one');
    const gateway = await open(store);
    for await (const frame of follow(gateway)) {
      expect(frame.chunks).toHaveLength(1);
      break;
    }
    await vi.waitFor(() => expect(gateway.open()).toBe(0));
    expect(gateway.opened()).toBe(1);
  });

  test('that waits ends as soon as its signal is aborted', async () => {
    const gateway = await open(new LogStore());
    const stop = new AbortController();
    const stream = follow(gateway, { signal: stop.signal });
    expect((await stream.next()).value).toMatchObject({ state: 'LIVE', chunks: [] });
    const waiting = stream.next();
    stop.abort();
    expect(await waiting).toEqual({ done: true, value: undefined });
    await vi.waitFor(() => expect(gateway.open()).toBe(0));
  });

  test('gives up after the time that it was given', async () => {
    const gateway = await open(new LogStore());
    await stop(gateway);
    const reading = readAll(follow(gateway, { giveUpAfterSeconds: 0.2 }));
    await expect(reading).rejects.toBeInstanceOf(GatewayUnreachable);
  });

  test('without cursors ends when the gateway completes it', async () => {
    const gateway = await open(new LogStore());
    const values: number[] = [];
    const stream = subscribe({ url: gateway.url }, ClaimableStepsDocument, { deviceId: 'dev_1' }, { backoff: quick });
    for await (const value of stream) values.push(value);
    expect(values).toEqual([2, 0]);
  });

  test('whose consumer is slow makes the gateway wait, and delivers everything in the end (P9)', async () => {
    const store = new LogStore();
    const rows = 2_000;
    const text = 'x'.repeat(20_000);
    store.append(...Array.from({ length: rows }, (_, index) => `${index} ${text}`));
    store.end();
    const gateway = await open(store, { batch: 1 });
    const stream = follow(gateway, { heartbeat: { pingMs: 20, pongMs: 50 } });
    await stream.next();
    let before = -1;
    await vi.waitFor(
      () => {
        const now = gateway.pulled();
        const isStill = now === before;
        before = now;
        expect(isStill).toBe(true);
      },
      { interval: 300 },
    );
    expect(gateway.pulled()).toBeLessThan(rows);
    const texts = await readAll(stream);
    expect(texts.map((line) => Number(line.split(' ')[0]))).toEqual(Array.from({ length: rows - 1 }, (_, index) => index + 1));
    expect(gateway.opened()).toBe(1);
  });
});
