/** Passes HTTP requests, and their upgrades to WebSockets, on to a running step. */
import {
  type ClientRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request as requestOf,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { isAwaited } from '../http/params.ts';
import { headersForClient, headersForStep } from './headers.ts';
import type { Passage } from './passage.ts';
import type { StepPath } from './path.ts';
import { Unreachable } from './tunnels.ts';

export interface StepRequest {
  readonly request: IncomingMessage;
  readonly path: StepPath;
  /** What the step gets as the target. */
  readonly target: string;
  readonly port: number;
  /** A connection to the port. */
  readonly connection: Duplex;
  readonly passage: Passage;
}

/**
 * Answers with what the step answers. Rejects with Unreachable if that is no HTTP, as long as
 * nothing was sent.
 */
export async function proxyRequest(asked: StepRequest, response: ServerResponse): Promise<void> {
  const { request, path, port, passage } = asked;
  // The client has gone while the connection was made.
  if (response.destroyed) return;
  const upstream = send(asked, headersForStep(request, path, port));
  response.once('close', () => upstream.destroy());
  if (isAwaited(request)) response.writeContinue();
  // The step may answer before it has read everything, and may refuse the rest.
  request.pipe(passage.meter()).pipe(upstream);
  const answer = await answerOf(upstream);
  response.writeHead(answer.statusCode ?? 502, headersForClient(answer.headers, path, port));
  // So that the first event of a stream does not wait for the next one.
  response.flushHeaders();
  await pipeline(answer, passage.meter(), response).catch(() => response.destroy());
}

/** Connects a client that asked for a WebSocket with the step. Rejects with Unreachable. */
export async function proxyUpgrade(asked: StepRequest, client: Duplex, head: Buffer): Promise<void> {
  const { request, path, port, passage } = asked;
  if (client.destroyed) return;
  const upstream = send(asked, { ...headersForStep(request, path, port), connection: 'Upgrade', upgrade: 'websocket' });
  client.once('close', () => asked.connection.destroy());
  upstream.end();
  const { answer, step, rest } = await upgradeOf(upstream);
  if (step === null) return end(client, headOf(answer.statusCode ?? 502, { connection: 'close', 'content-length': 0 }));
  client.write(headOf(101, { ...headersForClient(answer.headers, path, port), connection: 'Upgrade', upgrade: 'websocket' }));
  if (rest.length > 0) client.write(rest);
  if (head.length > 0) step.write(head);
  client.pipe(passage.meter()).pipe(step);
  await pipeline(step, passage.meter(), client, { end: false }).catch(() => {});
  end(client);
}

/** How long a client has to close its side. */
const CLOSE_GRACE_MS = 5_000;

function end(client: Duplex, last = ''): void {
  client.end(last);
  setTimeout(() => client.destroy(), CLOSE_GRACE_MS).unref();
}

/**
 * One request on one connection. Node's parser bounds the size of the answer's head, and refuses
 * what is no HTTP.
 */
function send({ request: { method }, target, connection }: StepRequest, headers: OutgoingHttpHeaders): ClientRequest {
  const upstream = requestOf({ method, path: target, headers, createConnection: () => connection, setHost: false });
  // `answerOf` reports the first. Later ones end the connection.
  upstream.on('error', () => {});
  return upstream;
}

function answerOf(upstream: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    upstream.once('response', resolve);
    // Not asked for: what follows would be no HTTP.
    upstream.once('upgrade', (_answer, step) => {
      step.destroy();
      reject(new Unreachable('REFUSED', 'The step answered with another protocol.'));
    });
    upstream.once('error', (error) => reject(notHttp(error)));
    upstream.once('close', () => reject(new Unreachable('REFUSED', 'The step closed the connection.')));
  });
}

interface Upgraded {
  readonly answer: IncomingMessage;
  /** Null: the step refused. */
  readonly step: Duplex | null;
  readonly rest: Buffer;
}

function upgradeOf(upstream: ClientRequest): Promise<Upgraded> {
  return new Promise((resolve, reject) => {
    upstream.once('upgrade', (answer, step, rest) => resolve({ answer, step, rest }));
    upstream.once('response', (answer) => resolve({ answer, step: null, rest: Buffer.alloc(0) }));
    upstream.once('error', (error) => reject(notHttp(error)));
    upstream.once('close', () => reject(new Unreachable('REFUSED', 'The step closed the connection.')));
  });
}

function notHttp(error: NodeJS.ErrnoException): Unreachable {
  return new Unreachable('REFUSED', `The step did not answer as an HTTP server does: ${error.code ?? error.message}.`);
}

/** The head of an answer to an upgrade, for which Node has no response. */
function headOf(status: number, headers: OutgoingHttpHeaders): string {
  const lines = Object.entries(headers).flatMap(([name, value]) => [value ?? []].flat().map((one) => `${name}: ${one}`));
  return `${[`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`, ...lines].join('\r\n')}\r\n\r\n`;
}
