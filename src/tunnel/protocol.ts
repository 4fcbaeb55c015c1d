/**
 * What a gateway, an agent and the command line have to agree on to reach a running step.
 *
 * An agent keeps one connection to its gateway: an HTTP/1.1 upgrade to `trainyard-tunnel`, then
 * HTTP/2 with the roles turned around. The gateway is the client, the agent the server, so nothing
 * ever connects to the device. There are two kinds of requests:
 *
 *     CONNECT ATTEMPT:PORT          the bytes of a TCP connection to a port of the attempt
 *     POST /exec, x-attempt: …      frames: a command in the environment of the attempt
 *
 * A client of `exec` or `forward` opens a WebSocket at the gateway, sends its token as the first
 * message, and then the same frames in binary messages, which need not end where a frame ends.
 */
import { Transform } from 'node:stream';

/** The protocol of the upgrade. */
export const TUNNEL = 'trainyard-tunnel';

/** The header of a POST /exec that names the attempt. */
export const ATTEMPT = 'x-attempt';

/** The header of a refusal that says why, percent-encoded. */
export const PROBLEM = 'x-problem';

/** An attempt's name in a tunnel, and its folder's on its device. */
export const attemptName = (stepId: string, attempt: number): string => `${stepId}-${attempt}`;

/** The first byte of a frame says what follows. */
export const FRAME = {
  /** JSON, once, at the beginning of `exec`: see ExecStart. */
  START: 0,
  /** Bytes for the command's stdin, or of a forwarded connection. */
  INPUT: 1,
  /** Nothing more follows in this direction. */
  END: 2,
  STDOUT: 3,
  STDERR: 4,
  /** JSON, once, at the end of `exec`: see ExecExit. */
  EXIT: 5,
  /** JSON: why the session ends. See SessionProblem. */
  PROBLEM: 6,
} as const;

export interface ExecStart {
  readonly command: readonly string[];
}

/** As a shell says it: the code of a command that a signal ended is 128 plus its number. */
export interface ExecExit {
  readonly exitCode: number;
  readonly signal: string | null;
}

export interface SessionProblem {
  /** As in `extensions.code` of an error: UNAUTHENTICATED, UNAVAILABLE, LIMIT_EXCEEDED … */
  readonly code: string;
  readonly message: string;
}

export interface Frame {
  readonly type: number;
  readonly bytes: Buffer;
}

/** A frame is its type in one byte, its length in four, and its bytes. */
const HEAD_BYTES = 5;

/** Longer frames are refused: whoever sends one would have it kept in memory. */
export const MOST_FRAME_BYTES = 1_048_576;

export function frame(type: number, content: Uint8Array | string = ''): Buffer {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  const made = Buffer.allocUnsafe(HEAD_BYTES + bytes.length);
  made.writeUInt8(type, 0);
  made.writeUInt32BE(bytes.length, 1);
  made.set(bytes, HEAD_BYTES);
  return made;
}

export const problemFrame = ({ code, message }: SessionProblem): Buffer => frame(FRAME.PROBLEM, JSON.stringify({ code, message }));

/** Reads frames off a stream of bytes. Emits objects of type Frame. */
export class FrameReader extends Transform {
  #parts: Buffer[] = [];
  #length = 0;

  constructor() {
    // One frame at a time: they may be long.
    super({ readableObjectMode: true, readableHighWaterMark: 1 });
  }

  override _transform(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    this.#parts.push(chunk);
    this.#length += chunk.length;
    for (let size = this.#size(); size !== null; size = this.#size()) {
      if (size > HEAD_BYTES + MOST_FRAME_BYTES) {
        done(new Error(`A frame may have ${MOST_FRAME_BYTES} bytes.`));
        return;
      }
      if (this.#length < size) break;
      const whole = this.#join();
      this.push({ type: whole.readUInt8(0), bytes: whole.subarray(HEAD_BYTES, size) } satisfies Frame);
      this.#parts = [whole.subarray(size)];
      this.#length -= size;
    }
    done();
  }

  /** The size of the next frame with its head. Null until the head has arrived. */
  #size(): number | null {
    if (this.#length < HEAD_BYTES) return null;
    const [first = Buffer.alloc(0)] = this.#parts;
    return HEAD_BYTES + (first.length >= HEAD_BYTES ? first : this.#join()).readUInt32BE(1);
  }

  #join(): Buffer {
    const [first = Buffer.alloc(0)] = this.#parts;
    const whole = this.#parts.length === 1 ? first : Buffer.concat(this.#parts);
    this.#parts = [whole];
    return whole;
  }
}

/** Writes frames again as they were read: each as one chunk. */
export function wholeFrames(): Transform {
  return new Transform({
    writableObjectMode: true,
    writableHighWaterMark: 1,
    transform({ type, bytes }: Frame, _encoding, done) {
      done(null, frame(type, bytes));
    },
  });
}

/** The bytes of a connection from INPUT frames. Ends with END. */
export function bytesOfFrames(): Transform {
  let hasEnded = false;
  return new Transform({
    writableObjectMode: true,
    writableHighWaterMark: 1,
    transform({ type, bytes }: Frame, _encoding, done) {
      if (type === FRAME.INPUT && !hasEnded) this.push(bytes);
      if (type === FRAME.END && !hasEnded) {
        hasEnded = true;
        this.push(null);
      }
      done();
    },
  });
}

/** INPUT frames of the bytes of a connection, and END. */
export function framesOfBytes(): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      done(null, frame(FRAME.INPUT, chunk));
    },
    flush(done) {
      done(null, frame(FRAME.END));
    },
  });
}
