import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import type { Connection } from '../connections/connections.ts';
import { Outlet } from '../connections/outlet.ts';
import type { Taken } from '../execution/audience.ts';

/**
 * Why the gateway closes a socket. Clients reconnect after 1012, 1013 and 4403, and stop after
 * 4401.
 */
export const CLOSE = {
  fault: { code: 1011, reason: 'Something went wrong on our side' },
  restart: { code: 1012, reason: 'The gateway restarts' },
  tooSlow: { code: 1013, reason: 'Too slow: no message was accepted for too long' },
  tooMany: { code: 1013, reason: 'Too many sockets of this key' },
  tooFast: { code: 1013, reason: 'Too many attempts without a valid key' },
  unauthorized: { code: 4401, reason: 'Unauthorized' },
  revoked: { code: 4401, reason: 'The key was revoked' },
  expired: { code: 4403, reason: 'The key expired' },
} as const;

/** Reasons for codes that ws itself closes with. */
const REASONS: Readonly<Record<number, string>> = { 1009: 'The message is larger than messageBytes allows' };

/** A socket that gives a reason where ws gives none. */
export class GatewaySocket extends WebSocket {
  override close(code?: number, reason?: string | Buffer): void {
    super.close(code, reason ?? (code === undefined ? undefined : REASONS[code]));
  }
}

/**
 * How long a peer has to answer a close frame or accept its unsent messages before the connection
 * is cut.
 */
const CLOSE_GRACE_MS = 5_000;

/**
 * Replies, and their characters, that may wait for one peer. Above that nothing more is read from
 * the peer, or its pings would fill the memory.
 */
const MOST_REPLIES = 100;
const MOST_REPLY_CHARACTERS = 65_536;

/** One WebSocket. Its writers pass a text, and get a promise that settles when it has left. */
export class Socket implements Connection {
  readonly socket: WebSocket;
  /** What the socket writes to. */
  readonly #connection: Duplex;
  /**
   * Called once, when the socket ends or the gateway decides to close it. What the socket reads
   * from is released without waiting for the peer.
   */
  onEnd: ((code: number, reason: string) => void) | null = null;
  readonly #outlet: Outlet;
  #replies = 0;
  #replyCharacters = 0;
  /** The reasons why nothing is read from the peer. */
  readonly #pauses = new Set<'replies' | 'inbox'>();
  #isPonging = false;
  #owedPong: Buffer | null = null;
  #isPongDue = false;
  #requests = 0;
  #isLeaving = false;

  constructor(socket: WebSocket, connection: Duplex) {
    this.socket = socket;
    this.#connection = connection;
    this.#outlet = new Outlet((piece, isLast, done) => socket.send(piece, { fin: isLast, binary: false }, done));
    socket.on('ping', (data) => this.#answerPing(data));
    socket.on('pong', () => {
      this.#isPongDue = false;
    });
    socket.on('error', () => {}); // ws itself closes the socket, with 1009 or 1002
    socket.once('close', (code, reason) => this.#end(code, String(reason)));
  }

  /**
   * Sends a frame or the answer of the operation. Resolves when it has left for the peer; to false
   * if the peer has gone.
   */
  deliver(id: string, payload: string): Promise<boolean> {
    if (this.socket.readyState !== WebSocket.OPEN) return Promise.resolve(false);
    return this.#outlet.send(nextOf(id), payload, '}');
  }

  /**
   * Writes a frame at once, if nothing else is unsent. `head`: what `nextOf` returns. `left` is
   * called after `slow`.
   *
   * The message is one buffer and one write past ws, which would make two and cork the socket: a
   * fifth less processor time for each subscriber of a frame. ws keeps nothing back that could come
   * later, since nothing is compressed.
   */
  push(head: Buffer, payload: Buffer, left: () => void): Taken {
    const connection = this.#connection;
    if (this.socket.readyState !== WebSocket.OPEN || this.isBehind() || connection.writableLength > 0) return 'refused';
    connection.write(messageOf(head, payload));
    if (connection.writableLength === 0) return 'sent';
    const settle = this.#outlet.noteWritten();
    // Called when everything before it was accepted.
    connection.write('', () => {
      settle();
      left();
    });
    return 'slow';
  }

  /** Sends a message of the protocol: the reply to a message of the peer. */
  async send(text: string): Promise<void> {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    this.#replies += 1;
    this.#replyCharacters += text.length;
    if (this.#replies >= MOST_REPLIES || this.#replyCharacters >= MOST_REPLY_CHARACTERS) this.pause('replies');
    await this.#outlet.send(text);
    this.#replies -= 1;
    this.#replyCharacters -= text.length;
    if (this.#replies === 0) this.resume('replies');
    if (this.#owedPong) this.#answerPing(this.#owedPong);
  }

  /** Reads nothing more from the peer until `resume` is called with the same reason. */
  pause(why: 'replies' | 'inbox'): void {
    this.#pauses.add(why);
    this.socket.pause();
  }

  resume(why: 'replies' | 'inbox'): void {
    if (this.#pauses.delete(why) && this.#pauses.size === 0) this.socket.resume();
  }

  /**
   * While answers cannot leave, only the newest ping is answered later, as RFC 6455 allows.
   * Otherwise a peer that reads nothing would be owed more and more.
   */
  #answerPing(data: Buffer): void {
    if (this.#isPonging || this.isBehind()) {
      this.#owedPong = data;
      return;
    }
    this.#isPonging = true;
    this.#owedPong = null;
    this.socket.pong(data, false, () => {
      this.#isPonging = false;
      if (this.#owedPong && this.socket.readyState === WebSocket.OPEN) this.#answerPing(this.#owedPong);
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
    this.#outlet.close();
    this.onEnd?.(code, reason);
    this.onEnd = null;
  }

  /** Counts a query or mutation under way. A socket that leaves waits for its answer. */
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
    return this.#outlet.waiting > 0;
  }

  taken(): number {
    return this.#outlet.taken;
  }

  ping(): void {
    if (this.isBehind()) {
      this.#isPongDue = false; // the ping may still be behind unsent messages
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
    setImmediate(() => this.socket.terminate()); // by then the close frame has left, if anything can
  }
}

/** The beginning of a message with the result of an operation. After the result follows `}`. */
export const nextOf = (id: string): string => `{"id":${JSON.stringify(id)},"type":"next","payload":`;

/** The bytes of a text message from a server, as RFC 6455 says: FIN and opcode, length, text. */
function messageOf(head: Buffer, payload: Buffer): Buffer {
  const length = head.length + payload.length + 1;
  const start = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const message = Buffer.allocUnsafe(start + length);
  message[0] = 0x81;
  message[1] = start === 2 ? length : start === 4 ? 126 : 127;
  if (start === 4) message.writeUInt16BE(length, 2);
  if (start === 10) message.writeBigUInt64BE(BigInt(length), 2);
  message.set(head, start);
  message.set(payload, start + head.length);
  message[start + length - 1] = 0x7d; // }
  return message;
}

/** A close frame has room for 123 bytes. A reason that quotes the peer may be longer. */
function shorten(reason: string): string {
  return Buffer.byteLength(reason) <= 123
    ? reason
    : `${Buffer.from(reason)
        .toString('latin1', 0, 100)
        .replaceAll(/[^ -~]/g, '?')} …`;
}
