import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GraphqlParts } from './app.ts';
import { noteLimit, OperationRefused } from './errors.ts';
import type { HeaderFields } from './http/headers.ts';
import { readParams } from './http/params.ts';
import { HttpRefusal } from './http/refusal.ts';
import { type Reply, replyWith, replyWithRefusal } from './http/reply.ts';
import { sendReply, watchAnswer } from './http/send.ts';
import { requireOwnSite } from './plugins/csrf-prevention.ts';
import { refuseSubscription } from './plugins/event-streams.ts';
import { requireKey } from './plugins/key.ts';
import { askedBy, type HttpRequest } from './plugins/params.ts';
import type { Call } from './watch/call.ts';

/** Whether the request is a POST with JSON that is answered with JSON. */
export function isHot({ method, headers }: Pick<IncomingMessage, 'method' | 'headers'>): boolean {
  return (
    method === 'POST' &&
    headers['content-type'] === 'application/json' &&
    (headers.accept === undefined || headers.accept === 'application/json' || !/event-stream/i.test(headers.accept))
  );
}

/**
 * Answers a request without Yoga's HTTP: from node:http to the pipeline and back.
 *
 * It exists only for speed. Reading one job with its steps costs 2.3 times as much processor time
 * through Yoga (bench's `point`, 32 connections). The pipeline is the same. Almost every query and
 * mutation of agents, command lines and browsers comes this way. test/attacks/ways-in.test.ts sends
 * its requests both ways and compares the answers.
 */
export async function answerHot<C extends object>(
  parts: GraphqlParts<C>,
  req: IncomingMessage,
  res: ServerResponse,
  call: Call,
  headers: HeaderFields,
): Promise<void> {
  sendReply(req, res, await replyTo(parts, { req, res, call, headers }), headers);
  watchAnswer(parts.connections, res);
}

async function replyTo<C extends object>(parts: GraphqlParts<C>, request: Omit<HttpRequest, 'principal' | 'params'>): Promise<Reply> {
  const { req, res, call, headers } = request;
  const { pipeline, instruments, origins } = parts;
  const { accept } = req.headers;
  try {
    requireOwnSite(req, origins);
    const found = requireKey(parts, req, headers);
    const principal = found instanceof Promise ? await found : found;
    const params = await readParams(req, res, parts);
    const context = pipeline.prepare(askedBy(parts, { ...request, principal, params }));
    if (context.operation.node.operation === 'subscription') throw refuseSubscription();
    return replyWith(await pipeline.execute(context), accept);
  } catch (error) {
    if (error instanceof OperationRefused) return replyWith(pipeline.answers.refusal(error.errors, call), accept);
    if (!(error instanceof HttpRefusal)) throw error;
    noteLimit(instruments, error.extensions);
    return replyWithRefusal(error, accept);
  }
}
