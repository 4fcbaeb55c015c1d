import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { badRequest } from '../domain/core/request-refusals.ts';
import type { Address, Endpoint, GraphqlParts, RunningServer, ServerParts } from './app.ts';
import { Arrivals, connectionsAtMost } from './connections/arrivals.ts';
import { Connections } from './connections/connections.ts';
import { Tally } from './connections/tally.ts';
import { TimeLimit } from './connections/time-limit.ts';
import { Turns } from './connections/turns.ts';
import { answerAsset, answerPage, opensPage } from './console/pages.ts';
import { answerHot, isHot } from './hot-path.ts';
import { allowOrigin, isPreflight } from './http/cors.ts';
import { type AnswerHeaders, HeaderFields } from './http/headers.ts';
import { answerLive, answerReady } from './http/health.ts';
import { HttpRefusal, refusalOf } from './http/refusal.ts';
import { replyWithRefusal } from './http/reply.ts';
import { sendReply, watchAnswer } from './http/send.ts';
import { readTarget, type Target } from './http/target.ts';
import { Pipeline } from './pipeline.ts';
import { type Call, callOf } from './watch/call.ts';
import { RequestWatch } from './watch/request-watch.ts';
import { WebSocketEndpoint } from './websocket/websocket.ts';
import type { createServerOfGraphql } from './yoga.ts';

type AnswerByYoga = ReturnType<typeof createServerOfGraphql>;

/**
 * Not imported: an import takes the value of everything that node:http exports, with `WebSocket`,
 * for which Node loads its whole client. That is 50 ms of a start.
 */
const { createServer } = process.getBuiltinModule('node:http');

/**
 * Yoga, with Node's fetch, is a tenth of a start, and most first requests do not need it. It is
 * loaded soon after, or by the first request that it answers: that takes 80 ms of processor time,
 * in which other requests would wait later.
 */
const YOGA_AFTER_MS = 1_000;

/**
 * The time over which the clients of sockets and streams are asked to reconnect, so that they do
 * not all reconnect at once.
 */
const LEAVE_SPREAD_MS = 3_000;

/**
 * Starts serving. Rejects with Node's error if it cannot listen on the address, such as EADDRINUSE.
 *
 *     /graphql          POST with JSON (hot-path.ts), WebSockets (websocket/), the rest (yoga.ts)
 *     /graphql/…        the files of the GraphiQL page (graphiql/assets.ts)
 *     /health/live, /health/ready
 *     parts.steps       the HTTP ports of running steps, and the tunnels to them (tunnel/)
 *     parts.handlers    by the start of the path
 *     /assets/…         the files of the console (console/pages.ts)
 *     anything else     the console's page, for a browser
 */
