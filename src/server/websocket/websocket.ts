import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Context, type ExecutionResult, handleProtocols, makeServer, type Server, type SubscribePayload } from 'graphql-ws';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Principal } from '../../domain/access/principal.ts';
import { limitExceeded, noConnectionInit } from '../../domain/core/request-refusals.ts';
import type { GraphqlParts } from '../app.ts';
import { networkOf } from '../connections/rates.ts';
import { keyOf, Tally } from '../connections/tally.ts';
import type { Account } from '../connections/unsent.ts';
import type { OperationContext } from '../context.ts';
import { OperationRefused, toGraphQLError } from '../errors.ts';
import { LazyAbort } from '../execution/lazy-abort.ts';
import { isAllowedOrigin } from '../http/cors.ts';
import { credentialsOfSocket } from '../http/credentials.ts';
import { checkParams } from '../http/params.ts';
import { HttpRefusal, requirePace } from '../http/refusal.ts';
import { readTarget } from '../http/target.ts';
import { type Call, callOf } from '../watch/call.ts';
import { nameOfCode } from '../watch/instruments.ts';
import { deliverAnswer, deliverFrames } from './delivery.ts';
import { Inbox } from './inbox.ts';
import { CLOSE, GatewaySocket, Socket } from './socket.ts';

/** The state of one socket, besides graphql-ws's own. */
interface Extra {
  readonly socket: Socket;
  /** The upgrade request, until a key was accepted. An idle socket must not keep it in memory. */
  request: IncomingMessage | null;
  /** The id of that request. The id of an operation is this with a number. */
  readonly id: string;
  operations: number;
  /** Operations under way. One that the client has completed counts until it has ended here. */
  readonly running: Set<string>;
  readonly inbox: Inbox;
  /** Null until the client has sent a valid key in connection_init. */
  principal: Principal | null;
  account: Account | null;
  /** Called when the socket closes. */
  readonly undo: Set<() => void>;
}

/** What `onSubscribe` passes to the execution of an operation. */
interface Begun {
  readonly context: OperationContext;
  readonly id: string;
  readonly extra: Extra;
  /** Call it when the client has cancelled: a claim that waits for work must then get none. */
  readonly leave: () => void;
  /** Call it once, when the operation has ended. */
  readonly ended: () => void;
}

/**
 * The graphql-transport-ws protocol on `/graphql`, implemented by graphql-ws.
 *
 * A syntax or validation error ends only its operation, with `error`. graphql-ws has no limits, so
 * they are here: the size of messages, operations under way, sockets of a key and sockets of an
 * address without a key. connections.ts disconnects slow consumers.
 */
export class WebSocketEndpoint<C extends object> {
  readonly #parts: GraphqlParts<C>;
  readonly #sockets: WebSocketServer;
  readonly #protocol: Server<Extra>;
  readonly #strangers: Tally;

