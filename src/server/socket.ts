import { WebSocket } from 'ws';
import type { Connection } from './connections.ts';

/** Why a socket is closed by the gateway. Clients try again after 1012, 1013 and 4403, and stop after 4401. */
export const CLOSE = {
  fault: { code: 1011, reason: 'Something went wrong on our side' },
  restart: { code: 1012, reason: 'The gateway restarts' },
  tooSlow: { code: 1013, reason: 'Too slow: nothing was taken for too long' },
  tooMany: { code: 1013, reason: 'Too many sockets of this key' },
  tooFast: { code: 1013, reason: 'Too many attempts without a valid key' },
  unauthorized: { code: 4401, reason: 'Unauthorized' },
  revoked: { code: 4401, reason: 'The key was revoked' },
  expired: { code: 4403, reason: 'The key expired' },
} as const;

/** Reasons for the codes that ws closes with by itself. */
const REASONS: Readonly<Record<number, string>> = { 1009: 'The message is larger than messageBytes allows' };

/** A socket that says why also where ws does not. */
export class GatewaySocket extends WebSocket {
  override close(code?: number, reason?: string | Buffer): void {
    super.close(code, reason ?? (code === undefined ? undefined : REASONS[code]));
  }
}

/** What a peer has to answer a close frame, or to take what still waits for it, before the connection is cut. */
const CLOSE_GRACE_MS = 5_000;

/** Messages that may wait for one peer. Above, nothing more is read from it: its pings would fill our memory with pongs. */
const MAX_WAITING = 100;

/** One WebSocket as its writers see it: text in, and a promise that says when it has left. */
export class Socket implements Connection {
  readonly socket: WebSocket;
  /** Called once when the socket ends, and already when the gateway decides that it shall: what it reads from is let go at once. */
  onEnd: ((code: number, reason: string) => void) | null = null;
  #waiting = 0;
  #taken = 0;
  #isPongDue = false;
  #requests = 0;
  #isLeaving = false;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('pong', () => {
      this.#isPongDue = false;
    });
    socket.on('error', () => {}); // a message too large, or not of the protocol: ws closes with 1009 or 1002 by itself
    socket.once('close', (code, reason) => this.#end(code, String(reason)));
  }

  /**
   * Resolves when the text has left for the peer: false if the peer has gone. A turn of the event loop lies between, or a stream with
   * much to say and a fast reader would leave no turn to anyone else.
   */
  send(text: string): Promise<boolean> {
    if (this.socket.readyState !== WebSocket.OPEN) return Promise.resolve(false);
    this.#waiting += 1;
    if (this.#waiting === MAX_WAITING) this.socket.pause();
    return new Promise((resolve) => {
      this.socket.send(text, (error) => {
        if (this.#waiting === MAX_WAITING) this.socket.resume();
        this.#waiting -= 1;
        this.#taken += 1;
        setImmediate(resolve, !error);
      });
    });
  }

  close({ code, reason }: { code: number; reason: string }): void {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    this.socket.close(code, shorten(reason));
    const timer = setTimeout(() => this.socket.terminate(), CLOSE_GRACE_MS).unref();
    this.socket.once('close', () => clearTimeout(timer));
    this.#end(code, reason);
  }

  #end(code: number, reason: string): void {
    this.onEnd?.(code, reason);
    this.onEnd = null;
  }

  /** Counts a query or mutation under way: a socket that leaves waits for its answer. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    this.#requests += 1;
    try {
      return await work();
    } finally {
      this.#requests -= 1;
      if (this.#isLeaving && this.#requests === 0) setImmediate(() => this.close(CLOSE.restart));
    }
  }

  isBehind(): boolean {
    return this.#waiting > 0;
  }

  taken(): number {
    return this.#taken;
  }

  ping(): void {
    if (this.isBehind()) {
      this.#isPongDue = false; // the pong may be behind what the peer has not taken yet
    } else if (this.#isPongDue) {
      this.socket.terminate();
    } else if (this.socket.readyState === WebSocket.OPEN) {
      this.#isPongDue = true;
      this.socket.ping();
    }
  }

  drop(): void {
    this.close(CLOSE.tooSlow);
  }

  leave(): void {
    this.#isLeaving = true;
    if (this.#requests === 0) this.close(CLOSE.restart);
  }

  cut(): void {
    this.close(CLOSE.restart);
    setImmediate(() => this.socket.terminate()); // the close frame has left by then, if the peer takes anything at all
  }
}

/** A close frame has room for 123 bytes; a reason that names what the peer sent may be longer. */
function shorten(reason: string): string {
  return Buffer.byteLength(reason) <= 123
    ? reason
    : `${Buffer.from(reason)
        .toString('latin1', 0, 100)
        .replaceAll(/[^ -~]/g, '?')} …`;
}