export async function startServer<C extends object>(parts: ServerParts<C>, address: Address): Promise<RunningServer> {
  const origins = address.origins ?? [];
  const onDrop = () => {
    parts.instruments.dropped.add();
    parts.log.info('A consumer that accepted nothing for too long was disconnected.');
  };
  const connections = new Connections(parts.limits, onDrop, () => parts.unsent.isTight);
  const pipeline = new Pipeline(parts);
  const graphql: GraphqlParts<C> = {
    ...parts,
    pipeline,
    connections,
    ofKey: new Tally(parts.limits.socketsPerKey),
    bodyTime: new TimeLimit(parts.limits.bodyMs),
    origins,
  };
  const loadYoga = () => {
    yoga ??= import('./yoga.ts').then(({ createServerOfGraphql }) => createServerOfGraphql(graphql));
    return yoga;
  };
  let yoga: Promise<AnswerByYoga> | null = null;
  let yogaTimer: NodeJS.Timeout | null = null;
  const answerByYoga: AnswerByYoga = async (...asked) => (await loadYoga())(...asked);
  const sockets = new WebSocketEndpoint(graphql);
  let phase: 'starting' | 'serving' | 'stopping' = 'starting';

  async function answer(
    request: IncomingMessage,
    response: ServerResponse,
    call: Call,
    target: Target,
    headers: AnswerHeaders,
  ): Promise<void> {
    await route(request, response, call, target, headers);
    if (response.writableEnded) watchAnswer(connections, response);
  }

  async function route(
    request: IncomingMessage,
    response: ServerResponse,
    call: Call,
    target: Target,
    headers: AnswerHeaders,
  ): Promise<void> {
    const { path, search } = target;
    if (phase === 'stopping') headers.setHeader('connection', 'close');
    if (origins.length > 0) headers.setHeader('vary', 'Origin');
    if (parts.steps?.serves(request)) {
      requireKnownCoding(request);
      return parts.steps.answer(request, response);
    }
    if (isPreflight(request)) return answerByYoga(request, response, call, target);
    if (request.method === 'OPTIONS') return void response.writeHead(204, { allow: methodsOf(path) }).end();
    allowOrigin(request, headers, origins);
    requireKnownCoding(request);
    if (headers instanceof HeaderFields) return answerHot(graphql, request, response, call, headers);
    if (path === '/graphql') return answerByYoga(request, response, call, target);
    if (path === '/health/live') return answerLive(response);
    if (path === '/health/ready') return answerReady(response, phase, parts.ready);
    if (path.startsWith('/graphql/')) return (await import('./graphiql/assets.ts')).answerAsset(target, request, response);
    const endpoint = findEndpoint(parts.handlers, path);
    if (endpoint) return endpoint(request, response, new URL(path + search, 'http://gateway'), call);
    if (path.startsWith('/assets/')) return answerAsset(path, request, response);
    if (opensPage(request)) return answerPage(request, response);
    if (path === '/') return void response.writeHead(302, { location: '/graphql' }).end();
    throw new HttpRefusal(404, badRequest.nothingHere());
  }

  const watch = new RequestWatch(parts);
  const turns = new Turns();
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    arrivals.hear(request, response);
    const call = callOf(request, 'http');
    const target = readTarget(request.url);
    const headers = target.path === '/graphql' && isHot(request) ? new HeaderFields() : response;
    headers.setHeader('x-request-id', call.id);
    const run = () =>
      watch.run(request, response, call, target.path, () =>
        answer(request, response, call, target, headers).catch((error: unknown) => {
          const refusal = refusalOf(error, pipeline.answers.mask, call);
          if (response.headersSent) response.destroy();
          else sendReply(request, response, replyWithRefusal(refusal, request.headers.accept), headers);
        }),
      );
    const turn = turns.take(request, response);
    if (turn) void turn.then(run);
    else void run();
  };
  const { connectionsPerAddress, headerMs } = parts.limits;
  const server = createServer(
    {
      shouldUpgradeCallback: (request) => WebSocketEndpoint.isAskedFor(request) || parts.steps?.isUpgrade(request) === true,
      headersTimeout: headerMs,
      connectionsCheckingInterval: Math.min(1_000, headerMs),
      // Uploads may take hours. /graphql limits the time of its bodies itself.
      requestTimeout: 0,
      // Longer than Node's 5 s, so that a client that reuses a connection now and then rarely meets
      // one that is being closed.
      keepAliveTimeout: 30_000,
    },
    serve,
  );
  const arrivals = new Arrivals({
    perAddress: connectionsPerAddress,
    inAll: connectionsAtMost(),
    onFull: () => server.closeIdleConnections(),
    onDrop: () => parts.instruments.limits.of({ limit: 'connectionsPerAddress' }).add(),
  });
  server.on('connection', (socket) => arrivals.add(socket));
  // The code that reads a body sends 100 Continue. Unknown expectations are ignored: RFC 9110 does
  // not require a refusal.
  server.on('checkContinue', serve).on('checkExpectation', serve);
  server.on('upgrade', (request, connection, head) => {
    arrivals.handOver(request);
    if (parts.steps?.isUpgrade(request)) parts.steps.upgrade(request, connection, head);
    else sockets.upgrade(request, connection, head);
  });
  await listen(server, address);

  return {
    url: urlOf(server),
    open() {
      if (phase === 'starting') phase = 'serving';
      // If it cannot be loaded, the requests that it answers say so.
      yogaTimer ??= setTimeout(() => loadYoga().catch(() => {}), YOGA_AFTER_MS).unref();
    },
    async close(graceMs) {
      phase = 'stopping';
      if (yogaTimer) clearTimeout(yogaTimer);
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // A busy connection becomes idle only after its answer, and would then keep the server open.
      const idle = setInterval(() => server.closeIdleConnections(), 50);
      const deadline = setTimeout(() => {
        connections.stop();
        server.closeAllConnections();
      }, graceMs);
      await connections.leave(Math.min(LEAVE_SPREAD_MS, graceMs / 3));
      parts.steps?.close();
      await closed;
      clearInterval(idle);
      clearTimeout(deadline);
      connections.stop();
    },
  };
}

function methodsOf(path: string): string {
  if (path === '/graphql') return 'GET, HEAD, POST, OPTIONS';
  return path.startsWith('/fragments/') ? 'GET, HEAD, PUT, OPTIONS' : 'GET, HEAD, OPTIONS';
}

/**
 * Refuses other transfer codings than "chunked", the only one that Node decodes. Compressed bytes
 * would otherwise be taken for the body.
 */
function requireKnownCoding({ headers }: IncomingMessage): void {
  const coding = headers['transfer-encoding'];
  if (coding === undefined || coding.trim().toLowerCase() === 'chunked') return;
  throw new HttpRefusal(501, badRequest.transferCoding());
}

function findEndpoint(endpoints: Readonly<Record<string, Endpoint>>, path: string): Endpoint | undefined {
  for (const prefix in endpoints) if (path.startsWith(prefix)) return endpoints[prefix];
  return undefined;
}

function listen(server: Server, { host, port }: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function urlOf(server: Server): string {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server does not listen on a port.');
  return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
}
