/** The tunnels of devices at this gateway. tunnel/protocol.ts says what they are. */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import type { Duplex } from 'node:stream';
import { keepAlive } from '../../tunnel/keep-alive.ts';
import { ATTEMPT, PROBLEM } from '../../tunnel/protocol.ts';

/** Why a step cannot be reached, for programs. */
export type UnreachableReason = 'NO_TUNNEL' | 'REFUSED';

/** A running step cannot be reached. The message says why. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
  readonly code = 'UNAVAILABLE';
  readonly why: UnreachableReason;

  constructor(why: UnreachableReason, message: string) {
    super(message);
    this.why = why;
  }
}

/** A device whose gateway asks for more at once is told to wait, as by any other server. */
const MOST_STREAMS = 256;

/** A device that answers nothing for so long is gone. It has to look for a port, and connect. */
const ANSWER_MS = 30_000;

const SETTINGS = { enablePush: false, initialWindowSize: 262_144 } as const;

export class Tunnels {
  readonly #byDevice = new Map<string, ClientHttp2Session>();
  readonly #pingMs: number;

  constructor({ pingMs }: { readonly pingMs: number }) {
    this.#pingMs = pingMs;
  }

  get size(): number {
    return this.#byDevice.size;
  }

  /**
   * Takes the connection of a device, in place of an earlier one of the same device. Returns a
   * function that ends it. `ended` is called when it has ended.
   */
  add(deviceId: string, socket: Duplex, ended: () => void): () => void {
    const session = connect('http://device', {
      createConnection: () => socket,
      settings: SETTINGS,
      peerMaxConcurrentStreams: MOST_STREAMS,
    });
    this.#byDevice.get(deviceId)?.destroy();
    this.#byDevice.set(deviceId, session);
    const stopPings = keepAlive(session, this.#pingMs);
    // Whatever ends it, `close` follows.
    session.on('error', () => {});
    // A device starts no streams.
    session.on('stream', (stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM));
    session.once('close', () => {
      stopPings();
      if (this.#byDevice.get(deviceId) === session) this.#byDevice.delete(deviceId);
      socket.destroy();
      ended();
    });
    return () => session.destroy();
  }

  /** A connection to a port of an attempt. Rejects with Unreachable. */
  connect(deviceId: string, attempt: string, port: number): Promise<Duplex> {
    return this.#ask(deviceId, { ':method': 'CONNECT', ':authority': `${attempt}:${port}` });
  }

  /** Frames of a command in an attempt. `start`: the first one. Rejects with Unreachable. */
  exec(deviceId: string, attempt: string, start: Buffer): Promise<Duplex> {
    return this.#ask(deviceId, { ':method': 'POST', ':path': '/exec', [ATTEMPT]: attempt }, start);
  }

  /** Ends all. */
  close(): void {
    for (const session of this.#byDevice.values()) session.destroy();
  }

  async #ask(deviceId: string, headers: Readonly<Record<string, string>>, start?: Buffer): Promise<Duplex> {
    const session = this.#byDevice.get(deviceId);
    if (!session || session.destroyed || session.closed)
      throw new Unreachable(
        'NO_TUNNEL',
        'The agent that runs the step has no tunnel to this gateway: it is away, of an earlier version, or at another gateway of the same database.',
      );
    const stream = session.request(headers, { endStream: false });
    // Whoever uses it listens too. It may fail before.
    stream.on('error', () => {});
    if (start) stream.write(start);
    await whenAccepted(stream);
    return stream;
  }
}

/** Resolves when the device has accepted the stream. Rejects with Unreachable. */
function whenAccepted(stream: ClientHttp2Stream): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (message: string) => {
      stream.close(constants.NGHTTP2_CANCEL);
      reject(new Unreachable('REFUSED', message));
    };
    const timer = setTimeout(() => fail('The device of the step does not answer.'), ANSWER_MS);
    stream.once('response', (headers) => {
      clearTimeout(timer);
      if (headers[':status'] === 200) return resolve();
      fail(readProblem(String(headers[PROBLEM] ?? '')));
    });
    stream.once('close', () => {
      clearTimeout(timer);
      fail('The connection to the device of the step has ended.');
    });
  });
}

/** The text is the device's, which may be anyone's. */
function readProblem(encoded: string): string {
  try {
    return decodeURIComponent(encoded).slice(0, 300) || 'The device refused.';
  } catch {
    return 'The device refused.';
  }
}
