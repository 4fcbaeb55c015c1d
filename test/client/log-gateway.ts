/**
 * A server of the contract's `log` and `claimableSteps` subscriptions on real sockets. A test can
 * cut, freeze and close its connections. Rows live in a LogStore, so they outlast the server. Only
 * for what a real gateway cannot be made to do on demand.
 */
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { buildSchema, GraphQLError } from 'graphql';
import { makeServer } from 'graphql-ws';
import { type WebSocket, WebSocketServer } from 'ws';

/** One job's stored log lines, and who waits for more. */
export class LogStore {
  readonly rows: string[] = [];
  isEnded = false;
  readonly #waiting = new Set<() => void>();

  append(...texts: string[]): void {
    this.rows.push(...texts);
    this.#wake();
  }

  end(): void {
    this.isEnded = true;
    this.#wake();
  }

  change(): { promise: Promise<void>; forget(): void } {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    return { promise, forget: () => this.#waiting.delete(resolve) || resolve() };
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

export interface LogGateway {
  readonly url: string;
  readonly port: number;
  /** The `after` of each log subscription, in order. Null for none. */
  readonly asked: (string | null)[];
  /** How many sockets were opened so far, and how many are open. */
  readonly opened: () => number;
  readonly open: () => number;
  /** How many frames the subscriptions requested from the store. */
  readonly pulled: () => number;
  /** Destroys every TCP connection. */
  cut(): void;
  /** Stops answering on the open connections, which stay open. */
  freeze(): void;
  closeSockets(code: number, reason: string): void;
  stop(): Promise<void>;
}

interface Settings {
  readonly port?: number;
  /** The most rows in one frame. */
  readonly batch?: number;
  /** Refuses a key when a connection opens. */
  readonly closeOnInit?: () => { code: number; reason: string } | undefined;
  /**
   * Completes the operation after this many frames, as a server does that closes a connection
   * gracefully.
   */
  readonly completeAfter?: number;
  /**
   * Fails this many times with an error frame and the end of the stream, like a gateway whose
   * database is away.
   */
  readonly unavailableTimes?: number;
}

const schemaText = await readFile(new URL('../../schema.graphql', import.meta.url), 'utf8');

export async function openLogGateway(store: LogStore, settings: Settings = {}): Promise<LogGateway> {
  const asked: (string | null)[] = [];
  let openedCount = 0;
  let unavailableLeft = settings.unavailableTimes ?? 0;
  let pulledCount = 0;
  const tcp = new Set<Socket>();
  const sockets = new Set<WebSocket>();
  const http: Server = createServer((_request, response) => response.writeHead(404).end());
  const ws = new WebSocketServer({ server: http, path: '/graphql' });
  http.on('connection', (socket) => {
    tcp.add(socket);
    socket.once('close', () => tcp.delete(socket));
  });

  const subscription = {
    log: ({ after, jobId }: { after?: string | null; jobId: string }) => {
      if (jobId === 'job_none') throw new GraphQLError('There is no such job.', { extensions: { code: 'NOT_FOUND' } });
      if (jobId === 'job_fault') throw new GraphQLError('Something broke.', { extensions: { code: 'INTERNAL_ERROR' } });
      if (jobId === 'job_hasty' && openedCount === 1)
        throw new GraphQLError('Too fast.', {
          extensions: { code: 'LIMIT_EXCEEDED', limit: 'keyRate', allowed: 1, asked: 1, retryAfterMs: 100 },
        });
      if (unavailableLeft-- > 0) return failOnce();
      asked.push(after ?? null);
      return readLog(store, after ?? null, settings, () => {
        pulledCount += 1;
      });
    },
    claimableSteps: async function* ({ deviceId }: { deviceId: string }) {
      yield { claimableSteps: 2 };
      if (deviceId === 'dev_waiting') await store.change().promise;
      yield { claimableSteps: 0 };
    },
  };
  const protocol = makeServer<Record<string, unknown>, WebSocket>({
    schema: buildSchema(schemaText),
    roots: { subscription },
    onConnect: ({ extra: socket }) => {
      const close = settings.closeOnInit?.();
      if (close !== undefined) socket.close(close.code, close.reason);
      return close === undefined;
    },
  });
  ws.on('connection', (socket) => {
    openedCount += 1;
    sockets.add(socket);
    const closed = protocol.opened(
      {
        protocol: socket.protocol,
        // A send that fails is no fault: the peer is gone, and the close event comes.
        send: (text) => new Promise((resolve) => socket.send(text, () => resolve())),
        close: (code, reason) => socket.close(code, reason),
        onMessage: (take) => socket.on('message', (data) => void take(String(data))),
      },
      socket,
    );
    socket.on('error', () => {});
    socket.once('close', (code, reason) => {
      sockets.delete(socket);
      void closed(code, String(reason));
    });
  });
  http.listen(settings.port ?? 0, '127.0.0.1');
  await new Promise((resolve) => http.once('listening', resolve));
  // A server that listens on TCP has an address of this shape.
  const { port } = http.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    asked,
    opened: () => openedCount,
    open: () => sockets.size,
    pulled: () => pulledCount,
    cut() {
      for (const socket of tcp) socket.destroy();
    },
    freeze() {
      for (const socket of sockets) socket.pause();
    },
    closeSockets(code, reason) {
      for (const socket of sockets) socket.close(code, reason);
    },
    async stop() {
      for (const socket of sockets) socket.close(1012, 'restart');
      ws.close();
      for (const socket of tcp) socket.destroySoon();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

/**
 * The frames of a log after a cursor, by the contract: history, a LIVE frame at once, then new
 * ones, ENDED last.
 */
function readLog(store: LogStore, after: string | null, settings: Settings, onPull: () => void): AsyncIterableIterator<unknown> {
  let position = after === null ? 0 : Number(after);
  let frames = 0;
  let isOver = false;
  let isLive = false;
  let forget = () => {};
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      for (;;) {
        if (isOver || frames === settings.completeAfter) return { done: true, value: undefined };
        const texts = store.rows.slice(position, position + (settings.batch ?? 3));
        const isLast = store.isEnded && position + texts.length === store.rows.length;
        if (texts.length > 0 || isLast || !isLive) {
          onPull();
          frames += 1;
          isLive = position + texts.length === store.rows.length;
          const chunks = texts.map((text, index) => chunkOf(position + index, text));
          position += texts.length;
          isOver = isLast;
          const state = isLast ? 'ENDED' : isLive ? 'LIVE' : 'REPLAYING';
          return { done: false, value: { log: { cursor: String(position), state, missed: 0, chunks } } };
        }
        const change = store.change();
        forget = change.forget;
        await change.promise;
      }
    },
    async return() {
      isOver = true;
      forget();
      return { done: true, value: undefined };
    },
  };
}

function chunkOf(index: number, text: string) {
  return { cursor: String(index + 1), stepNumber: 0, attempt: 1, offset: index, stream: 'STDOUT', text, at: '2026-01-01T00:00:00.000Z' };
}

async function* failOnce() {
  yield { log: new GraphQLError('Try again later.', { extensions: { code: 'UNAVAILABLE' } }) };
}
