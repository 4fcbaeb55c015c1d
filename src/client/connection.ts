/**
 * One subscription on one WebSocket, from its opening to its end. Never retries: graphql-ws, left to itself, would send the operation
 * again with the variables of the first time, and so ask for what was delivered already. Whoever calls decides what to ask for next.
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
  /** The socket closed or never opened; `code` is the WebSocket's close code where there was one. */
  | { readonly kind: 'closed'; readonly code: number | null; readonly reason: string };

export interface Operation {
  readonly query: string;
  readonly variables: Record<string, unknown>;
}

/** When a silent peer is taken for dead. */
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
  /** Called once, last. */
  onEnd(ending: Ending): void;
}

export interface Connection {
  /** Closes the socket; nothing is called any more. */
  close(): void;
  /** Stops reading, so that the server's own limits apply to a consumer that does not keep up. */
  pause(): void;
  resume(): void;
}

/** A host that swallows packets must not hold an attempt for the minutes that the system gives it. */
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
    // Not a close with a handshake: a dead peer would keep the process waiting for its half.
    if (ending.kind === 'closed') socket?.terminate();
    events.onEnd(ending);
  };

  const expectPong = () => {
    clearTimeout(deadline);
    deadline = setTimeout(() => {
      // What was not read may well be the pong.
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
        // Even with no retries it would connect again after a close with 1000; a disposed client does not.
        void dispose();
      },
    },
  });
  const dispose = async () => {
    try {
      await client.dispose();
    } catch {
      // It waits for the connection that just failed; that was told.
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
    // A peer that does not answer the closing handshake must not keep the process waiting for it. Nor must graphql-ws, which counts twice who
    // leaves in the frame just before the end of the stream, and then never closes the socket.
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

/** Reads what graphql-ws hands on: a CloseEvent, an ErrorEvent of a socket that did not open, or an Error. */
function closedBy(event: unknown): Ending {
  if (typeof event !== 'object' || event === null) return { kind: 'closed', code: null, reason: String(event) };
  const code = 'code' in event && typeof event.code === 'number' ? event.code : null;
  const reason = 'reason' in event && typeof event.reason === 'string' ? event.reason : '';
  const message = 'message' in event && typeof event.message === 'string' ? event.message : '';
  return { kind: 'closed', code, reason: reason || message || (code === null ? 'the connection failed' : `closed with ${code}`) };
}
