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
