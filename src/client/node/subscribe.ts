import { WebSocket } from 'ws';
import type { Backoff } from '../../timing/backoff.ts';
import type { Document } from '../document.ts';
import { defaultHeartbeat, type HeartbeatTimes } from '../heartbeat.ts';
import { Link } from '../link.ts';
import { openSocket, type SocketControl } from '../socket.ts';
import { type Delivery, type SubscribeOptions, Subscription } from '../subscription.ts';
import { paramsOf, socketUrl, type Target } from '../target.ts';

export interface OwnSocketOptions extends SubscribeOptions {
  readonly backoff?: Backoff | undefined;
  readonly heartbeat?: HeartbeatTimes | undefined;
}

const closeGraceMs = 1_000;

/** graphql-ws takes its own listener away when it ends a socket that is still opening. */
class QuietWebSocket extends WebSocket {
  constructor(address: string | URL, protocols?: string | string[]) {
    super(address, protocols);
    this.on('error', () => {});
  }
}

const control: SocketControl = {
  terminate: (socket) => {
    if (socket instanceof WebSocket) socket.terminate();
  },
  // A peer that does not answer the closing handshake must not keep the process waiting.
  closing: (socket) => {
    setTimeout(() => control.terminate(socket), closeGraceMs).unref();
  },
  pause: (socket) => {
    if (socket instanceof WebSocket && socket.readyState === WebSocket.OPEN) socket.pause();
  },
  resume: (socket) => {
    if (socket instanceof WebSocket) socket.resume();
  },
};

/**
 * Subscribes on its own WebSocket and stays subscribed. When the connection is lost it reconnects,
 * with exponential backoff, and resumes from the cursor of the last frame. Nothing is lost or
 * repeated, even across a restart of the gateway. A stream without cursors (`claimableSteps`,
 * `jobUpdated`) starts again with each connection.
 *
 * Iterate it once. It ends when the gateway says ENDED (or completes a stream without cursors),
 * when the signal is aborted, and when the consumer leaves the loop. It throws RequestRefused when
 * the gateway refuses it (code UNAUTHENTICATED if the key is revoked). A slow consumer makes the
 * socket wait: memory stays bounded, nothing is skipped, and nothing is sent twice.
 */
export function subscribe<Data, Variables extends Record<string, unknown>>(
  target: Target,
  document: Document<Data, Variables>,
  variables: Variables,
  options: OwnSocketOptions = {},
): AsyncIterableIterator<Delivery<Data>> {
  const { backoff, heartbeat = defaultHeartbeat } = options;
  const link = new Link({
    openSocket: (events) =>
      openSocket(
        { url: socketUrl(target), connectionParams: () => paramsOf(target), heartbeat, webSocketImpl: QuietWebSocket, control },
        events,
      ),
    lingerMs: 0,
    backoff,
  });
  return new Subscription<Delivery<Data>>({ url: target.url, link, query: document.toString(), variables, backoff }, options);
}
