import { afterEach, describe, expect, test, vi } from 'vitest';
import { type Client, type ClientOptions, createClient } from '../../src/client/client.ts';
import { LogDocument } from '../../src/client/generated.ts';
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
});
