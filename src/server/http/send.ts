import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Connections } from '../connections/connections.ts';
import { Outlet } from '../connections/outlet.ts';
import { type AnswerHeaders, HeaderFields } from './headers.ts';
import type { Reply } from './reply.ts';

/** The most characters of an answer that are written at once. */
const AT_ONCE = 65_536;

/**
 * Sends a reply with the headers that were collected. Does nothing if the client is gone or was
 * answered.
 */
export function sendReply(
  request: IncomingMessage,
  response: ServerResponse,
  { status, headers, text }: Reply,
  collected: AnswerHeaders,
): void {
  if (response.destroyed || response.headersSent) return;
  const fields = collected instanceof HeaderFields ? collected.fields : {};
  response.writeHead(status, { ...fields, ...headers, ...closeAfter(request, status) });
  if (text.length <= AT_ONCE) response.end(text);
  else void sendPieces(response, text);
}

/** The rest of a refused body is not read, so its connection cannot be reused. */
const closeAfter = (request: IncomingMessage, status: number) => (status < 400 || request.complete ? {} : { connection: 'close' });

async function sendPieces(response: ServerResponse, text: string): Promise<void> {
  await outletOf(response).send(text);
  response.end();
}

function outletOf(response: ServerResponse): Outlet {
  const outlet = new Outlet((piece, _, done) => response.write(piece, done));
  response.once('close', () => outlet.close());
  return outlet;
}

/**
 * Sends Yoga's response. Yoga's own adapter writes whole chunks. Here, a body is sent in pieces
 * (outlet.ts), a chunk is requested only after the previous one was sent, and a client that accepts
 * nothing is disconnected.
 */
export function sendResponse(
  request: IncomingMessage,
  response: ServerResponse,
  { status, headers, body }: Response,
  connections: Connections,
): void {
  if (response.destroyed || request.method === 'HEAD' || !body) {
    void body?.cancel();
    if (!response.destroyed) response.writeHead(status, Object.fromEntries(headers)).end();
    return;
  }
  response.writeHead(status, { ...Object.fromEntries(headers), ...closeAfter(request, status) });
  const outlet = outletOf(response);
  const reader = body.getReader();
  const isStream = headers.get('content-type')?.startsWith('text/event-stream') === true;
  response.on('error', () => {}); // 'close' follows
  response.once('close', () => void reader.cancel());
  let isQuiet = false;
  // A stream that sent something since the last ping needs no keep-alive.
  const keepAlive = () => {
    if (isQuiet) void outlet.send(KEEP_ALIVE);
    isQuiet = true;
  };
  watchResponse(connections, response, isStream ? keepAlive : null);
  const onChunk = () => {
    isQuiet = false;
  };
  pump(response, reader, outlet, onChunk).catch(() => response.destroy());
}

/** A comment, which clients ignore. */
export const KEEP_ALIVE = ':\n\n';

async function pump(
  response: ServerResponse,
  reader: ReadableStreamDefaultReader<unknown>,
  outlet: Outlet,
  onChunk: () => void,
): Promise<void> {
  while (await sendChunk(reader, outlet)) onChunk();
  response.end();
}

/** A separate function, so that a stream does not keep the text of a frame while it waits. */
async function sendChunk(reader: ReadableStreamDefaultReader<unknown>, outlet: Outlet): Promise<boolean> {
  const { value, done } = await reader.read();
  return !done && outlet.send(typeof value === 'string' ? value : Buffer.from(value as Uint8Array).toString()); // our streams have strings, all others bytes
}

/** Disconnects the client if it does not accept the rest of its answer. */
export function watchAnswer(connections: Connections, response: ServerResponse): void {
  const { socket } = response;
  if (!socket || response.writableFinished || (response.writableEnded && socket.writableLength === 0)) return;
  watchResponse(connections, response, null);
}

/** `ping` keeps a stream alive. Streams do not end by themselves when the gateway stops. */
function watchResponse(connections: Connections, response: ServerResponse, ping: (() => void) | null): void {
  const { socket } = response;
  if (!socket) return;
  const isBehind = () => socket.writableLength > 0;
  const end = () => response.destroy();
  const connection = {
    isBehind,
    taken: () => socket.bytesWritten - socket.writableLength,
    ping: () => {
      if (ping && !isBehind() && !response.writableEnded) ping();
    },
    drop: end,
    leave: ping ? end : () => {},
    cut: end,
  };
  connections.add(connection);
  response.once('close', () => connections.remove(connection));
}
