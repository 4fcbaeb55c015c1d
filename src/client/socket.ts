/**
 * Operations on one WebSocket, from its opening to its end. graphql-ws by itself would reconnect
 * and resend each operation with its first variables, and so ask again for what was delivered. Here
 * it gets one socket, and never a second.
 */
import { type Client, createClient } from 'graphql-ws/client';
import { refuseRequest } from './errors.ts';
import { Heartbeat, type HeartbeatTimes } from './heartbeat.ts';
import {
  type Channel,
  type Ending,
  type Operation,
  type OperationEvents,
  openTimeoutMs,
  type Transport,
  type TransportEvents,
} from './transport.ts';

/** What a socket can do in Node and not in a browser. */
export interface SocketControl {
  /**
   * Ends it without a closing handshake: a dead peer would keep the process waiting for its half.
   */
  terminate(socket: unknown): void;
  /** Called when the closing handshake has begun. */
  closing(socket: unknown): void;
  pause(socket: unknown): void;
  resume(socket: unknown): void;
}

export interface SocketOptions {
  readonly url: string;
  /** The payload of connection_init. */
  readonly connectionParams: () => Record<string, unknown>;
  readonly heartbeat: HeartbeatTimes;
  /** A class like the browser's WebSocket. Default: the platform's. */
  readonly webSocketImpl?: unknown;
  /** With it, the transport carries one operation, which can be paused. */
  readonly control?: SocketControl | undefined;
}

/** Opens a socket. */
export function openSocket(options: SocketOptions, events: TransportEvents): Transport {
  return new Socket(options, events);
}

class Socket implements Transport {
  readonly #events: TransportEvents;
  readonly #control: SocketControl | undefined;
  readonly #client: Client;
  readonly #times: HeartbeatTimes;
  readonly #openTimer: ReturnType<typeof setTimeout>;
  #socket: unknown;
  /** Since the socket is up. */
  #heartbeat: Heartbeat | undefined;
  #isOver = false;
  /** Why it failed, where the platform says. */
  #failure = '';
  readonly #waiting = new Set<OperationEvents>();

  constructor(options: SocketOptions, events: TransportEvents) {
    const { url, connectionParams, heartbeat, webSocketImpl, control } = options;
    this.#events = events;
    this.#control = control;
    this.#times = heartbeat;
    this.#openTimer = setTimeout(() => this.#cut(`the connection did not open within ${openTimeoutMs} ms`), openTimeoutMs);
    this.#client = createClient({
      url,
      connectionParams,
      ...(webSocketImpl === undefined ? {} : { webSocketImpl }),
      retryAttempts: 0,
      // It opens at once, and stays open without an operation until it is disposed of.
      lazy: false,
      onNonLazyError: () => {},
      on: {
        opened: (socket) => {
          this.#socket = socket;
          if (this.#isOver) this.#control?.terminate(socket);
        },
        connected: () => this.#enterUp(),
        message: () => {
          this.#heartbeat?.heard();
          if (!this.#isOver) events.onHeard();
        },
        pong: (isReceived) => {
          if (isReceived) this.#heartbeat?.pong();
        },
        error: (error) => {
          this.#failure = messageOf(error);
        },
        closed: (event) => this.#end(event),
      },
    });
  }

  open(operation: () => Operation, events: OperationEvents): Channel {
    const { query, variables } = operation();
    let isOver = false;
    const end = (ending: Ending) => {
      if (isOver || this.#isOver) return;
      isOver = true;
      this.#waiting.delete(events);
      events.onEnd(ending);
    };
    const unsubscribe = this.#client.subscribe(
      { query, variables: { ...variables } },
      {
        next: ({ errors, data }) => {
          if (isOver || this.#isOver) return;
          if (errors !== undefined && errors.length > 0) {
            end({ kind: 'refused', error: refuseRequest(errors) });
            leave();
          } else if (data) events.onData(data);
        },
        // Whatever else it passes on comes with the end of the socket.
        error: (error) => {
          if (Array.isArray(error)) end({ kind: 'refused', error: refuseRequest(error) });
        },
        complete: () => end({ kind: 'completed' }),
      },
    );
    // If a consumer leaves in a message that `complete` follows at once, graphql-ws would count the
    // end twice, and take the socket for unused while other operations are on it.
    const leave = () => queueMicrotask(unsubscribe);
    if (!this.#heartbeat) this.#waiting.add(events);
    else
      queueMicrotask(() => {
        if (!isOver && !this.#isOver) events.onAccepted();
      });
    const control = this.#control;
    return {
      close: () => {
        if (isOver) return;
        isOver = true;
        this.#waiting.delete(events);
        leave();
      },
      ...(control && {
        pause: () => {
          this.#heartbeat?.pause();
          control.pause(this.#socket);
        },
        resume: () => {
          this.#heartbeat?.resume();
          control.resume(this.#socket);
        },
      }),
    };
  }

  check(): void {
    this.#heartbeat?.check();
  }

  close(): void {
    this.#finish();
    if (!this.#heartbeat) this.#client.terminate();
    void this.#dispose();
    if (this.#socket !== undefined) this.#control?.closing(this.#socket);
  }

  #enterUp(): void {
    if (this.#isOver) return;
    clearTimeout(this.#openTimer);
    this.#heartbeat = new Heartbeat(this.#times, {
      ping: () => this.#ping(),
      onLatency: (ms) => this.#events.onLatency(ms),
      onSilent: () => this.#events.onSilent(),
      onDead: (reason) => this.#cut(reason),
    });
    this.#heartbeat.check(); // measures the latency
    this.#events.onUp();
    for (const events of this.#waiting) events.onAccepted();
    this.#waiting.clear();
  }

  #ping(): void {
    const socket = this.#socket;
    if (isSender(socket)) socket.send('{"type":"ping"}');
  }

  /** Without a closing handshake, as far as the platform allows. */
  #cut(reason: string): void {
    if (this.#isOver) return;
    this.#finish();
    this.#client.terminate();
    void this.#dispose();
    if (this.#socket !== undefined) this.#control?.terminate(this.#socket);
    this.#events.onDown(null, reason);
  }

  #end(event: unknown): void {
    // Even without retries, graphql-ws would reconnect after a close with 1000. A disposed client
    // does not.
    void this.#dispose();
    if (this.#isOver) return;
    this.#finish();
    const { code, reason } = readClose(event);
    this.#events.onDown(
      code,
      reason || this.#failure || (code === null || code === 1006 ? 'the connection failed' : `closed with ${code}`),
    );
  }

  #finish(): void {
    this.#isOver = true;
    clearTimeout(this.#openTimer);
    this.#heartbeat?.stop();
  }

  async #dispose(): Promise<void> {
    try {
      await this.#client.dispose();
    } catch {
      // It waits for the connection that just failed, which was reported.
    }
  }
}

function isSender(socket: unknown): socket is { send(text: string): void } {
  return typeof socket === 'object' && socket !== null && 'send' in socket && typeof socket.send === 'function';
}

/** What graphql-ws passes on: a CloseEvent, or an Error that is like one. */
function readClose(event: unknown): { code: number | null; reason: string } {
  if (typeof event !== 'object' || event === null) return { code: null, reason: String(event) };
  const code = 'code' in event && typeof event.code === 'number' ? event.code : null;
  return { code, reason: 'reason' in event && typeof event.reason === 'string' ? event.reason : '' };
}

/** An Error, or an ErrorEvent. A browser's says nothing. */
function messageOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : '';
}
