/**
 * One subscription on one WebSocket, from opening to end. Never retries: graphql-ws by itself would
 * resend the operation with its first variables, and so ask again for what was delivered. The
 * caller decides what to ask for next.
 */
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import type { ResponseError } from './errors.ts';
import { authorization, socketUrl, type Target } from './target.ts';

/** How a connection ended. */
export type Ending =
  /** The server has nothing more to send on this operation. */
  | { readonly kind: 'completed' }
  /** The server refused the operation. */
  | { readonly kind: 'refused'; readonly errors: readonly ResponseError[] }
  /**
   * The socket closed or never opened; `code` is the WebSocket's close code where there was one.
   */
  | { readonly kind: 'closed'; readonly code: number | null; readonly reason: string };

export interface Operation {
  readonly query: string;
  readonly variables: Record<string, unknown>;
}

/** When a silent peer counts as dead. */
export interface Heartbeat {
  /** Ping after this long. */
  readonly pingMs: number;
  /** Without a message for this long after a ping, the socket is cut. */
  readonly pongMs: number;
}

export interface ConnectionEvents {
  /** The socket is open and the key accepted; the operation is sent. */
  onAccepted(): void;
  onData(data: Record<string, unknown>): void;
  /** Called once, at the end. */
  onEnd(ending: Ending): void;
}

export interface Connection {
  /** Closes the socket. No callback follows. */
  close(): void;
  /** Stops reading, so that the server's limits apply to a slow consumer. */
  pause(): void;
  resume(): void;
}

/** A host that drops packets must not hold a try for the minutes that the system allows. */
const openTimeoutMs = 10_000;

const closeGraceMs = 1_000;

class TimedWebSocket extends WebSocket {
  constructor(address: string | URL, protocols?: string | string[]) {
    super(address, protocols, { handshakeTimeout: openTimeoutMs });
  }
}

/** Opens a socket for one operation. */
export function openConnection(target: Target, operation: Operation, heartbeat: Heartbeat, events: ConnectionEvents): Connection {
  let socket: WebSocket | undefined;
  let deadline: NodeJS.Timeout | undefined;
  let isPaused = false;
  let isOver = false;

  const end = (ending: Ending) => {
    if (isOver) return;
    isOver = true;
    clearTimeout(deadline);
    // No closing handshake: a dead peer would keep the process waiting for its half.
    if (ending.kind === 'closed') socket?.terminate();
    events.onEnd(ending);
  };

  const expectPong = () => {
    clearTimeout(deadline);
    deadline = setTimeout(() => {
      // The pong may be in what was not read.
      if (isPaused) expectPong();
      else end({ kind: 'closed', code: null, reason: `no answer to a ping within ${heartbeat.pongMs} ms` });
    }, heartbeat.pongMs);
  };

  const client = createClient({
    url: socketUrl(target),
    connectionParams: authorization(target),
    webSocketImpl: TimedWebSocket,
    retryAttempts: 0,
    connectionAckWaitTimeout: openTimeoutMs,
    keepAlive: heartbeat.pingMs,
    onNonLazyError: () => {},
    on: {
      opened: (opened) => {
        if (opened instanceof WebSocket) socket = opened;
        if (isOver) socket?.terminate();
      },
      connected: () => {
        if (!isOver) events.onAccepted();
      },
      message: () => clearTimeout(deadline),
      ping: (isReceived) => {
        if (!isReceived) expectPong();
      },
      closed: (event) => {
        end(closedBy(event));
        // Even without retries, the client would reconnect after a close with 1000. A disposed one
        // does not.
        void dispose();
      },
    },
  });
  const dispose = async () => {
    try {
      await client.dispose();
    } catch {
      // It waits for the connection that just failed, which was reported.
    }
  };

  const unsubscribe = client.subscribe(operation, {
    next: (result) => {
      if (isOver) return;
      if (result.errors !== undefined && result.errors.length > 0) {
        end({ kind: 'refused', errors: result.errors });
        release();
      } else if (result.data) {
        events.onData(result.data);
      }
    },
    error: (error) => end(Array.isArray(error) ? { kind: 'refused', errors: error } : closedBy(error)),
    complete: () => end({ kind: 'completed' }),
  });

  const release = () => {
    unsubscribe();
    void dispose();
    // A peer that does not answer the closing handshake must not keep the process waiting. Nor must
    // graphql-ws: a consumer that leaves in the last frame before the end is counted twice, and
    // then the socket is never closed.
    setTimeout(() => socket?.terminate(), closeGraceMs).unref();
  };

  return {
    close() {
      isOver = true;
      clearTimeout(deadline);
      release();
    },
    pause() {
      if (isPaused || socket?.readyState !== WebSocket.OPEN) return;
      isPaused = true;
      socket.pause();
    },
    resume() {
      if (!isPaused) return;
      isPaused = false;
      socket?.resume();
    },
  };
}

/**
 * Reads what graphql-ws passes on: a CloseEvent, an ErrorEvent of a socket that did not open, or an
 * Error.
 */
function closedBy(event: unknown): Ending {
  if (typeof event !== 'object' || event === null) return { kind: 'closed', code: null, reason: String(event) };
  const code = 'code' in event && typeof event.code === 'number' ? event.code : null;
  const reason = 'reason' in event && typeof event.reason === 'string' ? event.reason : '';
  const message = 'message' in event && typeof event.message === 'string' ? event.message : '';
  return { kind: 'closed', code, reason: reason || message || (code === null ? 'the connection failed' : `closed with ${code}`) };
}
