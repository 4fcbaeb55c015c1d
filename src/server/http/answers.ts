import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Connection, Connections } from '../connections/connections.ts';
import { Outlet } from '../connections/outlet.ts';
import { refuse, UNAUTHENTICATED } from '../errors.ts';
import type { Answer } from '../operations.ts';
import { chooseMediaType, type MediaType } from './accept.ts';
import { Refusal } from './params.ts';

/** Characters of an answer that is written in one go. */
const AT_ONCE = 65_536;

/** Per the GraphQL-over-HTTP specification: `application/json` cannot tell whose answer it is, so 200 means "a GraphQL server answered". */
export function statusOf(answer: Answer, mediaType: MediaType): number {
  if (answer.outcome === 'fault') return 500;
  return answer.outcome === 'refused' && mediaType !== 'application/json' ? 400 : 200;
}

/** Sends an answer. Does nothing where the client has gone. */
export function sendAnswer(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  const mediaType = chooseMediaType(request.headers.accept);
  sendText(response, statusOf(answer, mediaType), mediaType, answer.text);
}

/** Sends a refusal with a status of its own: it was refused before it was GraphQL. */
export function sendRefusal(request: IncomingMessage, response: ServerResponse, refusal: Refusal): void {
  // What is left of the body is not read: the connection cannot be used again.
  const close = request.complete ? {} : { connection: 'close' };
  const text = JSON.stringify({ errors: [refusal.error.toJSON()] });
  sendText(response, refusal.status, chooseMediaType(request.headers.accept), text, { ...close, ...refusal.headers });
}

export function sendUnauthenticated(request: IncomingMessage, response: ServerResponse): void {
  sendRefusal(request, response, new Refusal(401, refuse('UNAUTHENTICATED', UNAUTHENTICATED), { 'www-authenticate': 'Bearer' }));
}

/** Lets go a client that asks and then does not take its answer. Most answers have left by now, and nothing is watched. */
export function watchAnswer(connections: Connections, response: ServerResponse): void {
  const { socket } = response;
  if (!socket || response.writableFinished || (response.writableEnded && socket.writableLength === 0)) return;
  const connection: Connection = {
    isBehind: () => socket.writableLength > 0,
    taken: () => socket.bytesWritten - socket.writableLength,
    ping: () => {},
    drop: () => socket.destroy(),
    leave: () => {},
    cut: () => socket.destroy(),
  };
  connections.add(connection);
  response.once('close', () => connections.remove(connection));
}

function sendText(
  response: ServerResponse,
  status: number,
  mediaType: MediaType,
  text: string,
  headers: Record<string, string> = {},
): void {
  if (response.destroyed || response.headersSent) return;
  response.writeHead(status, {
    'content-type': `${mediaType}; charset=utf-8`,
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
  });
  if (text.length <= AT_ONCE) {
    response.end(text);
    return;
  }
  const outlet = new Outlet((piece, _, done) => response.write(piece, done));
  response.once('close', () => outlet.close());
  void outlet.send(text).then(() => response.end());
}
