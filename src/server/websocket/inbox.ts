import type { Socket } from './socket.ts';

/**
 * Passes the messages of a socket to graphql-ws. A message that completes an operation waits while
 * operations are being opened, and later messages wait behind it.
 *
 * graphql-ws knows an operation only by its id. If `complete` overtook the opening, and the client
 * then subscribed with the same id again, the first stream would never end: it would go on,
 * uncounted, as long as the socket is open.
 */
export class Inbox {
  readonly #socket: Socket;
  readonly #held: { readonly text: string; readonly take: (text: string) => void }[] = [];
  #opening = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  put(text: string, take: (text: string) => void): void {
    if (this.#held.length === 0 && !this.#mustWait(text)) take(fillQuery(text));
    else {
      this.#held.push({ text, take });
      this.#socket.pause('inbox');
    }
  }

  /** Call it when an operation begins to open. */
  opens(): void {
    this.#opening += 1;
  }

  /** Call it when the operation was opened: graphql-ws registers its id right after. */
  opened(): void {
    setImmediate(() => {
      this.#opening -= 1;
      this.#pass();
    });
  }

  #pass(): void {
    for (let first = this.#held[0]; first && !this.#mustWait(first.text); first = this.#held[0]) {
      this.#held.shift();
      first.take(fillQuery(first.text));
    }
    if (this.#held.length === 0) this.#socket.resume('inbox');
  }

  /** Any message that contains "complete" may complete an operation. */
  #mustWait(text: string): boolean {
    return this.#opening > 0 && text.includes('"complete"');
  }
}

/** Whether a message may name its document. Only such messages are parsed twice. */
const MAY_NAME = /"(?:documentId|doc_id|persistedQuery)"/;

/**
 * Fills in `query: ""` where a `subscribe` has no query but names its document by an id or a hash,
 * as it may over HTTP. graphql-ws would close the socket. Every other message is returned as it is.
 *
 * This is no `jsonMessageReviver`: a reviver cannot tell the message from a value inside it.
 */
export function fillQuery(text: string): string {
  if (!MAY_NAME.test(text)) return text;
  try {
    const message: unknown = JSON.parse(text);
    if (!isObject(message) || message.type !== 'subscribe' || !isObject(message.payload)) return text;
    const { payload } = message;
    const { query, documentId, doc_id, extensions } = payload;
    const hash = isObject(extensions) ? extensions.persistedQuery : null;
    if (query != null || (documentId ?? doc_id ?? hash) == null) return text;
    return JSON.stringify({ ...message, payload: { ...payload, query: '' } });
  } catch {
    return text; // graphql-ws closes the socket
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