  constructor(parts: GraphqlParts<C>) {
    this.#parts = parts;
    this.#strangers = new Tally(parts.limits.strangersPerAddress);
    // No compression: it costs some hundred KB per socket, and frames are small.
    this.#sockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      // socket.ts answers pings, and skips some while answers cannot be sent.
      autoPong: false,
      maxPayload: parts.limits.messageBytes,
      handleProtocols,
      WebSocket: GatewaySocket,
    });
    this.#protocol = makeServer<Record<string, unknown>, Extra>({
      connectionInitWaitTimeout: parts.limits.initMs,
      onConnect: (context) => this.#authenticate(context),
      onSubscribe: (context, id, payload) => this.#find(context, id, payload),
      execute: ({ contextValue }) => this.#execute(contextValue as Begun), // as #find made it
      subscribe: ({ contextValue }) => this.#subscribe(contextValue as Begun), // as #find made it
      // graphql-ws turns whatever was thrown into an error of the request. Its message is internal.
      onError: (_context, _id, _payload, errors) => errors.map((error) => parts.pipeline.answers.mask(error.originalError ?? error)),
    });
  }

  /**
   * Whether a request asks for a WebSocket on this path. Any other upgrade (to HTTP/2, for example)
   * is an offer, which the server declines by answering normally.
   */
  static isAskedFor({ method, url, headers: { upgrade } }: IncomingMessage): boolean {
    return method === 'GET' && upgrade?.trim().toLowerCase() === 'websocket' && readTarget(url).path === '/graphql';
  }

  /** Takes over a connection that asked for a socket. */
  upgrade(request: IncomingMessage, connection: Duplex, head: Buffer): void {
    destroyOnError(connection);
    const isAllowed = isAllowedOrigin(request, this.#parts.origins);
    const release = isAllowed ? this.#strangers.take(networkOf(request.socket.remoteAddress ?? '')) : null;
    if (!release) {
      if (isAllowed) {
        this.#parts.instruments.limits.of({ limit: 'strangersPerAddress' }).add();
        refuseSocket(connection, this.#parts.limits.strangersPerAddress);
      } else refuseUpgrade(connection, 'HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    connection.once('close', release); // a handshake that fails opens no socket
    this.#sockets.handleUpgrade(request, connection, head, (opened) => this.#open(opened, connection, request, release));
  }

  /** What it leaves behind on the socket must not refer to the request: see `Extra`. */
  #open(opened: WebSocket, connection: Duplex, request: IncomingMessage, release: () => void): void {
    const socket = new Socket(opened, connection);
    const { id } = callOf(request, 'websocket');
    const inbox = new Inbox(socket);
    const extra: Extra = {
      ...{ socket, request, id, inbox, operations: 0, running: new Set<string>(), account: null, principal: null },
      undo: new Set([release]),
    };
    this.#noteOpened(opened, id);
    this.#parts.connections.add(socket);
    const closed = this.#protocol.opened(
      {
        protocol: opened.protocol,
        send: (text) => socket.send(text),
        close: (code = 1000, reason = '') => socket.close({ code, reason }),
        onMessage: (take) => {
          opened.on('message', (data) => {
            // The socket closes, for example because its key ended, and the peer may not know.
            if (opened.readyState !== opened.OPEN) return;
            inbox.put(String(data), (text) => {
              take(text).catch((error: unknown) => {
                this.#parts.pipeline.answers.mask(error); // logs it
                socket.close(CLOSE.fault);
              });
            });
          });
        },
      },
      extra,
    );
    socket.onEnd = (code, reason) => {
      for (const undo of extra.undo) undo();
      closed(code, reason).catch(() => {});
    };
    opened.once('close', () => this.#parts.connections.remove(socket));
  }

  #noteOpened(opened: WebSocket, id: string): void {
    const { instruments, log } = this.#parts;
    instruments.sockets.value += 1;
    log.debug('A socket was opened.', { requestId: id });
    opened.once('close', (code) => {
      instruments.sockets.value -= 1;
      instruments.closedSockets.of({ code: nameOfCode(code) }).add();
      if (code === 1009) instruments.limits.of({ limit: 'messageBytes' }).add();
      log.debug('A socket was closed.', { requestId: id, closeCode: code });
    });
  }

  /** Handles connection_init: authenticates the key. */
  async #authenticate({ connectionParams, extra }: Context<Record<string, unknown>, Extra>): Promise<boolean> {
    const { socket, undo, request } = extra;
    if (!request) return false;
    const principal = await this.#parts.authenticate(credentialsOfSocket(request, connectionParams));
    if (socket.socket.readyState !== socket.socket.OPEN) return false;
    if (!principal) {
      socket.close(this.#parts.rates.takeOfStranger(request) ? CLOSE.tooFast : CLOSE.unauthorized);
      return false;
    }
    extra.request = null;
    const release = this.#parts.ofKey.take(keyOf(principal));
    if (!release) {
      this.#parts.instruments.limits.of({ limit: 'socketsPerKey' }).add();
      socket.close(CLOSE.tooMany);
      return false;
    }
    for (const releaseAddress of undo) releaseAddress();
    undo.clear();
    undo.add(release);
    undo.add(this.#parts.onKeyEnd(principal, (why) => socket.close(CLOSE[why])));
    const account = this.#parts.unsent.open(keyOf(principal));
    undo.add(() => account.close());
    extra.account = account;
    extra.principal = principal;
    return true;
  }

  #find({ extra }: Context<Record<string, unknown>, Extra>, id: string, payload: SubscribePayload) {
    const { subscriptionsPerSocket } = this.#parts.limits;
    const { running, account, inbox } = extra;
    if (!extra.principal || !account) return [toGraphQLError(noConnectionInit())];
    if (running.size >= subscriptionsPerSocket) return [toGraphQLError(limitExceeded.operations(subscriptionsPerSocket, running.size + 1))];
    extra.operations += 1;
    const call: Call = { id: `${extra.id}.${extra.operations}`, transport: 'websocket' };
    const share = account.share();
    const gone = new LazyAbort();
    try {
      requirePace(this.#parts.rates.takeOf(extra.principal, 1));
      const params = checkParams(payload);
      const context = this.#parts.pipeline.prepare({
        ...{ call, principal: extra.principal, params, share, mayMutate: true, goneSignal: gone.signal },
      });
      running.add(call.id);
      inbox.opens();
      const ended = () => {
        running.delete(call.id);
        share.close();
      };
      const { document } = context.operation;
      const asked: Begun = { context, id, extra, leave: () => gone.abort(), ended };
      return { schema: this.#parts.schema, document, operationName: params.operationName ?? null, contextValue: asked };
    } catch (error) {
      share.close();
      if (error instanceof OperationRefused) return error.errors;
      if (error instanceof HttpRefusal) return [toGraphQLError(error)];
      throw error;
    }
  }

  #execute({ context, id, extra, leave, ended }: Begun): AsyncIterable<ExecutionResult> {
    extra.inbox.opened();
    return deliverAnswer(extra.socket, id, () => this.#parts.pipeline.execute(context), { ended, leave });
  }

  async #subscribe({ context, id, extra, ended }: Begun): Promise<AsyncIterable<ExecutionResult>> {
    try {
      const frames = await this.#parts.pipeline.subscribe(context);
      if ('outcome' in frames) return deliverAnswer(extra.socket, id, () => Promise.resolve(frames), { ended });
      return deliverFrames(extra.socket, id, frames, ended);
    } catch (error) {
      ended();
      throw error;
    } finally {
      extra.inbox.opened();
    }
  }
}

function refuseSocket(connection: Duplex, allowed: number): void {
  const { message, extensions } = limitExceeded.socketsWithoutKey(allowed);
  const body = JSON.stringify({ errors: [{ message, extensions }] });
  const head = ['HTTP/1.1 429 Too Many Requests', 'Connection: close', 'Content-Type: application/json', 'Retry-After: 1'];
  refuseUpgrade(connection, `${head.join('\r\n')}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}

/** A function of its own: the listener would keep whatever the function around it refers to. */
function destroyOnError(connection: Duplex): void {
  connection.on('error', () => connection.destroy());
}

/** Does not wait until the client closes its side: it may never do so. */
function refuseUpgrade(connection: Duplex, answer: string): void {
  connection.end(answer, () => connection.destroy());
}
