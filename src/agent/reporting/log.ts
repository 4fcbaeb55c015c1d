import type { LogStream } from '../../client/generated.ts';
import { Mask, MaskedStream } from '../../text/mask.ts';

/** A piece of an attempt's log. `offset`: bytes of UTF-8 in the log before it, across streams. */
export interface LogEntry {
  readonly offset: number;
  readonly stream: LogStream;
  readonly text: string;
  readonly at: string;
}

/**
 * The size limit of a chunk: small enough for one frame, large enough that a busy log is not mostly
 * envelopes.
 */
export const maxChunkBytes = 16 * 1024;
/**
 * Text is buffered at most this long: short enough to look immediate, and five requests a second at
 * most.
 */
export const flushMilliseconds = 200;

/**
 * Turns what a step writes to its two pipes into its attempt's one log.
 *
 * The order is that in which the pipes were read. Each pipe has its own decoder, so a character
 * that arrives in two reads, with output of the other pipe between them, comes out whole. Bytes
 * that are not UTF-8 become U+FFFD, and so does NUL, which a text column of PostgreSQL cannot hold.
 * A chunk never ends inside a character.
 */
export class LogWriter {
  /** Bytes of this log so far, without the buffered text. */
  #offset = 0;
  #pending = '';
  #pendingStream: LogStream = 'STDOUT';
  #pendingAt = new Date();
  #timer: NodeJS.Timeout | null = null;
  readonly #decoders = { STDOUT: new TextDecoder('utf-8', { ignoreBOM: true }), STDERR: new TextDecoder('utf-8', { ignoreBOM: true }) };
  readonly #keep: (entry: LogEntry) => boolean;
  readonly #mask: Mask;
  readonly #masked: Readonly<Record<'STDOUT' | 'STDERR', MaskedStream>>;

  /**
   * `keep` takes a chunk for delivery and returns whether it could: a refused chunk takes no place
   * in the log. `mask` hides secrets.
   */
  constructor(keep: (entry: LogEntry) => boolean, mask: Mask = new Mask([])) {
    this.#keep = keep;
    this.#mask = mask;
    this.#masked = { STDOUT: new MaskedStream(mask), STDERR: new MaskedStream(mask) };
  }

  /** Takes bytes as read from a pipe. */
  write(stream: 'STDOUT' | 'STDERR', bytes: Uint8Array): void {
    this.#add(stream, this.#masked[stream].write(this.#decoders[stream].decode(bytes, { stream: true })));
  }

  /** Adds a line of the agent's own, on the SYSTEM stream. */
  note(line: string): void {
    this.#add('SYSTEM', `${this.#mask.text(line)}\n`);
  }

  /** Passes on the buffered text. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const text = this.#pending;
    this.#pending = '';
    for (const chunk of splitText(text, maxChunkBytes)) {
      const entry = { offset: this.#offset, stream: this.#pendingStream, text: chunk, at: this.#pendingAt.toISOString() };
      if (this.#keep(entry)) this.#offset += Buffer.byteLength(chunk);
    }
  }

  /** Ends the log: an unfinished character becomes U+FFFD. */
  end(): void {
    for (const stream of ['STDOUT', 'STDERR'] as const) {
      const masked = this.#masked[stream];
      this.#add(stream, masked.write(this.#decoders[stream].decode()) + masked.end());
    }
    this.flush();
  }

  #add(stream: LogStream, decoded: string): void {
    if (decoded === '') return;
    if (stream !== this.#pendingStream) this.flush();
    if (this.#pending === '') {
      this.#pendingStream = stream;
      this.#pendingAt = new Date();
    }
    this.#pending += decoded.toWellFormed().replaceAll('\0', '\uFFFD');
    // A character has at least one byte, so this is never late.
    if (this.#pending.length >= maxChunkBytes) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), flushMilliseconds);
  }
}

/**
 * Splits `text` into pieces of at most `maxBytes` bytes of UTF-8, none ending inside a character.
 * `maxBytes` is at least 4.
 */
export function splitText(text: string, maxBytes: number): string[] {
  if (text === '') return [];
  if (Buffer.byteLength(text) <= maxBytes) return [text];
  const bytes = Buffer.from(text);
  const pieces: string[] = [];
  let start = 0;
  while (start < bytes.length) {
    let end = Math.min(start + maxBytes, bytes.length);
    // 10xxxxxx is the inside of a character.
    while (end < bytes.length && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
    pieces.push(bytes.toString('utf8', start, end));
    start = end;
  }
  return pieces;
}
