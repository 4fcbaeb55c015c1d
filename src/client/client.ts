import type { Backoff } from '../timing/backoff.ts';
import type { Connection } from './connection.ts';
import type { Document, NoVariables } from './document.ts';
import { openEventStreams } from './event-streams.ts';
import { defaultHeartbeat, type HeartbeatTimes } from './heartbeat.ts';
import { Link } from './link.ts';
import { createRequester, type Requester, type RequestOptions } from './request.ts';
import { openSocket } from './socket.ts';
import { type Delivery, type SubscribeOptions, Subscription } from './subscription.ts';
import { paramsOf, socketUrl, type Target } from './target.ts';

export interface ClientOptions extends Target {
  /** How long the connection stays open after the last subscription. Default: 5. */
  readonly lingerSeconds?: number | undefined;
  /** The pauses between tries to connect. Default: from 0.25 s, doubling to 15 s, with jitter. */
  readonly backoff?: Backoff | undefined;
  /** Default: a ping every 10 s, which has to be answered within 5 s. */
  readonly heartbeat?: HeartbeatTimes | undefined;
  /** A class like the browser's WebSocket. Default: the platform's. */
  readonly webSocketImpl?: unknown;
}

/**
 * A client of one gateway, for browsers and for Node. Requests go over HTTP. All subscriptions
 * share one connection: a WebSocket, or server-sent events where no WebSocket gets through.
 */
export interface Client extends Requester {
  request<Data = Record<string, unknown>, Variables = Readonly<Record<string, unknown>>>(
    document: Document<Data, Variables>,
    variables: Variables,
    options?: RequestOptions,
  ): Promise<Data>;
  request<Data = Record<string, unknown>>(document: Document<Data, NoVariables>): Promise<Data>;
  /**
   * Subscribes, and stays subscribed while connections come and go. A document that passes the
   * variable `$after` and selects `cursor` and `state` is resumed from the cursor of its last
   * frame: nothing is lost or repeated, even across a restart of the gateway. One without cursors
   * (`claimableSteps`, `jobUpdated`) starts again with each connection.
   *
   * Iterate it once. It ends when the gateway says ENDED (or completes a stream without cursors),
   * when the signal is aborted, and when the consumer leaves the loop. It throws RequestRefused
   * when the gateway refuses it (code UNAUTHENTICATED if the key is revoked). What waits for a slow
   * consumer is bounded: its stream is stopped, and goes on from its cursor when the consumer has
   * caught up.
   */
  subscribe<Data = Record<string, unknown>, Variables extends Readonly<Record<string, unknown>> = Readonly<Record<string, unknown>>>(
    document: Document<Data, Variables>,
    variables: Variables,
    options?: SubscribeOptions,
  ): AsyncIterableIterator<Delivery<Data>>;
  /** The connection of the subscriptions, as it is now. */
  readonly connection: Connection;
  /**
   * Calls back when the connection changes in anything but `lastHeardAt`, which changes with each
   * frame. Returns what ends it.
   */
  onConnection(listener: (connection: Connection) => void): () => void;
  /** Ends all subscriptions, without an error, and closes the connection. */
  close(): void;
}

/** Creates a client. It connects when something is subscribed. */
export function createClient(options: ClientOptions): Client {
  const { url, lingerSeconds = 5, backoff, heartbeat = defaultHeartbeat, webSocketImpl } = options;
  const requester = createRequester(options);
  const link = new Link({
    openSocket: (events) =>
      openSocket({ url: socketUrl(options), connectionParams: () => paramsOf(options), heartbeat, webSocketImpl }, events),
    openEventStreams: (events) => openEventStreams(options, heartbeat, events),
    lingerMs: lingerSeconds * 1_000,
    backoff,
  });
  return {
    target: options,
    // Without variables, none are required.
    request: <Data, Variables>(document: Document<Data, Variables>, variables = {} as Variables, settings?: RequestOptions) =>
      requester.request(document, variables, settings),
    subscribe<Data, Variables extends Readonly<Record<string, unknown>>>(
      document: Document<Data, Variables>,
      variables: Variables,
      settings: SubscribeOptions = {},
    ) {
      return new Subscription<Delivery<Data>>({ url, link, query: document.toString(), variables, backoff }, settings);
    },
    get connection() {
      return link.state.now;
    },
    onConnection: (listener) => link.state.onChange(() => listener(link.state.now)),
    close: () => link.close(),
  };
}
