import type { Duplex } from 'node:stream';
import { createWebSocketStream, WebSocket } from 'ws';
import { GatewayUnreachable, RequestRefused } from '../client/errors.ts';
import type { StepSessionFieldsFragment } from '../client/generated.ts';
import { resolveUrl, type Target } from '../client/target.ts';
import type { SessionProblem } from '../tunnel/protocol.ts';

/** How long the gateway may take to open a session. */
const openMilliseconds = 15_000;

/**
 * Opens a session in a running step: a stream of frames (tunnel/protocol.ts) in both directions.
 * Rejects with GatewayUnreachable.
 */
export function openStepSession(target: Target, { url, token }: StepSessionFieldsFragment, signal: AbortSignal): Promise<Duplex> {
  const address = resolveUrl(target, url);
  address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(address, { perMessageDeflate: false, handshakeTimeout: openMilliseconds });
  const stream = createWebSocketStream(socket);
  const abort = () => stream.destroy();
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  stream.once('close', () => signal.removeEventListener('abort', abort));
  return new Promise((resolve, reject) => {
    const fail = (error?: Error) =>
      reject(new GatewayUnreachable(`${target.url} cannot be reached: ${error?.message ?? 'it closed the connection'}`));
    socket.once('open', () => {
      socket.send(token);
      resolve(stream);
    });
    // Also once it is open: whoever reads the stream sees that it has ended.
    stream.on('error', fail);
    stream.once('close', () => fail());
  });
}

/** The error of a PROBLEM frame. */
export function problemOf(content: Buffer): GatewayUnreachable | RequestRefused {
  const { code, message } = JSON.parse(content.toString()) as SessionProblem; // the gateway or the agent made it
  return code === 'UNAVAILABLE' ? new GatewayUnreachable(message) : new RequestRefused(code, message);
}
