/**
 * How many characters of a text are written at once. Pieces make the progress of a peer visible,
 * and the rest waits as the text that others share.
 */
const PIECE = 65_536;
/** The most characters in the system's buffers at once. */
const MOST_IN_FLIGHT = 131_072;

/**
 * Writes a piece. `isLast`: it is the last of its message. `done` is called when the system has
 * accepted it or failed.
 */
type Write = (piece: string, isLast: boolean, done: (error?: Error | null) => void) => void;

interface Message {
  readonly parts: string[];
  characters: number;
  readonly settle: (isSent: boolean) => void;
}

/**
 * Sends texts to one peer, one after another.
 *
 * A long text is sent in pieces, so that the progress of a slow peer is visible however long a
 * frame is, and only one piece of bytes is copied.
 */
export class Outlet {
  readonly #write: Write;
  readonly #queue: Message[] = [];
  #inFlight = 0;
  #unsettled = 0;
  #taken = 0;
  #isPumping = false;

  constructor(write: Write) {
    this.#write = write;
  }

  /** Messages that are not entirely sent. */
  get waiting(): number {
    return this.#unsettled;
  }

  /** A number that changes whenever something was sent. */
  get taken(): number {
    return this.#taken;
  }

  /**
   * Sends the parts as one message. Resolves when it is sent: false if the peer is gone. It takes
   * at least one turn of the event loop, or a stream with much to send and a fast reader would
   * starve the others.
   */
  send(...parts: string[]): Promise<boolean> {
    this.#unsettled += 1;
    return new Promise((resolve) => {
      let characters = 0;
      for (const { length } of parts) characters += length;
      this.#queue.push({
        parts: characters <= PIECE ? [parts.join('')] : parts,
        characters,
        settle: (isSent) => {
          this.#unsettled -= 1;
          setImmediate(resolve, isSent);
        },
      });
      this.#pump();
    });
  }

  /**
   * Counts a message that was written past the queue, which was empty, until the returned function
   * is called.
   */
  noteWritten(): () => void {
    this.#unsettled += 1;
    return () => {
      this.#unsettled -= 1;
      this.#taken += 1;
    };
  }

  /** The peer is gone: nothing more is sent. */
  close(): void {
    for (const { settle } of this.#queue.splice(0)) settle(false);
  }

  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    for (let message = this.#queue[0]; message && this.#inFlight < MOST_IN_FLIGHT; message = this.#queue[0]) {
      const piece = nextPiece(message);
      const { characters, settle } = message;
      const isLast = characters === 0;
      if (isLast) this.#queue.shift();
      this.#inFlight += piece.length;
      this.#write(piece, isLast, (error) => {
        this.#inFlight -= piece.length;
        this.#taken += 1;
        if (isLast) settle(!error);
        else if (error) this.close();
        this.#pump();
      });
    }
    this.#isPumping = false;
  }
}

/** Takes the next piece of a message without splitting a character. */
function nextPiece(message: Message): string {
  const [part = '', ...rest] = message.parts;
  let end = Math.min(part.length, PIECE);
  if (end < part.length && isHighSurrogate(part.charCodeAt(end - 1))) end -= 1;
  const piece = part.slice(0, end);
  const left = part.slice(end);
  message.parts.splice(0, message.parts.length, ...(left === '' ? rest : [left, ...rest]));
  message.characters -= piece.length;
  return piece;
}

const isHighSurrogate = (code: number): boolean => code >= 0xd800 && code < 0xdc00;
