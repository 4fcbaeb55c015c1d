/**
 * Thousands of WebSocket clients in one process. They are plain sockets that open the protocol and
 * then only count frames: with the `ws` client, the load would be what is measured.
 */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

const OPCODE = { text: 1, close: 8, ping: 9, pong: 10 } as const;
/** An address may have only so many sockets that have not shown a key yet. */
const OPENING_AT_ONCE = 10;

export interface Subscription {
  /** The payload of connection_init. */
  readonly init?: object;
  /** The subscription. Without it nothing is sent, and every frame counts. */
  readonly subscribe?: { readonly query: string; readonly variables: object };
  /** Whether one frame comes before anything is published. It is awaited and does not count. */
  readonly beginsWithFrame?: boolean;
}

/** One client. Calls back for each frame that is a delivery. */
export class Subscriber {
  readonly #socket: Socket;
  readonly #onDelivery: (text: () => string) => void;
  #held: Buffer | null = null;
  #isOpen = false;
  #isReady = false;
  readonly #subscription: Subscription;
  #resolve: () => void = () => {};
  #reject: (error: Error) => void = () => {};

  constructor(port: number, subscription: Subscription, onDelivery: (text: () => string) => void) {
    this.#subscription = subscription;
    this.#onDelivery = onDelivery;
    // One buffer for all reads: Node would allocate one for each.
    const buffer = Buffer.allocUnsafe(65_536);
    this.#socket = connect({
      host: '127.0.0.1',
      port,
      noDelay: true,
      onread: {
        buffer,
        callback: (bytes) => {
          this.#take(buffer.subarray(0, bytes));
          return true;
        },
      },
    });
    this.#socket.on('error', (error) => this.#reject(error));
    this.#socket.on('close', () => this.#reject(new Error('The server closed a subscriber.')));
  }

  /** Resolves when it is subscribed. */
  open(): Promise<void> {
    const protocol = this.#subscription.subscribe ? 'Sec-WebSocket-Protocol: graphql-transport-ws\r\n' : '';
    const key = randomBytes(16).toString('base64');
    this.#socket.write(
      `GET /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n${protocol}Sec-WebSocket-Key: ${key}\r\n\r\n`,
    );
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  close(): void {
    this.#reject = () => {};
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    let bytes = this.#held ? Buffer.concat([this.#held, chunk]) : chunk;
    this.#held = null;
    if (!this.#isOpen) {
      const end = bytes.indexOf('\r\n\r\n');
      if (end < 0) {
        this.#keep(bytes);
        return;
      }
      if (!bytes.toString('latin1', 0, end).startsWith('HTTP/1.1 101')) this.#reject(new Error(`Not a WebSocket: ${bytes}`));
      this.#isOpen = true;
      bytes = bytes.subarray(end + 4);
      this.#begin();
    }
    while (bytes.length >= 2) {
      const { start, end } = extentOf(bytes);
      if (end > bytes.length) break;
      this.#frame((bytes[0] ?? 0) & 15, bytes.subarray(start, end));
      bytes = bytes.subarray(end);
    }
    if (bytes.length > 0) this.#keep(bytes);
  }

  /** Copies the bytes: the buffer is reused by the next read. */
  #keep(bytes: Buffer): void {
    this.#held = Buffer.from(bytes);
  }

  #begin(): void {
    if (this.#subscription.subscribe) this.#send({ type: 'connection_init', payload: this.#subscription.init ?? {} });
    else this.#ready();
  }

  #ready(): void {
    this.#isReady = true;
    this.#resolve();
  }

  #frame(opcode: number, payload: Buffer): void {
    if (opcode === OPCODE.ping) this.#write(OPCODE.pong, payload);
    else if (opcode === OPCODE.close) this.#reject(new Error(`The server closed a subscriber: ${payload.toString('utf8', 2)}`));
    // Converted to text only when asked for: most frames are only counted.
    else if (this.#isReady) this.#onDelivery(() => payload.toString());
    else this.#greet(payload.toString());
  }

  /**
   * Handles frames until the subscription runs. A pong says that all messages before its ping were
   * read.
   */
  #greet(text: string): void {
    const { subscribe, beginsWithFrame = false } = this.#subscription;
    if (text.includes('"errors":[')) {
      this.#reject(new Error(`Refused: ${text}`));
    } else if (text.includes('"type":"connection_ack"')) {
      this.#send({ id: '1', type: 'subscribe', payload: subscribe });
      this.#send({ type: 'ping' });
    } else if (text.includes('"type":"next"') || (text.includes('"type":"pong"') && !beginsWithFrame)) {
      this.#ready();
    } else if (!text.includes('"type":"pong"')) {
      this.#reject(new Error(`Refused: ${text}`));
    }
  }

  #send(message: object): void {
    this.#write(OPCODE.text, Buffer.from(JSON.stringify(message)));
  }

  /** Masks with zeros, which is enough for a load. */
  #write(opcode: number, payload: Buffer): void {
    const head =
      payload.length < 126
        ? Buffer.from([128 | opcode, 128 | payload.length])
        : Buffer.from([128 | opcode, 254, payload.length >> 8, payload.length & 255]);
    this.#socket.write(Buffer.concat([head, Buffer.alloc(4), payload]));
  }
}

/** Where the payload of a server's frame begins and ends. */
function extentOf(bytes: Buffer): { start: number; end: number } {
  const short = (bytes[1] ?? 0) & 127;
  if (short < 126) return { start: 2, end: 2 + short };
  if (bytes.length < 10) return { start: 0, end: Number.POSITIVE_INFINITY };
  return short === 126 ? { start: 4, end: 4 + bytes.readUInt16BE(2) } : { start: 10, end: 10 + Number(bytes.readBigUInt64BE(2)) };
}

/** Opens subscribers, a few at a time. `of` returns the subscription of each. */
export async function openSubscribers(
  port: number,
  count: number,
  of: (i: number) => Subscription,
  onDelivery: (text: () => string) => void,
): Promise<Subscriber[]> {
  const opened: Subscriber[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: OPENING_AT_ONCE }, async () => {
      while (next < count) {
        const subscriber = new Subscriber(port, of(next++), onDelivery);
        await subscriber.open();
        opened.push(subscriber);
      }
    }),
  );
  return opened;
}
