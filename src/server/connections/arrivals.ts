/**
 * Limits the connections whose clients have not sent a key. Each takes a file descriptor, of which
 * a process has a few hundred or thousand, and a client cannot send a key before it has a
 * connection. So one address may have only a few, and they never take the last free descriptors.
 *
 * A closed connection is not a refusal: a client with a request opens another. A connection is not
 * closed while its request is answered, or before it has had time to send one: a thousand clients
 * behind one proxy may connect at the same moment.
 */
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { networkOf } from './rates.ts';

/** A client sends its request with the last packet of the handshake, or right after it. */
const SILENT_MS = 250;
/**
 * Requests without a key are answered in milliseconds. A client that reads the answer slowly counts
 * as silent.
 */
const ANSWERED_MS = 5_000;
/** File descriptors for other uses than connections: the database, fragments, threads, the log. */
const OTHER_FILES = 64;

interface Stranger {
  readonly network: string;
  /** When it connected, last sent a request, or got its answer. */
  since: number;
  /** Requests that are being answered. */
  asked: number;
}

const admissions = new WeakMap<Socket, () => void>();

/**
 * The client of this request has sent a key or a signed URL: its connection is no longer counted.
 */
export function admit({ socket }: IncomingMessage): void {
  admissions.get(socket)?.();
}

export interface ArrivalParts {
  /** The most connections of strangers from one IPv4 address or IPv6 /64. */
  readonly perAddress: number;
  /** The most connections in total. */
  readonly inAll: number;
  /** Called if there are more and no connection of a stranger can be closed. */
  onFull(): void;
  /** Called for each connection that is closed. */
  onDrop(): void;
}

export class Arrivals {
  readonly #parts: ArrivalParts;
  /** In the order in which they connected. */
  readonly #strangers = new Map<Socket, Stranger>();
  readonly #counts = new Map<string, number>();
  #open = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(parts: ArrivalParts) {
    this.#parts = parts;
  }

  /** A connection was opened. */
  add(socket: Socket): void {
    const network = networkOf(socket.remoteAddress);
    this.#open += 1;
    this.#strangers.set(socket, { network, since: performance.now(), asked: 0 });
    const count = (this.#counts.get(network) ?? 0) + 1;
    this.#counts.set(network, count);
    admissions.set(socket, () => this.#forget(socket));
    socket.once('close', () => {
      this.#open -= 1;
      this.#forget(socket);
    });
    if (this.#open > this.#parts.inAll) this.#makeRoom();
    if (count > this.#parts.perAddress) this.#thinSoon();
  }

  /** The headers of a request have arrived. */
  hear({ socket }: IncomingMessage, response: ServerResponse): void {
    const stranger = this.#strangers.get(socket);
    if (!stranger) return;
    stranger.asked += 1;
    stranger.since = performance.now();
    response.once('close', () => {
      stranger.asked -= 1;
      stranger.since = performance.now();
    });
  }

  /** The connection has become a WebSocket and is watched elsewhere. */
  handOver({ socket }: IncomingMessage): void {
    this.#forget(socket);
  }

  #forget(socket: Socket): void {
    const stranger = this.#strangers.get(socket);
    if (!stranger) return;
    this.#strangers.delete(socket);
    const left = (this.#counts.get(stranger.network) ?? 1) - 1;
    if (left > 0) this.#counts.set(stranger.network, left);
    else this.#counts.delete(stranger.network);
  }

  #drop(socket: Socket): void {
    this.#forget(socket);
    socket.destroy();
    this.#parts.onDrop();
  }

  /** Closes the oldest connection that is not being answered, for the new one. */
  #makeRoom(): void {
    const newest = this.#strangers.size - 1;
    let at = 0;
    for (const [socket, { asked }] of this.#strangers) {
      if (at++ === newest || asked > 0) continue;
      this.#drop(socket);
      return;
    }
    this.#parts.onFull();
  }

  #thinSoon(): void {
    // Data that is readable when the timer fires is read before the immediate runs, so a busy
    // gateway does not mistake a client for silent.
    this.#timer ??= setTimeout(() => setImmediate(() => this.#thin()), SILENT_MS).unref();
  }

  #thin(): void {
    this.#timer = null;
    const now = performance.now();
    for (const [socket, { network, since, asked }] of this.#strangers) {
      if ((this.#counts.get(network) ?? 0) <= this.#parts.perAddress) continue;
      if (now - since >= (asked > 0 ? ANSWERED_MS : SILENT_MS)) this.#drop(socket);
      else this.#thinSoon();
    }
  }
}

/**
 * How many connections the process has file descriptors for. Infinity if the system does not say.
 */
export function connectionsAtMost(): number {
  try {
    const files = Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? Number.POSITIVE_INFINITY);
    return Math.max(16, files - Math.max(OTHER_FILES, files / 16));
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
