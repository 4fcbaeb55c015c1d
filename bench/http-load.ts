/**
 * HTTP/1.1 load from plain sockets. Requests are bytes made beforehand; answers are read only as
 * far as it takes to find their end.
 *
 * autocannon and undici were tried first. Either needs a whole core to ask for what a bare
 * node:http server answers with another, so the load would have been measured. `rounds.ts` prints
 * how busy the server was, which shows whether the load still keeps up.
 */
import { connect, type Socket } from 'node:net';

/** A POST of JSON, to /graphql unless another path is given. */
export function requestOf(body: object, { key = '', path = '/graphql' }: { key?: string; path?: string } = {}): Buffer {
  const text = JSON.stringify(body);
  const head = [
    `POST ${path} HTTP/1.1`,
    'host: 127.0.0.1',
    'content-type: application/json',
    'accept: application/json',
    ...(key ? [`authorization: Bearer ${key}`] : []),
    `content-length: ${Buffer.byteLength(text)}`,
  ];
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${text}`);
}

const HEAD_END = '\r\n\r\n';
const LAST_CHUNK = '0\r\n\r\n';

/** One kept-alive connection, with one request at a time. */
export class HttpConnection {
  readonly #socket: Socket;
  #held: Buffer | null = null;
  #waiting: { resolve(body: Buffer): void; reject(error: Error): void } | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', (error) => this.#waiting?.reject(error));
    socket.on('close', () => this.#waiting?.reject(new Error('The server closed the connection.')));
  }

  static open(port: number): Promise<HttpConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, noDelay: true });
      socket.once('connect', () => resolve(new HttpConnection(socket)));
      socket.once('error', reject);
    });
  }

  /**
   * Sends a request and resolves to the body. Rejects unless the answer is a 200 without errors.
   */
  ask(request: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      if (this.#waiting) throw new Error('A connection takes one request at a time.');
      if (!this.#socket.writable) throw new Error('The server has closed the connection.');
      this.#waiting = { resolve, reject };
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    const bytes = this.#held ? Buffer.concat([this.#held, chunk]) : chunk;
    const body = bodyOf(bytes);
    this.#held = body ? null : bytes;
    if (!body) return;
    const waiting = this.#waiting;
    this.#waiting = null;
    const isGood = bytes.indexOf('200', 9, 'latin1') === 9 && body.indexOf('"errors":[') < 0;
    if (isGood) waiting?.resolve(body);
    else waiting?.reject(new Error(`Refused: ${bytes.toString('utf8', 0, 1_000)}`));
  }
}

/** The body of an answer; null while it is incomplete. */
function bodyOf(bytes: Buffer): Buffer | null {
  const headEnd = bytes.indexOf(HEAD_END);
  if (headEnd < 0) return null;
  const start = headEnd + HEAD_END.length;
  const length = /content-length: (\d+)/i.exec(bytes.toString('latin1', 0, headEnd))?.[1];
  if (length !== undefined) return bytes.length >= start + Number(length) ? bytes.subarray(start) : null;
  const isWhole = bytes.length >= start + LAST_CHUNK.length && bytes.indexOf(LAST_CHUNK, bytes.length - LAST_CHUNK.length) >= 0;
  return isWhole ? bytes.subarray(bytes.indexOf('\r\n', start) + 2) : null;
}

/** What a client repeats. It may ask several times; each call counts as one. */
export type Turn = (connection: HttpConnection, client: number) => Promise<void>;

/** Runs clients with a connection each for `ms`. Resolves to turns per second. */
export async function runClients(
  connections: readonly HttpConnection[],
  ms: number,
  turn: Turn,
): Promise<{ count: number; seconds: number }> {
  let count = 0;
  const start = performance.now();
  const until = start + ms;
  await Promise.all(
    connections.map(async (connection, client) => {
      while (performance.now() < until) {
        await turn(connection, client);
        count += 1;
      }
    }),
  );
  return { count, seconds: (performance.now() - start) / 1_000 };
}

export function openConnections(port: number, count: number): Promise<HttpConnection[]> {
  return Promise.all(Array.from({ length: count }, () => HttpConnection.open(port)));
}
