/**
 * Connections whose clients have not shown a key. They cost a file each, of which a process has some hundreds or thousands, and nobody is
 * asked for a key before there is a connection. So those of one address are few, and the last free files are never theirs.
 *
 * To close one is no refusal: a client that has something to say opens another. None is closed while its request is answered, nor before it has
 * had time to send one: a thousand clients behind one proxy may well come in the same moment.
 */
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { networkOf } from './rates.ts';

/** A client sends its request with the last packet of the handshake, or right behind it. */
const SILENT_MS = 250;
/** What a stranger may have answered takes milliseconds; one that takes its time to read it counts as silent. */
const ANSWERED_MS = 5_000;
/** Files that are for others than connections: the database, fragments, threads, the log. */
const OTHER_FILES = 64;

interface Stranger {
  readonly network: string;
  /** Since when it has been silent, or its request has been answered. */
  since: number;
  /** Requests that are being answered. */
  asked: number;
}

const admissions = new WeakMap<Socket, () => void>();

/** The client of this request has shown a key, or an address that is good without one: its connection is no stranger's any more. */
export function admit({ socket }: IncomingMessage): void {
  admissions.get(socket)?.();
}

export interface ArrivalParts {
  /** How many connections of strangers an address may have; of IPv6, a /64. */
  readonly perAddress: number;
  /** How many connections there may be in all. */
  readonly inAll: number;
  /** There are more, and none of them is a stranger's. */
  onFull(): void;
  /** One more was closed. */
  onDrop(): void;
}

export class Arrivals {
  readonly #parts: ArrivalParts;
  /** The one that came first is the first. */
  readonly #strangers = new Map<Socket, Stranger>();
  readonly #counts = new Map<string, number>();
  #open = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(parts: ArrivalParts) {
    this.#parts = parts;
  }

  /** A connection was opened. */
  add(socket: Socket): void {
    const network = networkOf(socket.remoteAddress ?? '');
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

  /** A request came, whole but for its body. */
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

  /** The connection is another's to watch: it has become a socket. */
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

  /** The one that has been silent for longest gives way to the one that has just come. */
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
    // What waits to be read when the timer runs is read before the immediate: a busy gateway takes nobody for silent.
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

/** How many connections the files of this process are enough for. Where the system does not say, that is nothing to go by. */
export function connectionsAtMost(): number {
  try {
    const files = Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? Number.POSITIVE_INFINITY);
    return Math.max(16, files - Math.max(OTHER_FILES, files / 16));
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
